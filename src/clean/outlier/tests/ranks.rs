//! Order statistics against a fresh computation that sorts.

use super::{OVER, histories};
use crate::clean::testing::{self, Row, advance_both_ways};
use arrow::{array::AsArray, datatypes::Float64Type};
use proptest::prelude::*;

/// The quantile of sorted values, by its definition.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let at = |place: f64| (0..).zip(sorted).find(|(i, _)| f64::from(*i) >= place).unwrap().1;
    let (low, high) = (*at(place.floor()), *at(place.ceil()));
    let same = low.to_bits() == high.to_bits();
    if same { low } else { low * (1.0 - place.fract()) + high * place.fract() }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The values that row `at` is judged by.
fn before(rows: &[Row<'_>], at: usize, per_key: bool, include_self: bool) -> Vec<f64> {
    let own = &rows[at];
    let after = own.time.max(own.watermark) - OVER;
    let before = rows[..at + usize::from(include_self)]
        .iter()
        .filter(|r| !per_key || r.slot == own.slot)
        .filter(|r| after < r.time && r.time <= own.time);
    sorted(before.filter_map(|r| r.amount).filter(|x| !x.is_nan()).collect())
}

/// Lowest and highest value that is no outlier, where there is a spread.
fn fences(method: &str, sorted: &[f64]) -> Option<[f64; 2]> {
    match method {
        "method: modified_zscore" => {
            let median = quantile(sorted, 0.5);
            let off = self::sorted(sorted.iter().map(|x| (x - median).abs()).collect());
            let reach = 3.5 / 0.6745 * quantile(&off, 0.5);
            (reach > 0.0).then_some([median - reach, median + reach])
        }
        "method: iqr, k: 0.5" => {
            let [q1, q3] = [0.25, 0.75].map(|q| quantile(sorted, q));
            (q3 > q1).then_some([q1 - 0.5 * (q3 - q1), q3 + 0.5 * (q3 - q1)])
        }
        "method: quantile, lower: 0.1, upper: 0.8" => {
            let [low, high] = [0.1, 0.8].map(|q| quantile(sorted, q));
            (high > low).then_some([low, high])
        }
        "method: quantile, upper: 0.9" => {
            let [least, high] = [0.0, 0.9].map(|q| quantile(sorted, q));
            (high > least).then_some([f64::NEG_INFINITY, high])
        }
        other => panic!("{other}"),
    }
}

const METHODS: [&str; 4] = [
    "method: modified_zscore",
    "method: iqr, k: 0.5",
    "method: quantile, lower: 0.1, upper: 0.8",
    "method: quantile, upper: 0.9",
];

proptest! {
    #[test]
    fn outliers_go_to_the_limit_that_a_fresh_computation_finds(
        rows in histories(), per_key in any::<bool>(), include_self in any::<bool>(),
        method in prop::sample::select(&METHODS[..]),
        cuts in prop::collection::vec(1usize..9, 1..4),
    ) {
        let per = if per_key { "key" } else { "partition" };
        let options = format!(
            "{{ column: amount, {method}, over: {OVER}us, min_count: 3, per: {per}, \
             include_self: {include_self}, action: clip }}"
        );
        let (judged, _) = advance_both_ways("outlier", &options, &testing::rows(&rows), &cuts);
        let flags = judged.columns["amount_is_outlier"].as_boolean();
        let clipped = judged.columns["amount"].as_primitive::<Float64Type>();
        for (i, row) in rows.iter().enumerate() {
            let values = before(&rows, i, per_key, include_self);
            let fences = if values.len() >= 3 { fences(method, &values) } else { None };
            let expected = row.amount.map(|x| fences.map_or(x, |[low, high]| x.clamp(low, high)));
            let found = clipped.iter().nth(i).flatten();
            prop_assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "row {}", i);
            let moved = row.amount.zip(expected).is_some_and(|(x, y)| x.to_bits() != y.to_bits() && !x.is_nan());
            prop_assert_eq!(flags.value(i), moved, "row {}", i);
        }
    }
}

fn flagged(options: &str, amounts: &[f64]) -> Vec<bool> {
    let rows: Vec<Row<'_>> = (0..)
        .zip(amounts)
        .map(|(time, amount)| Row { time, amount: Some(*amount), ..Row::default() })
        .collect();
    let (rows, _) = advance_both_ways("outlier", options, &testing::rows(&rows), &[3]);
    rows.columns["amount_is_outlier"].as_boolean().iter().flatten().collect()
}

#[test]
fn infinity_counts_in_an_order_and_nan_does_not() {
    let options = "{ column: amount, method: iqr, over: 1s, min_count: 4 }";
    let values = [1.0, f64::NAN, 2.0, 3.0, f64::INFINITY, 4.0, 5.0, 30.0];
    let expected = [false, false, false, false, false, false, false, true];
    assert_eq!(flagged(options, &values), expected, "a NaN is not counted by `min_count`");
    let infinite = [f64::INFINITY, f64::NEG_INFINITY, 1.0, f64::INFINITY, f64::NEG_INFINITY, 9.0];
    assert_eq!(flagged(options, &infinite), [false; 6], "the spread has to be finite");
}

#[test]
fn half_the_values_may_be_far_off() {
    let mut values: Vec<f64> = (0..30).map(|i| 10.0 + f64::from(i % 5)).collect();
    values.extend([1e6; 20]);
    values.push(17.0);
    let options = "{ column: amount, method: modified_zscore, over: 1s }";
    assert!(flagged(options, &values)[30..50].iter().all(|flag| *flag), "one hides no other");
}
