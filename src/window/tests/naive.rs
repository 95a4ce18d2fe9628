//! A window computed the way its definition reads: look at every earlier record.

use super::*;

#[derive(Debug, Clone, Copy)]
pub(super) enum Over {
    Time(i64),
    Rows(usize),
    /// Length and delay.
    Delayed(i64, i64),
    /// Length, offset, and whether it is the one before.
    Tumbling(i64, i64, bool),
    /// Longest pause, how far back, and whether it is the one before.
    Session(i64, i64, bool),
}

#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "the options of a window")]
pub(super) struct Window {
    pub(super) name: &'static str,
    pub(super) over: Over,
    pub(super) left: bool,
    pub(super) right: bool,
    pub(super) filtered: bool,
    pub(super) without_own: bool,
}

/// The records in the window of record `i`, in (event time, offset) order, each with its index.
pub(super) fn members(records: &[Record], i: usize, window: Window) -> Vec<usize> {
    let own = &records[i];
    let mut before: Vec<usize> = (0..=i)
        .filter(|j| records[*j].slot == own.slot)
        .filter(|j| (records[*j].time, *j) <= (own.time, i))
        .collect();
    before.sort_by_key(|j| (records[*j].time, *j));
    let counts = |j: &usize| {
        records[*j].value.is_some() && (!window.filtered || records[*j].flag == Some(true))
    };
    let mut members: Vec<usize> = match window.over {
        Over::Time(_) | Over::Delayed(..) => {
            let (span, delay) = match window.over {
                Over::Delayed(span, delay) => (span, delay),
                Over::Time(span) => (span, 0),
                _ => unreachable!("one of these"),
            };
            let (low, high) = (own.time - delay - span, own.time - delay);
            let inside = |time: i64| {
                (low < time || window.left && time == low)
                    && (time < high || window.right && time == high)
            };
            before.into_iter().filter(|j| inside(records[*j].time)).collect()
        }
        Over::Tumbling(span, offset, previous) => {
            let number = |j: usize| (records[j].time - offset).div_euclid(span);
            let wanted = number(i) - i64::from(previous);
            before.into_iter().filter(|j| number(*j) == wanted).collect()
        }
        Over::Session(gap, within, previous) => {
            let recent = before.iter().filter(|j| records[**j].time >= own.time - within);
            let recent: Vec<usize> = recent.copied().filter(counts).collect();
            // Numbers of sessions from the newest one on, which is the record's own if it is near.
            let (mut number, mut follower, mut session) = (0, own.time, Vec::new());
            for j in recent.into_iter().rev() {
                number += u32::from(follower - records[j].time > gap);
                follower = records[j].time;
                session.push((number, j));
            }
            session.retain(|(number, _)| *number == u32::from(previous));
            session.into_iter().rev().map(|(_, j)| j).collect()
        }
        Over::Rows(rows) => {
            // The row `rows` before counts if the left end is closed, the record itself if the
            // right one is.
            let own_rank = before.len() - 1;
            let low =
                (own_rank + 1).saturating_sub(rows + usize::from(window.left && window.right));
            let low = if window.right {
                low
            } else {
                own_rank.saturating_sub(rows - usize::from(!window.left))
            };
            before[low..own_rank + usize::from(window.right)].to_vec()
        }
    };
    members.retain(counts);
    if window.without_own {
        members.retain(|j| *j != i);
    }
    members
}

fn two_pass(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mean = sum / n;
    let m2: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (sum, mean, (m2 / (n - 1.0)).sqrt())
}

/// Equal up to rounding on the scale of the values; NaN and infinities as they are.
fn near(got: f64, expected: f64, scale: f64) -> bool {
    got.to_bits() == expected.to_bits()
        || got.is_nan() && expected.is_nan()
        || (got - expected).abs() <= 1e-12 * scale
        // Sums of squares beyond 1e308: both have left the numbers.
        || scale > 1e150 && !(got.is_finite() && expected.is_finite())
}

fn check(out: &RecordBatch, records: &[Record], i: usize, window: Window) {
    let column = |aggregate: &str| format!("{}_{aggregate}", window.name);
    let members = members(records, i, window);
    let values: Vec<f64> = members.iter().filter_map(|j| records[*j].value).collect();
    let context = || format!("{} at {i}: {values:?} of {records:?}", window.name);
    assert_eq!(
        count(out, &column("count"), i),
        i64::try_from(values.len()).unwrap(),
        "{}",
        context()
    );
    let earlier = members.iter().rev().find(|j| **j != i).map(|j| records[*j].time);
    let since = earlier.map(|time| (records[i].time - time) as f64 / 1e6);
    assert_eq!(float(out, &column("time_since_last"), i), since, "{}", context());
    let scale = values.iter().fold(0.0_f64, |a, v| a.max(v.abs())) * values.len() as f64;
    let (sum, mean, std) = two_pass(&values);
    assert!(near(float(out, &column("sum"), i).unwrap(), sum, scale), "{}", context());
    let Some(first) = values.first() else {
        for aggregate in ["mean", "std", "min", "max", "first", "last"] {
            assert_eq!(float(out, &column(aggregate), i), None, "{}", context());
        }
        return;
    };
    assert!(near(float(out, &column("mean"), i).unwrap(), mean, scale), "{}", context());
    match float(out, &column("std"), i) {
        Some(got) => assert!(near(got, std, scale), "{got} {std} {}", context()),
        None => assert_eq!(values.len(), 1, "{}", context()),
    }
    let bits = |aggregate: &str| float(out, &column(aggregate), i).map(f64::to_bits);
    let canonical = |v: &f64| if v.is_nan() { f64::NAN.abs() } else { *v }.to_bits();
    let order = |a: &&f64, b: &&f64| a.is_nan().cmp(&b.is_nan()).then_with(|| a.total_cmp(b));
    assert_eq!(bits("first"), Some(canonical(first)), "{}", context());
    assert_eq!(bits("last"), values.last().map(canonical), "{}", context());
    assert_eq!(bits("min"), values.iter().min_by(order).map(canonical), "{}", context());
    assert_eq!(bits("max"), values.iter().max_by(order).map(canonical), "{}", context());
}

pub(super) const CLOSED: [(&str, bool, bool); 4] =
    [("right", false, true), ("both", true, true), ("left", true, false), ("none", false, false)];

/// Windows of all ends over the same column, long and short, filtered or not.
fn windows(overs: &[(&'static str, Over)], filtered: bool) -> (Windows, Vec<Window>) {
    let mut specs = Vec::new();
    let mut all = Vec::new();
    for (text, over) in overs {
        for (closed, left, right) in CLOSED {
            let name: &'static str = format!("{closed}_{}", text.replace(' ', "_")).leak();
            let condition = if filtered { "where: flag, " } else { "" };
            let computed =
                AGGREGATE_NAMES.map(|aggregate| format!("{aggregate}: {name}_{aggregate}"));
            let computed = computed.join(", ");
            specs.push(format!(
                "- {{ over: {text}, of: x, closed: {closed}, {condition}compute: {{ {computed} }} }}"
            ));
            let without_own = false;
            all.push(Window { name, over: *over, left, right, filtered, without_own });
        }
    }
    (build(&specs.join("\n")), all)
}

const AGGREGATE_NAMES: [&str; 9] =
    ["count", "sum", "mean", "std", "min", "max", "first", "last", "time_since_last"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn time_windows_equal_their_definition(
        records in streams(350, 25),
        filtered in any::<bool>(),
    ) {
        let overs = [("1us", Over::Time(1)), ("17us", Over::Time(17)), ("300us", Over::Time(300))];
        let (mut engine, all) = windows(&overs, filtered);
        let out = run(&mut engine, &records, 25, &[]).remove(0);
        for window in all {
            (0..records.len()).for_each(|i| check(&out, &records, i, window));
        }
    }

    #[test]
    fn rows_windows_equal_their_definition(
        records in streams(350, 25),
        filtered in any::<bool>(),
    ) {
        let overs = [
            ("1 rows", Over::Rows(1)),
            ("20 rows", Over::Rows(20)),
            ("110 rows", Over::Rows(110)),
            // Beside rows: the same lane then keeps records without a value too.
            ("40us", Over::Time(40)),
        ];
        let (mut engine, all) = windows(&overs, filtered);
        let out = run(&mut engine, &records, 25, &[]).remove(0);
        for window in all {
            (0..records.len()).for_each(|i| check(&out, &records, i, window));
        }
    }
}

/// Shapes beside the plain ones: keys, shape, whether the record itself is left out.
const OTHERS: [(&str, Over, bool); 9] = [
    ("over: 17us, delay: 9us", Over::Delayed(17, 9), false),
    ("over: 40us, delay: 200us", Over::Delayed(40, 200), false),
    ("over: 40us, exclude_current: true", Over::Time(40), true),
    ("tumbling: 20us", Over::Tumbling(20, 0, false), false),
    ("tumbling: 20us, offset: 7us, exclude_current: true", Over::Tumbling(20, 7, false), true),
    ("tumbling: 33us, offset: 7us, part: previous", Over::Tumbling(33, 7, true), false),
    ("session: 2us, within: 50us", Over::Session(2, 50, false), false),
    ("session: 2us, within: 90us, part: previous", Over::Session(2, 90, true), false),
    ("session: 3us, within: 300us, exclude_current: true", Over::Session(3, 300, false), true),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn other_shapes_equal_their_definition(
        records in streams(350, 25),
        filtered in any::<bool>(),
        beside_rows in any::<bool>(),
    ) {
        // An engine each: beside others a lane would keep what they need.
        for (keys, over, without_own) in OTHERS {
            let condition = if filtered { "where: flag, " } else { "" };
            let computed = AGGREGATE_NAMES.map(|aggregate| format!("{aggregate}: w_{aggregate}"));
            let computed = computed.join(", ");
            let spec = format!("- {{ {keys}, of: x, {condition}compute: {{ {computed} }} }}");
            // The lane then keeps records without a value too.
            let rows = format!("- {{ over: 3 rows, of: x, {condition}compute: [sum] }}");
            let mut engine = build(&[spec, if beside_rows { rows } else { String::new() }].join("\n"));
            let out = run(&mut engine, &records, 25, &[]).remove(0);
            let window = Window { name: "w", over, left: false, right: true, filtered, without_own };
            (0..records.len()).for_each(|i| check(&out, &records, i, window));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn texts_equal_their_definition(records in streams(350, 25)) {
        let mut engine = build("[{ over: 60us, of: text, compute: [count, first, last] }]");
        let out = run(&mut engine, &records, 25, &[]).remove(0);
        let text = |name: &str, i: usize| {
            let column = out.column_by_name(name).unwrap().as_string::<i32>();
            column.is_valid(i).then(|| column.value(i).to_owned())
        };
        // The same window over records whose value is null where the text is.
        let marked: Vec<Record> = records
            .iter()
            .map(|r| Record { value: r.text.map(|_| 0.0), ..r.clone() })
            .collect();
        let (left, right, filtered, without_own) = (false, true, false, false);
        let window = Window { name: "", over: Over::Time(60), left, right, filtered, without_own };
        for i in 0..records.len() {
            let members = members(&marked, i, window);
            let at = |j: Option<&usize>| j.and_then(|j| records[*j].text).map(str::to_owned);
            assert_eq!(usize::try_from(count(&out, "text_count_60us", i)).unwrap(), members.len());
            assert_eq!(text("text_first_60us", i), at(members.first()));
            assert_eq!(text("text_last_60us", i), at(members.last()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    /// Enough events of a key for several nodes, heavy disorder, checked at some rows.
    #[test]
    fn long_windows_equal_their_definition(seed in streams(60, 200), stride in 1..7_i64) {
        let records: Vec<Record> = (0..9_000_i64)
            .map(|i| {
                let like = &seed[usize::try_from(i * stride).unwrap() % seed.len()];
                let behind = (i * 7_919 * stride) % 1_500;
                Record { slot: 0, time: 10_000 + i - behind, ..like.clone() }
            })
            .collect();
        let overs = [("5ms", Over::Time(5_000)), ("4321 rows", Over::Rows(4_321))];
        let (mut engine, all) = windows(&overs, false);
        let out = run(&mut engine, &records, 1_500, &[]).remove(0);
        for window in all {
            (0..records.len()).step_by(487).for_each(|i| check(&out, &records, i, window));
        }
    }
}
