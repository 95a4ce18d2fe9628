//! What scans are shown of a window, against a look at every earlier record.

use super::{
    naive::{CLOSED, Over, Window, members},
    *,
};

const OVERS: [(&str, Over); 3] =
    [("17us", Over::Time(17)), ("300us", Over::Time(300)), ("20 rows", Over::Rows(20))];

/// With windows by rows the lane keeps records without a value too.
fn windows(filtered: bool, with_rows: bool) -> (Windows, Vec<Window>) {
    let (mut specs, mut all) = (Vec::new(), Vec::new());
    let overs = if with_rows { &OVERS[..] } else { &OVERS[..2] };
    for (text, over) in overs.iter().copied() {
        for (closed, left, right) in CLOSED {
            let name: &'static str = format!("{closed}_{}", text.replace(' ', "_")).leak();
            let condition = if filtered { "where: flag, " } else { "" };
            let one = |what: &str| format!("{what}, as: {name}_");
            specs.push(format!(
                "- {{ over: {text}, of: x, closed: {closed}, {condition}compute: [\
                 nth: {{ {}second }}, nth: {{ {}before_last }}, lag: {{ {}lag }}, \
                 lag: {{ {}lag_3 }}, quantile: {{ {}lower }}, distinct: {{ {}distinct }}] }}",
                one("n: 1"),
                one("n: -2"),
                one("n: 1"),
                one("n: 3"),
                one("q: 0.4, interpolation: lower"),
                format_args!("as: {name}_"),
            ));
            all.push(Window { name, over, left, right, filtered, without_own: false });
        }
    }
    (build(&specs.join("\n")), all)
}

/// Bits of a value, the same for every NaN.
fn canonical(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.abs().to_bits() } else { value.to_bits() }
}

fn check(out: &RecordBatch, records: &[Record], i: usize, window: Window) {
    let members = members(records, i, window);
    let value = |j: usize| records[j].value.unwrap();
    let got = |what: &str| float(out, &format!("{}_{what}", window.name), i).map(canonical);
    let expected = |j: Option<&usize>| j.map(|j| canonical(value(*j)));
    let context = || format!("{} at {i}: {members:?} of {records:?}", window.name);
    assert_eq!(got("second"), expected(members.get(1)), "{}", context());
    assert_eq!(got("before_last"), expected(members.iter().nth_back(1)), "{}", context());
    let before: Vec<usize> = members.iter().copied().filter(|j| *j != i).collect();
    assert_eq!(got("lag"), expected(before.last()), "{}", context());
    assert_eq!(got("lag_3"), expected(before.iter().nth_back(2)), "{}", context());

    let mut sorted: Vec<f64> = members.iter().map(|j| value(*j) + 0.0).collect();
    sorted.sort_by(|a, b| a.is_nan().cmp(&b.is_nan()).then_with(|| a.total_cmp(b)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small index")]
    let rank = (0.4 * (sorted.len() as f64 - 1.0)).floor() as usize;
    let lower = sorted.get(rank).copied().map(canonical);
    assert_eq!(got("lower"), lower, "{}", context());
    sorted.dedup_by_key(|value| canonical(*value));
    let distinct = i64::try_from(sorted.len()).unwrap();
    assert_eq!(count(out, &format!("{}_distinct", window.name), i), distinct, "{}", context());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn scans_see_the_events_of_their_windows(
        records in streams(350, 25),
        filtered in any::<bool>(),
        with_rows in any::<bool>(),
    ) {
        let (mut engine, all) = windows(filtered, with_rows);
        let out = run(&mut engine, &records, 25, &[]).remove(0);
        for window in all {
            (0..records.len()).for_each(|i| check(&out, &records, i, window));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    /// Enough events of a key for several nodes, heavy disorder, checked at some rows.
    #[test]
    fn scans_see_the_events_of_long_windows(seed in streams(60, 200), stride in 1..7_i64) {
        let records: Vec<Record> = (0..6_000_i64)
            .map(|i| {
                let like = &seed[usize::try_from(i * stride).unwrap() % seed.len()];
                let behind = (i * 7_919 * stride) % 1_500;
                Record { slot: 0, time: 10_000 + i - behind, ..like.clone() }
            })
            .collect();
        let spec = "[{ over: 4ms, of: x, compute: [lag: { n: 2900 }, nth: { n: 700 }, distinct: {}] }]";
        let mut engine = build(spec);
        let out = run(&mut engine, &records, 1_500, &[]).remove(0);
        let over = Over::Time(4_000);
        let (left, right, filtered, without_own) = (false, true, false, false);
        let window = Window { name: "", over, left, right, filtered, without_own };
        for i in (0..records.len()).step_by(487) {
            let members = members(&records, i, window);
            let value = |j: Option<&usize>| j.map(|j| canonical(records[*j].value.unwrap()));
            let before: Vec<usize> = members.iter().copied().filter(|j| *j != i).collect();
            let got = |name: &str| float(&out, name, i).map(canonical);
            prop_assert_eq!(got("x_lag_4ms"), value(before.iter().nth_back(2_899)));
            prop_assert_eq!(got("x_nth_4ms"), value(members.get(700)));
        }
    }
}
