//! Windows of tiles, against all events of the tiles that their definition names.

use super::*;
use crate::state::snapshot::{self, testing};

const LATENESS: i64 = 60;

const SPECS: &str = r"
- { over: 100us, resolution: 10us, of: x, compute: [count, sum, mean, std, min, max, first, last] }
- { over: 95us, resolution: 10us, of: x, exclude_current: true, compute: { count: other_count, sum: other_sum, max: other_max } }
- { over: 700us, resolution: 7us, of: x, where: flag, compute: [count, sum, mean, std, min, max, first, last, delta, rate, gap_mean, zscore] }
- { tumbling: 50us, offset: 10us, resolution: 10us, of: x, compute: [count, sum, max] }
- { tumbling: 50us, part: previous, resolution: 10us, of: x, compute: [count, sum, max] }
- { over: 90us, resolution: 10us, of: text, compute: [count] }
- { over: 90us, resolution: 30us, compute: [count, time_since_first] }
";

/// The records in the tiles of the window of record `i`, in (event time, offset) order.
fn members(records: &[Record], i: usize, resolution: i64, from: i64, to: i64) -> Vec<usize> {
    let tile = |time: i64| time.div_euclid(resolution);
    let inside = |j: &usize| {
        let record = &records[*j];
        let number = tile(record.time);
        record.slot == records[i].slot && tile(from) <= number && number <= tile(to)
    };
    let mut members: Vec<usize> = (0..=i).filter(inside).collect();
    members.sort_by_key(|j| (records[*j].time, *j));
    members
}

fn check(
    out: &RecordBatch,
    row: usize,
    suffix: [&str; 2],
    held: &[f64],
) -> Result<(), TestCaseError> {
    let name = |aggregate: &str| format!("{}{aggregate}{}", suffix[0], suffix[1]);
    prop_assert_eq!(count(out, &name("count"), row), i64::try_from(held.len()).unwrap());
    let (n, sum) = (held.len() as f64, held.iter().sum::<f64>());
    let mut expected = vec![("sum", Some(sum)), ("max", held.iter().copied().reduce(f64::max))];
    if out.column_by_name(&name("std")).is_some() {
        let mean = sum / n;
        let m2 = held.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
        expected.push(("mean", (n > 0.0).then_some(mean)));
        expected.push(("std", (n > 1.0).then(|| (m2 / (n - 1.0)).sqrt())));
        expected.push(("min", held.iter().copied().reduce(f64::min)));
        expected.push(("first", held.first().copied()));
        expected.push(("last", held.last().copied()));
    }
    for (aggregate, expected) in expected {
        let got = float(out, &name(aggregate), row);
        let near = match (got, expected) {
            (Some(got), Some(expected)) => (got - expected).abs() <= 1e-9 * expected.abs().max(1e3),
            (got, expected) => got == expected,
        };
        prop_assert!(near, "{aggregate}{suffix:?} at {row}: {got:?}, {expected:?}");
    }
    Ok(())
}

/// Streams of finite values.
fn finite(len: usize) -> impl Strategy<Value = Vec<Record>> {
    streams(len, LATENESS).prop_map(|mut records| {
        for record in &mut records {
            record.value = record.value.filter(|value| value.abs() < 1e4);
        }
        records
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn windows_of_tiles_are_the_events_of_their_tiles(records in finite(500)) {
        let mut windows = build(SPECS);
        let out = run(&mut windows, &records, LATENESS, &[]).remove(0);
        for (i, record) in records.iter().enumerate() {
            let t = record.time;
            let value = |j: &usize| records[*j].value;
            let own = i;
            let all = members(&records, i, 10, t - 100 + 1, t);
            check(&out, i, ["x_", "_100us"], &all.iter().filter_map(value).collect::<Vec<_>>())?;
            let others = members(&records, i, 10, t - 95 + 1, t);
            let others = others.iter().filter(|j| **j != own).filter_map(value);
            check(&out, i, ["other_", ""], &others.collect::<Vec<_>>())?;
            let flagged = members(&records, i, 7, t - 700 + 1, t);
            let flagged = flagged.iter().filter(|j| records[**j].flag == Some(true));
            check(&out, i, ["x_", "_700us"], &flagged.filter_map(value).collect::<Vec<_>>())?;
            let start = t - (t - 10).rem_euclid(50);
            let span = members(&records, i, 10, start, t);
            check(&out, i, ["x_", "_50us_tumbling"], &span.iter().filter_map(value).collect::<Vec<_>>())?;
            let start = t - t.rem_euclid(50);
            let before = members(&records, i, 10, start - 50, start - 1);
            check(&out, i, ["x_", "_50us_tumbling_previous"], &before.iter().filter_map(value).collect::<Vec<_>>())?;
            let texts = members(&records, i, 10, t - 90 + 1, t);
            let texts = texts.iter().filter(|j| records[**j].text.is_some()).count();
            prop_assert_eq!(count(&out, "text_count_90us", i), i64::try_from(texts).unwrap());
            let events = members(&records, i, 30, t - 90 + 1, t);
            prop_assert_eq!(count(&out, "count_90us", i), i64::try_from(events.len()).unwrap());
        }
    }

    #[test]
    fn neither_batches_nor_a_restore_show_in_tiles(
        records in streams(400, LATENESS),
        sizes in proptest::collection::vec(0..90_usize, 0..12),
        at in 0..400_usize,
    ) {
        let (mut whole, mut cut) = (build(SPECS), build(SPECS));
        let expected = run(&mut whole, &records, LATENESS, &[]);
        let got = run(&mut cut, &records, LATENESS, &sizes);
        let join = |parts: &[RecordBatch]| {
            arrow::compute::concat_batches(&whole.schema(), parts).unwrap()
        };
        for (a, b) in join(&expected).columns().iter().zip(join(&got).columns()) {
            assert_eq!(bits(a).to_data(), bits(b).to_data());
        }
        let (first, rest) = records.split_at(at.min(records.len()));
        let mut before = build(SPECS);
        run(&mut before, first, LATENESS, &sizes);
        let mut twin = build(SPECS);
        for (lane, saved) in before.capture().into_iter().enumerate() {
            let bytes = testing::written(saved);
            let (_, sections) = snapshot::read(&bytes).unwrap();
            twin.restore(lane, &sections.component(testing::PART), 2).unwrap();
        }
        let mut highest = first.iter().map(|record| record.time).max().unwrap_or(i64::MIN);
        let rows = rows(rest, first.len(), &mut highest, LATENESS);
        twin.advance(rows, &mut Rejections::default());
        let state = |windows: &Windows| {
            let lanes = windows.capture();
            lanes.into_iter().map(testing::written).collect::<Vec<_>>()
        };
        prop_assert!(state(&whole) == state(&cut));
        prop_assert!(state(&whole) == state(&twin));
        prop_assert_eq!(whole.state_bytes(), cut.state_bytes());
        prop_assert_eq!(whole.state_bytes(), twin.state_bytes());
    }
}

/// Exact at the record's end, and never further off at the other than a tile is long.
#[test]
fn in_order_the_error_is_at_most_one_tile_at_the_tail() {
    let mut windows = build(
        "[{ over: 1000us, resolution: 50us, of: x, compute: { count: tiles } },
          { over: 1000us, of: x, compute: { count: exact } },
          { over: 1050us, of: x, compute: { count: more } },
          { tumbling: 1000us, resolution: 50us, of: x, compute: { sum: tiled } },
          { tumbling: 1000us, of: x, compute: { sum: events } }]",
    );
    let records: Vec<_> = (0..5_000).map(|i| Record::new(0, i * 3, 1.0)).collect();
    let out = run(&mut windows, &records, 0, &[100, 1_000]);
    for row in 0..3_900 {
        let at = |name| count(&out[2], name, row);
        let (tiles, exact, more) = (at("tiles"), at("exact"), at("more"));
        assert!(exact <= tiles && tiles <= more, "{exact} {tiles} {more}");
        assert_eq!(float(&out[2], "tiled", row), float(&out[2], "events", row));
    }
    // 20 tiles and one, whatever their events are.
    let plan = &windows.describe()[0];
    assert_eq!(windows.horizon(), Horizon::For(1_050));
    assert!(plan.key_bytes_max.unwrap() < 23 * plan.event_bytes + 600, "{plan:?}");
    assert_eq!(plan.shape, "(t - 1ms, t], in tiles of 50us");
}

#[test]
fn a_long_history_of_a_busy_key_takes_little() {
    let mut windows =
        build("[{ over: 100000us, resolution: 1000us, of: x, compute: [mean, std] }]");
    let records: Vec<_> = (0..300_000).map(|i| Record::new(0, i, 1.0)).collect();
    run(&mut windows, &records, 10, &[]);
    let most = windows.describe()[0].key_bytes_max.unwrap();
    assert!(windows.state_bytes() <= most && most < 12_000, "{} {most}", windows.state_bytes());
    windows.forget(0);
    assert_eq!(windows.state_bytes(), size_of::<crate::aggregate::Tiles>());
}
