//! Categories: declared ones against a condition of their own, maps against declared ones.

use super::*;
use arrow::{array::MapArray, compute::cast};
use std::collections::BTreeMap;

const CATEGORIES: [&str; 3] = ["a", "bb", ""];

const SHAPES: [&str; 7] = [
    "over: 60us",
    "over: 40us, closed: none",
    "over: 9 rows",
    "over: 40us, delay: 9us",
    "tumbling: 33us, part: previous",
    "session: 2us, within: 90us",
    "over: 300us, exclude_current: true, min_count: 2",
];

const COMPUTED: [&str; 16] = [
    "count",
    "sum",
    "mean",
    "std",
    "min",
    "max",
    "first",
    "last",
    "zscore",
    "time_since_last",
    "median",
    "lag",
    "rank",
    "distinct",
    "count_null",
    "gap_mean",
];

/// A window of that shape by what `keys` says, and what it computes beside the list.
fn spec(shape: &str, keys: &str, computed: &[&str], more: &str) -> String {
    format!("- {{ {shape}, of: x, {keys}, compute: [{}, {more}] }}", computed.join(", "))
}

fn map(out: &RecordBatch, name: &str) -> MapArray {
    out.column_by_name(name).unwrap().as_map().clone()
}

/// The numbers of a map, by category.
fn numbers(map: &MapArray, row: usize) -> BTreeMap<String, Option<f64>> {
    let entries = map.value(row);
    let keys = entries.column(0).as_string::<i32>().iter().flatten().map(str::to_owned);
    let keys: Vec<String> = keys.collect();
    assert!(keys.is_sorted(), "{keys:?}");
    let values = cast(entries.column(1), &DataType::Float64).unwrap();
    keys.into_iter().zip(values.as_primitive::<Float64Type>()).collect()
}

/// Equal up to rounding, of values up to a thousand.
fn near(got: f64, expected: f64) -> bool {
    let scale = expected.abs().max(1e3);
    let both_have_left = !got.is_finite() && !expected.is_finite();
    got.to_bits() == expected.to_bits() || (got - expected).abs() <= 1e-11 * scale || both_have_left
}

/// The records without values of a size at which rounding shows.
fn moderate(records: Vec<Record>) -> Vec<Record> {
    let moderate = |v: f64| if v.is_finite() && v.abs() > 1e3 { v.signum() * 8.5 } else { v };
    let each = |r: Record| Record { value: r.value.map(moderate), ..r };
    records.into_iter().map(each).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_declared_category_is_a_condition(
        records in streams(200, 25),
        sizes in proptest::collection::vec(0..50_usize, 0..6),
        filtered in any::<bool>(),
    ) {
        for (number, shape) in SHAPES.into_iter().enumerate() {
            let more = "corr: { with: flag }, share: { where: \"x > 0\" }, list: { max: 3 }";
            let and = if filtered { "where: flag, " } else { "" };
            let by = format!("{and}by: {{ column: text, values: [a, bb, \"\"] }}");
            let mut engine = build(&spec(shape, &by, &COMPUTED, more));
            let got = run(&mut engine, &records, 25, &sizes);
            let got = arrow::compute::concat_batches(&engine.schema(), &got).unwrap();
            for (place, category) in CATEGORIES.into_iter().enumerate() {
                let held = if filtered { "flag and " } else { "" };
                let condition = format!("where: \"{held}text = '{category}'\"");
                let mut plain = build(&spec(shape, &condition, &COMPUTED, more));
                let expected = run(&mut plain, &records, 25, &[]).remove(0);
                for (at, column) in expected.columns().iter().enumerate().skip(3) {
                    let got = got.column(3 + (at - 3) * CATEGORIES.len() + place);
                    let name = got.data_type();
                    prop_assert_eq!(
                        bits(got).to_data(), bits(column).to_data(), "{} {} {}", number, at, name
                    );
                }
            }
        }
    }

    #[test]
    fn a_map_holds_what_the_declared_categories_do(
        records in streams(150, 25).prop_map(moderate),
        sizes in proptest::collection::vec(0..50_usize, 0..6),
    ) {
        // In a map a session is one of all categories.
        for shape in SHAPES.into_iter().filter(|shape| !shape.starts_with("session")) {
            let more = "share: { where: \"x > 0\" }";
            let listed = "by: { column: text, values: [a, bb, \"\"] }";
            let mut declared = build(&spec(shape, listed, &COMPUTED, more));
            let mut engine =
                build(&spec(shape, "by: { column: text, max: 9 }", &COMPUTED, more));
            let expected = run(&mut declared, &records, 25, &[]).remove(0);
            let got = run(&mut engine, &records, 25, &sizes);
            let got = arrow::compute::concat_batches(&engine.schema(), &got).unwrap();
            for (at, aggregate) in COMPUTED.iter().chain(&["share"]).enumerate() {
                let column = got.column(3 + at).as_map();
                let first = 3 + at * CATEGORIES.len();
                let declared = CATEGORIES.len();
                let expected = &expected.columns()[first..first + declared];
                for row in 0..records.len() {
                    assert_same(aggregate, &numbers(column, row), expected, row);
                }
            }
        }
    }
}

/// What a map holds at a row against the columns of the declared categories.
fn assert_same(
    aggregate: &str,
    held: &BTreeMap<String, Option<f64>>,
    declared: &[ArrayRef],
    row: usize,
) {
    for (category, column) in CATEGORIES.into_iter().zip(declared) {
        let column = cast(column, &DataType::Float64).unwrap();
        let column = column.as_primitive::<Float64Type>();
        let expected = column.is_valid(row).then(|| column.value(row));
        let got = held.get(category).copied();
        let same = match (got, expected) {
            // No entry: no value, or none that is counted.
            (None | Some(None), None) => true,
            // Of a value that is in no window there is a rank all the same.
            (None, Some(expected)) => expected == 0.0 || aggregate == "rank",
            (Some(Some(got)), Some(expected)) => near(got, expected),
            (Some(got), expected) => got == expected,
        };
        assert!(same, "{aggregate} at {row}: {got:?} {expected:?} of {category:?}");
    }
}

#[test]
fn a_map_keeps_the_most_frequent_categories_and_sorts_them() {
    let texts = ["d", "b", "b", "c", "a", "c", "a"];
    let records: Vec<Record> = (0..)
        .zip(texts)
        .map(|(time, text)| Record { text: Some(text), ..Record::new(0, time, 1.0) })
        .collect();
    let mut windows = build("[{ over: 1s, by: { column: text, max: 2 }, compute: [count] }]");
    let out = run(&mut windows, &records, 0, &[]).remove(0);
    let column = map(&out, "count_1s_by_text");
    let held = |row: usize| {
        let entries = numbers(&column, row).into_iter();
        entries.map(|(key, value)| format!("{key} {}", value.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(held(0), ["d 1"]);
    assert_eq!(held(2), ["b 2", "d 1"]);
    // `c` and `d` are equally frequent.
    assert_eq!(held(3), ["b 2", "c 1"]);
    assert_eq!(held(6), ["a 2", "b 2"]);
}

#[test]
fn texts_are_values_of_a_map_too_and_a_window_without_events_is_an_empty_one() {
    let records = [
        Record { text: Some("a"), ..Record::new(0, 10, 1.0) },
        Record { text: None, ..Record::new(0, 11, 2.0) },
        Record { text: Some("b"), ..Record::new(0, 100, None) },
    ];
    let mut windows = build(
        "- { over: 20us, of: text, by: { column: text, max: 5 }, compute: [first, mode, count] }\n\
         - { over: 20us, of: x, by: { column: text, max: 5 }, compute: { mean: named } }",
    );
    let out = run(&mut windows, &records, 0, &[]).remove(0);
    for name in ["text_first_20us_by_text", "text_mode_20us_by_text"] {
        let column = map(&out, name);
        let texts = |row: usize| {
            column.value(row).column(1).as_string::<i32>().iter().flatten().collect::<String>()
        };
        assert_eq!([texts(0), texts(1), texts(2)], ["a", "a", "b"], "{name}");
    }
    let named = map(&out, "named");
    assert_eq!((named.null_count(), named.value_length(1), named.value_length(2)), (0, 1, 0));
}
