//! Each method against its definition, over the whole history of each record.

use crate::clean::testing::{self, Row, advance_both_ways};
use arrow::{array::AsArray, datatypes::Float64Type};
use proptest::prelude::*;

fn histories() -> impl Strategy<Value = Vec<Row<'static>>> {
    let value = prop::option::weighted(
        0.9,
        prop_oneof![
            12 => (-40i32..40).prop_map(|q| f64::from(q) / 4.0),
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
        ],
    );
    prop::collection::vec((-12i64..25, 0u32..2, value, 0i64..6), 1..80).prop_map(|steps| {
        let mut watermark = 0;
        let row = |(ahead, slot, amount, step): (i64, u32, Option<f64>, i64)| {
            watermark += step;
            Row { time: watermark + ahead, watermark, slot, amount, ..Row::default() }
        };
        steps.into_iter().map(row).collect()
    })
}

/// The finite values up to row `at` of its key, by offset, since the last pause.
fn folded(rows: &[Row<'_>], at: usize, per_key: bool, within: i64) -> Vec<(i64, f64)> {
    let mut values: Vec<(i64, f64)> = Vec::new();
    for row in rows[..=at].iter().filter(|r| !per_key || r.slot == rows[at].slot) {
        let Some(x) = row.amount.filter(|x| x.is_finite()) else { continue };
        let newest = values.iter().map(|(time, _)| *time).max();
        if newest.is_some_and(|newest| row.time.max(row.watermark) > newest + within) {
            values.clear();
        }
        values.push((row.time, x));
    }
    values
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    low * 0.5 + high * 0.5
}

const WITHIN: i64 = 20;

/// What row `at` is smoothed to.
fn expected(method: usize, rows: &[Row<'_>], at: usize, per_key: bool) -> f64 {
    let all = folded(rows, at, per_key, if method < 2 { i64::MAX / 2 } else { WITHIN });
    let values: Vec<f64> = all.iter().map(|(_, x)| *x).collect();
    let own = &rows[at];
    // For a late record: its own window, as far as the watermark had left it.
    let after = own.time.max(own.watermark) - 15;
    let inside = |(time, x): &(i64, f64)| (after < *time && *time <= own.time).then_some(*x);
    let mut window: Vec<f64> = all[..all.len() - 1].iter().filter_map(inside).collect();
    window.extend(values.last());
    let last = &values[values.len().saturating_sub(4)..];
    match method {
        0 => mean(&window),
        1 => median(&window),
        2 => mean(last),
        3 => median(last),
        4 => values.iter().copied().reduce(|y, x| y + 0.3 * (x - y)).unwrap(),
        5 => {
            let weights =
                (0..values.len()).rev().map(|age| 0.7_f64.powi(i32::try_from(age).unwrap()));
            let (sum, total) = values
                .iter()
                .zip(weights)
                .fold((0.0, 0.0), |(sum, total), (x, w)| (sum + w * x, total + w));
            sum / total
        }
        6 => {
            let newest = all.iter().map(|(time, _)| *time).max().unwrap();
            let weight = |time: i64| 0.5_f64.powf((newest - time) as f64 / 8.0);
            let sum: f64 = all.iter().map(|(time, x)| weight(*time) * x).sum();
            sum / all.iter().map(|(time, _)| weight(*time)).sum::<f64>()
        }
        _ => {
            let (mut y, mut p) = (values[0], 4.0);
            for x in &values[1..] {
                let k = (p + 0.5) / (p + 0.5 + 4.0);
                (y, p) = (y + k * (x - y), (1.0 - k) * (p + 0.5));
            }
            y
        }
    }
}

const METHODS: [&str; 8] = [
    "method: mean, over: 15us",
    "method: median, over: 15us",
    "method: mean, over: 4 rows, within: 20us",
    "method: median, over: 4 rows, within: 20us",
    "method: exponential, alpha: 0.3, within: 20us",
    "method: exponential, alpha: 0.3, adjust: true, within: 20us",
    "method: exponential, half_life: 8us, within: 20us",
    "method: kalman, process_noise: 0.5, measurement_noise: 4, within: 20us",
];

proptest! {
    #[test]
    fn each_value_is_what_its_definition_says(
        rows in histories(), per_key in any::<bool>(), method in 0usize..8,
        cuts in prop::collection::vec(1usize..9, 1..4),
    ) {
        let per = if per_key { "key" } else { "partition" };
        let options = format!("{{ column: amount, {}, per: {per}, as: out }}", METHODS[method]);
        let (smoothed, _) = advance_both_ways("smooth", &options, &testing::rows(&rows), &cuts);
        let found = smoothed.columns["out"].as_primitive::<Float64Type>();
        for (i, (row, found)) in rows.iter().zip(found).enumerate() {
            match row.amount {
                Some(x) if x.is_finite() => {
                    let expected = expected(method, &rows, i, per_key);
                    let off = (found.unwrap() - expected).abs() / expected.abs().max(1.0);
                    prop_assert!(off < 1e-12, "row {}: {:?} {}", i, found, expected);
                }
                own => prop_assert_eq!(found.map(f64::to_bits), own.map(f64::to_bits)),
            }
        }
    }
}

#[test]
fn spans_and_half_lives_are_shares() {
    let rows = [Some(1.0), Some(2.0), Some(4.0)].map(|amount| Row { amount, ..Row::default() });
    let run = |how: &str| {
        let options = format!("{{ column: amount, method: exponential, {how} }}");
        let (rows, _) = advance_both_ways("smooth", &options, &testing::rows(&rows), &[1]);
        rows.columns["amount"].as_primitive::<Float64Type>().value(2)
    };
    let half = 1.5 + 0.5 * (4.0 - 1.5);
    for how in ["alpha: 0.5", "span: 3", "half_life: 1"] {
        assert!((run(how) - half).abs() < 1e-15, "{how}");
    }
}

#[test]
fn what_has_no_distance_begins_anew() {
    let rows =
        [Some(-1.7e308), Some(1.7e308), Some(3.0)].map(|amount| Row { amount, ..Row::default() });
    let options = "{ column: amount, method: exponential, alpha: 0.5 }";
    let (rows, _) = advance_both_ways("smooth", options, &testing::rows(&rows), &[2]);
    let found = rows.columns["amount"].as_primitive::<Float64Type>();
    assert!(found.iter().all(|x| x.is_some_and(f64::is_finite)), "{found:?}");
}

#[test]
fn memory_follows_what_is_kept() {
    let row = |time: i64| {
        let slot = u32::try_from(time % 3).unwrap();
        Row { time, watermark: time, slot, amount: Some(1.0), ..Row::default() }
    };
    let rows: Vec<Row<'_>> = (0..300).map(row).collect();
    for (options, bytes) in [
        ("method: mean, over: 30us", 30 * 16),
        ("method: median, over: 5 rows", 3 * 5 * 16 + 3 * 16),
        ("method: exponential, alpha: 0.1", 3 * 24),
        ("method: kalman, process_noise: 0, measurement_noise: 1", 3 * 24),
    ] {
        let mut clean =
            testing::build("smooth", &format!("{{ column: amount, {options} }}")).unwrap();
        clean.advance(testing::rows(&rows), &mut crate::batch::Rejections::default());
        assert_eq!(clean.state_bytes(), bytes, "{options}");
        clean.forget(1);
        clean.forget(9);
        assert_eq!(clean.state_bytes(), bytes / 3 * 2, "{options}");
    }
}

#[test]
fn mistakes_say_where_and_what() {
    let problem = |options: &str| {
        testing::build("smooth", &format!("{{ column: amount, {options} }}"))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        problem("method: mean, over: 0 rows"),
        "1:39: wrong value: 0 rows; expected 1 to 100000 rows"
    );
    assert_eq!(
        problem("method: mean, over: 1h, within: 1h"),
        "1:51: `within` beside a window by time; expected `within` with windows by rows only"
    );
    assert_eq!(
        problem("method: exponential"),
        "1:1: how fast it forgets is not said once; expected one of `alpha`, `span`, `half_life`"
    );
    assert_eq!(
        problem("method: exponential, alpha: 1.5"),
        "1:47: wrong value: 1.5; expected a share above 0, at most 1"
    );
    assert_eq!(problem("method: kalman, process_noise: 1"), "1:1: missing key `measurement_noise`");
    assert_eq!(
        problem("method: kalman, process_noise: 1, measurement_noise: 0"),
        "1:72: wrong value: 0; expected a variance above 0"
    );
    assert_eq!(
        problem("method: median, over: 3 rows, alpha: 1"),
        "1:49: key `alpha` does not belong to method `median`"
    );
}
