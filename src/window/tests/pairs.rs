//! Aggregates of two columns, of nulls and of conditions, against a look at every earlier record.

use super::{
    naive::{CLOSED, Over, Window, members},
    *,
};
use crate::state::snapshot;

const OVERS: [(&str, Over); 3] =
    [("17us", Over::Time(17)), ("300us", Over::Time(300)), ("20 rows", Over::Rows(20))];

const COMPUTED: [&str; 9] = [
    "corr: { with: flag",
    "cov: { with: flag",
    "weighted_mean: { weights: flag",
    "argmin: { value: text",
    "argmax: { value: x",
    "count_null: { ",
    "share: { where: \"x > 0\"",
    "count: { ",
    "sum: { ",
];

/// Every one over windows of all ends, beside aggregates of the column itself.
fn windows(filtered: bool, with_rows: bool) -> (Windows, Vec<Window>) {
    let (mut specs, mut all) = (Vec::new(), Vec::new());
    let overs = if with_rows { &OVERS[..] } else { &OVERS[..2] };
    for (text, over) in overs.iter().copied() {
        for (closed, left, right) in CLOSED {
            let name: &'static str = format!("{closed}_{}", text.replace(' ', "_")).leak();
            let condition = if filtered { "where: flag, " } else { "" };
            let computed = COMPUTED.map(|options| {
                let (aggregate, rest) = options.split_once(':').unwrap();
                let comma = if rest.ends_with(' ') { "" } else { ", " };
                format!("{aggregate}:{rest}{comma}as: {name}_{aggregate} }}")
            });
            let computed = computed.join(", ");
            specs.push(format!(
                "- {{ over: {text}, of: x, closed: {closed}, {condition}compute: [{computed}] }}"
            ));
            all.push(Window { name, over, left, right, filtered, without_own: false });
        }
    }
    (build(&specs.join("\n")), all)
}

/// Records of which only those with what is asked for have a value.
fn marked(records: &[Record], has: impl Fn(&Record) -> bool) -> Vec<Record> {
    let mark = |r: &Record| Record { value: has(r).then_some(0.0), ..r.clone() };
    records.iter().map(mark).collect()
}

/// Means and sums of products of deviations, in the plain way.
fn products(points: &[(f64, f64)]) -> (f64, f64, f64) {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    (
        sum(&|p| (p.0 - x) * (p.0 - x)),
        sum(&|p| (p.1 - y) * (p.1 - y)),
        sum(&|p| (p.0 - x) * (p.1 - y)),
    )
}

/// Equal up to rounding on the scale of the values; what has left the numbers may do so elsewhere.
fn assert_near(got: Option<f64>, expected: Option<f64>, scale: f64, context: &str) {
    let near = match (got, expected) {
        (Some(got), Some(expected)) => {
            got.is_nan() && expected.is_nan()
                || got.to_bits() == expected.to_bits()
                || (got - expected).abs() <= 1e-11 * scale
                || scale > 1e150
        }
        (got, expected) => got.is_none() && expected.is_none() || scale > 1e150,
    };
    assert!(near, "{got:?} {expected:?} {context}");
}

fn check(out: &RecordBatch, records: &[Record], i: usize, window: Window) {
    let name = |aggregate: &str| format!("{}_{aggregate}", window.name);
    let with_flag = marked(records, |r| r.value.is_some() && r.flag.is_some());
    let members_with_flag = members(&with_flag, i, window);
    let points: Vec<(f64, f64)> = members_with_flag
        .iter()
        .map(|j| (records[*j].value.unwrap(), f64::from(u8::from(records[*j].flag.unwrap()))))
        .collect();
    let context = format!("{} at {i}: {points:?}", window.name);
    let scale = points.iter().fold(0.0_f64, |scale, (x, _)| scale.max(x.abs()));
    let scale = if scale.is_finite() { scale } else { 1e9 };
    let got = |aggregate: &str| float(out, &name(aggregate), i);

    let (squares, squares_beside, both) = products(&points);
    let n = points.len() as f64;
    assert_near(got("cov"), (n > 1.0).then(|| both / (n - 1.0)), scale, &context);
    let varies = |of: fn(&(f64, f64)) -> f64| {
        let first = points.first().map(of);
        // Equal infinities have no difference of 0.
        let differs = |v: f64, first: f64| !v.is_finite() || v.to_bits() != first.to_bits();
        points.iter().any(|p| first.is_none_or(|first| differs(of(p), first)))
    };
    // Small differences beside large values vanish in the plain way: what is left is no number.
    let is_told = scale < 1e12 || squares.is_nan() || squares.sqrt() * 1e3 >= scale;
    if is_told {
        // Deviations whose squares are 0, as those of 1e-200 are, count as none.
        let spreads = squares != 0.0 && squares_beside != 0.0;
        let corr = (spreads && varies(|p| p.0 + 0.0) && varies(|p| p.1))
            .then(|| both / (squares * squares_beside).sqrt());
        assert_near(got("corr"), corr, 10.0, &context);
    }
    let weights: f64 = points.iter().map(|p| p.1).sum();
    let weighted = (weights > 0.0).then(|| points.iter().map(|p| p.0 * p.1).sum::<f64>() / weights);
    assert_near(got("weighted_mean"), weighted, scale * n.max(1.0), &context);

    let with_text = marked(records, |r| r.value.is_some() && r.text.is_some());
    let mut least: Option<usize> = None;
    for j in members(&with_text, i, window) {
        let before = |a: f64, b: f64| a < b || b.is_nan() && !a.is_nan();
        if least.is_none_or(|l| before(records[j].value.unwrap(), records[l].value.unwrap())) {
            least = Some(j);
        }
    }
    let texts = out.column_by_name(&name("argmin")).unwrap().as_string::<i32>();
    let text = texts.is_valid(i).then(|| texts.value(i));
    assert_eq!(text, least.and_then(|j| records[j].text), "{context}");

    let values: Vec<f64> =
        members(records, i, window).iter().map(|j| records[*j].value.unwrap()).collect();
    let greatest = values
        .iter()
        .copied()
        .reduce(|a, b| if b > a || b.is_nan() && !a.is_nan() { b } else { a });
    let canonical = |v: f64| if v.is_nan() { f64::NAN.abs() } else { v }.to_bits();
    assert_eq!(got("argmax").map(canonical), greatest.map(canonical), "{context}");
    // In SQL NaN is greater than any number.
    let above = values.iter().filter(|v| **v > 0.0 || v.is_nan()).count();
    let share = (!values.is_empty()).then(|| above as f64 / values.len() as f64);
    assert_eq!(got("share"), share, "{context}");

    let rows = members(&marked(records, |_| true), i, window);
    let nulls = rows.iter().filter(|j| records[**j].value.is_none()).count();
    assert_eq!(usize::try_from(count(out, &name("count_null"), i)).unwrap(), nulls, "{context}");
    let held = usize::try_from(count(out, &name("count"), i)).unwrap();
    assert_eq!(held, values.len(), "{context}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn values_of_two_columns_equal_their_definition(
        records in streams(250, 25),
        filtered in any::<bool>(),
        with_rows in any::<bool>(),
    ) {
        let (mut engine, all) = windows(filtered, with_rows);
        let out = run(&mut engine, &records, 25, &[]).remove(0);
        for window in all {
            (0..records.len()).for_each(|i| check(&out, &records, i, window));
        }
    }

    #[test]
    fn restored_windows_of_two_columns_go_on_as_if_they_had_never_stopped(
        records in streams(300, 25),
        cut in 0..300_usize,
    ) {
        let (mut engine, _) = windows(false, true);
        let (before, after) = records.split_at(cut.min(records.len()));
        let mut highest = i64::MIN;
        engine.advance(rows(before, 0, &mut highest, 25), &mut Rejections::default());
        let (mut twin, _) = windows(false, true);
        for (lane, saved) in engine.capture().into_iter().enumerate() {
            let bytes = snapshot::testing::written(saved);
            let (_, sections) = snapshot::read(&bytes).unwrap();
            let section = sections.component(snapshot::testing::PART);
            twin.restore(lane, &section, 2).unwrap();
        }
        let go_on = |windows: &mut Windows| {
            let mut highest = highest;
            let rows = rows(after, before.len(), &mut highest, 25);
            let out = windows.advance(rows, &mut Rejections::default()).columns;
            let saved = windows.capture().into_iter().map(snapshot::testing::written);
            let bits: Vec<_> = out.columns().iter().map(|c| bits(c).to_data()).collect();
            (bits, saved.collect::<Vec<_>>(), windows.state_bytes())
        };
        prop_assert!(go_on(&mut engine) == go_on(&mut twin));
    }
}

#[test]
fn windows_over_the_same_two_columns_share_a_buffer_and_say_so() {
    let windows = build(
        "- { over: 1h, of: x, compute: [mean, corr: { with: flag }, argmax: { value: text }] }\n\
         - { over: 9h, of: x, compute: [max, cov: { with: flag }] }\n\
         - { over: 9h, of: x, where: flag, compute: [share: { where: \"x > 1\" }] }",
    );
    let said: Vec<String> = windows
        .describe()
        .into_iter()
        .map(|plan| {
            let (column, condition) = (plan.column.unwrap(), plan.condition.unwrap_or_default());
            format!("{} {column} {condition} {}", plan.lane.unwrap(), plan.computed[0].0)
        })
        .collect();
    let expected = [
        "0 x  x_mean_1h",
        "1 x with flag  x_corr_1h",
        "2 x with text  x_argmax_1h",
        "0 x  x_max_9h",
        "1 x with flag  x_cov_9h",
        "3 whether x > 1 flag and x is not null x_share_9h",
    ];
    assert_eq!(said, expected);
    let plans = windows.describe();
    assert!(plans[0].event_bytes <= 24 && plans[1].event_bytes <= 45, "{plans:?}");
    assert_eq!(plans[1].event_bytes, plans[0].event_bytes + crate::aggregate::Pairs::BYTES);
}
