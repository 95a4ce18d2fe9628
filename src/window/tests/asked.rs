//! What features ask for, against the same done from the definition at every record.

use super::*;
use crate::aggregate::{Online, Previous, Request, Scaler, great_circle_km, in_order, visible};

/// Scalers by what they are asked for with.
const ONLINE: [&str; 6] = [
    "{}",
    "{ per: partition }",
    "{ exclude_current: true }",
    "{ min_count: 4, forget_after: 30us }",
    "{ half_life: 6us }",
    "{ half_life: 3 rows, exclude_current: true }",
];

fn online(scaler: Scaler, options: &str) -> Request {
    let node = Node::parse(options).unwrap();
    let online: Online = crate::registry::options(&node).unwrap();
    online.request(scaler, "x", &node).unwrap()
}

fn previous(previous: Previous) -> Request {
    let columns: &[&str] = if previous == Previous::Elapsed { &[] } else { &["x", "mean"] };
    previous.request(columns, None, &Node::parse("{}").unwrap()).unwrap()
}

/// Each under the text by which its column is found.
fn requests() -> Vec<Request> {
    let mut all = Vec::new();
    for options in ONLINE {
        all.push(online(Scaler::Standardize, options));
        if !options.contains("half_life") {
            all.push(online(Scaler::MinMax { clip: false }, options));
            all.push(online(Scaler::MinMax { clip: true }, options));
            all.push(online(Scaler::MaxAbs, options));
        }
    }
    all.extend([Previous::Distance, Previous::Speed, Previous::Elapsed].map(previous));
    in_order(all)
}

/// A window whose column is asked about beside the record's own.
fn asking(requests: &[Request]) -> Windows {
    build("[{ over: 9us, of: x, compute: { mean: mean } }]").remember(requests)
}

/// The values that a scaler knows at record `i`, each with its weight.
fn known(records: &[Record], watermarks: &[i64], options: &str, i: usize) -> Vec<(f64, f64)> {
    let mut known: Vec<(i64, f64, f64)> = Vec::new();
    for (j, record) in records[..=i].iter().enumerate() {
        if record.slot != records[i].slot && !options.contains("partition") {
            continue;
        }
        let newest = known.iter().map(|(time, ..)| *time).max();
        let horizon = match () {
            () if options.contains("30us") => 30,
            () if options.contains("6us") => 6 * 64,
            () => i64::MAX,
        };
        if newest.is_some_and(|newest| watermarks[j] > newest.saturating_add(horizon)) {
            known.clear();
        }
        if options.contains("3 rows") {
            for (.., weight) in &mut known {
                *weight *= 0.5_f64.powf(1.0 / 3.0);
            }
        }
        if j == i && options.contains("exclude_current") {
            break;
        }
        if let Some(x) = record.value.filter(|x| x.is_finite()) {
            known.push((record.time, x, 1.0));
        }
    }
    let newest = known.iter().map(|(time, ..)| *time).max().unwrap_or_default();
    let is_timed = options.contains("6us");
    let by_time =
        |time: i64| if is_timed { 0.5_f64.powf((newest - time) as f64 / 6.0) } else { 1.0 };
    known.into_iter().map(|(time, x, weight)| (x, weight * by_time(time))).collect()
}

/// What the scalers make of `x`: standardized, between the extremes, clipped, by the greatest.
fn scaled(known: &[(f64, f64)], x: f64) -> [f64; 4] {
    let w: f64 = known.iter().map(|(_, weight)| weight).sum();
    // Off the value itself: what is small is then exact. Equal values have no spread.
    let mean = known.iter().map(|(y, weight)| weight * (y - x)).sum::<f64>() / w;
    let squares = |(y, weight): &(f64, f64)| weight * (y - x - mean) * (y - x - mean);
    let differ = known.iter().any(|(y, _)| y.to_bits() != known[0].0.to_bits());
    let var = if differ { known.iter().map(squares).sum::<f64>() / w } else { 0.0 };
    let mean = if differ { mean } else { known[0].0 - x };
    let or_one = |range: f64| if range > 0.0 { range } else { 1.0 };
    let min = known.iter().fold(f64::INFINITY, |a, (x, _)| a.min(*x));
    let max = known.iter().fold(f64::NEG_INFINITY, |a, (x, _)| a.max(*x));
    let place = (x - min) / or_one(max - min);
    let greatest = known.iter().fold(0.0_f64, |a, (x, _)| a.max(x.abs()));
    [-mean / or_one(var.sqrt()), place, place.clamp(0.0, 1.0), x / or_one(greatest)]
}

fn check_scalers(out: &RecordBatch, records: &[Record], watermarks: &[i64], i: usize) {
    for options in ONLINE {
        let known = known(records, watermarks, options, i);
        let least = if options.contains("min_count") { 4 } else { 1 };
        let expected = records[i].value.filter(|_| known.len() >= least).map(|x| scaled(&known, x));
        let asked = [
            Scaler::Standardize,
            Scaler::MinMax { clip: false },
            Scaler::MinMax { clip: true },
            Scaler::MaxAbs,
        ];
        for (number, scaler) in asked.into_iter().enumerate() {
            if number > 0 && options.contains("half_life") {
                continue;
            }
            let got = float(out, &online(scaler, options).text, i);
            let expected = expected.map(|scaled| scaled[number]);
            let is_near = match (got, expected) {
                (Some(a), Some(b)) => {
                    a.is_nan() && b.is_nan()
                        || a.to_bits() == b.to_bits()
                        || (a - b).abs() <= 1e-9 * b.abs().max(1.0)
                }
                (a, b) => a.is_none() && b.is_none(),
            };
            assert!(is_near, "{options} {number} at {i}: {got:?} {expected:?} {known:?}");
        }
    }
}

fn check_previous(out: &RecordBatch, records: &[Record], i: usize) {
    let own = &records[i];
    let place = |j: usize| Some([records[j].value?, float(out, "mean", j)?]);
    let is_place = |j: &usize| place(*j).is_some_and(|p| p.iter().all(|x| x.is_finite()));
    let before: Vec<usize> = (0..i).filter(|j| records[*j].slot == own.slot).collect();
    // The newest one so far, the last of equal times.
    let newest = |all: &mut dyn Iterator<Item = usize>| {
        all.max_by_key(|j| (records[*j].time, *j)).filter(|j| records[*j].time <= own.time)
    };
    let last = newest(&mut before.iter().copied());
    let elapsed = last.map(|j| (own.time - records[j].time) as f64 / 1e6);
    assert_eq!(float(out, &previous(Previous::Elapsed).text, i), elapsed, "at {i}");
    let last = newest(&mut before.iter().copied().filter(is_place));
    let km = last.and_then(|j| Some(great_circle_km(place(j)?, place(i)?)));
    let km = km.filter(|km| km.is_finite());
    assert_eq!(float(out, &previous(Previous::Distance).text, i), km, "at {i}: {records:?}");
    let us = last.map(|j| own.time - records[j].time).filter(|us| *us > 0);
    let speed = km.zip(us).map(|(km, us)| km / (us as f64 / 3.6e9));
    assert_eq!(float(out, &previous(Previous::Speed).text, i), speed, "at {i}: {records:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_asked_for_equals_its_definition(records in memories::tame(140, 25)) {
        let out = run(&mut asking(&requests()), &records, 25, &[]).remove(0);
        let watermarks = memories::watermarks(&records, 25);
        for i in 0..records.len() {
            check_scalers(&out, &records, &watermarks, i);
            check_previous(&out, &records, i);
        }
    }

    #[test]
    fn batches_do_not_show_in_what_is_asked_for(
        records in streams(300, 30),
        sizes in proptest::collection::vec(0..60_usize, 0..9),
    ) {
        let (mut whole, mut cut) = (asking(&requests()), asking(&requests()));
        let expected = run(&mut whole, &records, 30, &[]);
        let got = run(&mut cut, &records, 30, &sizes);
        let join =
            |parts: &[RecordBatch]| arrow::compute::concat_batches(&whole.schema(), parts).unwrap();
        for (a, b) in join(&expected).columns().iter().zip(join(&got).columns()) {
            prop_assert_eq!(bits(a).to_data(), bits(b).to_data());
        }
        let written = |windows: &Windows| -> Vec<Vec<u8>> {
            windows.capture().into_iter().map(crate::state::snapshot::testing::written).collect()
        };
        prop_assert!(written(&whole) == written(&cut));
    }
}

#[test]
fn what_is_asked_for_is_hidden_and_kept_like_the_rest() {
    let windows = asking(&requests());
    let all = windows.schema();
    let names: Vec<String> = visible(&all).fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["x", "flag", "text", "mean"]);
    assert_eq!(all.fields().len(), names.len() + requests().len());
    assert_eq!(windows.capture().len(), 1 + requests().len());
    assert_eq!((windows.horizon(), windows.reach()), (Horizon::Forever, Horizon::Forever));
    let node = Node::parse("{}").unwrap();
    for request in requests() {
        let index = request.find(&all, &node).unwrap();
        assert_eq!(all.field(index).name(), &request.text);
    }
    let unknown = Previous::Speed.request(&["x", "nowhere"], None, &node).unwrap();
    assert!(unknown.find(&asking(&[]).schema(), &node).is_err());
    assert_eq!(asking(&[unknown]).schema().fields().len(), names.len(), "it asks in vain");
    let day = Node::parse("{ forget_after: 1d }").unwrap();
    let span = crate::registry::Span::parse("1d");
    let asked = Previous::Elapsed.request(&[], span, &day).unwrap();
    let bounded = asking(&[asked]);
    let day = Horizon::For(86_400_000_000);
    assert_eq!((bounded.horizon(), bounded.reach()), (day, day));
}

/// A million values around a mean a million spreads off zero, against two passes over all of them.
#[test]
fn distances_from_a_mean_far_from_zero_keep_their_digits() {
    let options = ["{}", "{ half_life: 5000 rows }"];
    let requests = options.map(|options| online(Scaler::Standardize, options));
    let mut windows = build("[]").remember(&requests);
    let off = |i: i64| (i.wrapping_mul(0x9E37_79B9) >> 7).rem_euclid(1_009) as f64 / 1_024.0;
    let (batch, batches, mut highest) = (50_000_i64, 20_i64, i64::MIN);
    let mut last = None;
    for number in 0..batches {
        let range = number * batch..(number + 1) * batch;
        let records: Vec<Record> = range.map(|i| Record::new(0, i, 3e5 + off(i))).collect();
        let rows = rows(&records, 0, &mut highest, 0);
        last = Some(windows.advance(rows, &mut Rejections::default()).columns);
    }
    let (out, n) = (last.unwrap(), batch * batches);
    for (request, half_life) in requests.iter().zip([f64::INFINITY, 5e3]) {
        let all = || (0..n).map(|i| (0.5_f64.powf((n - 1 - i) as f64 / half_life), off(i)));
        let w: f64 = all().map(|(w, _)| w).sum();
        let mean = all().map(|(w, x)| w * x).sum::<f64>() / w;
        let var = all().map(|(w, x)| w * (x - mean) * (x - mean)).sum::<f64>() / w;
        let expected = (off(n - 1) - mean) / var.sqrt();
        let got = float(&out, &request.text, usize::try_from(batch - 1).unwrap()).unwrap();
        assert!((got - expected).abs() < 1e-9, "{}: {got} {expected}", request.text);
    }
}
