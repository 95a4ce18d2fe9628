mod previous;
mod ranks;

use crate::{
    batch::{Policy, Reason},
    clean::testing::{self, Row, advance_both_ways},
    state::Horizon,
};
use arrow::{
    array::{Array, AsArray},
    datatypes::{Float64Type, Int64Type},
};
use proptest::prelude::*;

const OVER: i64 = 20;
const THRESHOLD: f64 = 1.5;

/// Mean and standard deviation of what a fresh computation finds before row `at`.
fn statistics(rows: &[Row<'_>], at: usize, per_key: bool, include_self: bool) -> (usize, f64, f64) {
    let own = &rows[at];
    // For a late record: its own window, as far as the watermark has left it.
    let after = own.time.max(own.watermark) - OVER;
    let values: Vec<f64> = rows[..at + usize::from(include_self)]
        .iter()
        .filter(|r| !per_key || r.slot == own.slot)
        .filter(|r| after < r.time && r.time <= own.time)
        .filter_map(|r| r.amount)
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (values.len(), mean, variance.sqrt())
}

fn histories() -> impl Strategy<Value = Vec<Row<'static>>> {
    // Multiples of a quarter: sums are exact, and no comparison hangs on rounding.
    let value = prop::option::weighted(
        0.9,
        prop_oneof![
            8 => (0i32..12).prop_map(|q| f64::from(q) / 4.0),
            1 => Just(400.0),
            1 => Just(f64::NAN),
        ],
    );
    prop::collection::vec((-8i64..15, 0u32..2, value, 0i64..4), 1..100).prop_map(|steps| {
        let mut watermark = 0;
        let row = |(ahead, slot, amount, step): (i64, u32, Option<f64>, i64)| {
            watermark += step;
            Row { time: watermark + ahead, watermark, slot, amount, ..Row::default() }
        };
        steps.into_iter().map(row).collect()
    })
}

proptest! {
    #[test]
    fn flags_are_those_of_a_fresh_computation(
        rows in histories(), per_key in any::<bool>(), include_self in any::<bool>(),
        cuts in prop::collection::vec(1usize..9, 1..4),
    ) {
        let per = if per_key { "key" } else { "partition" };
        let options = format!(
            "{{ column: amount, method: zscore, over: {OVER}us, threshold: {THRESHOLD}, \
             min_count: 3, per: {per}, include_self: {include_self} }}"
        );
        let (judged, _) = advance_both_ways("outlier", &options, &testing::rows(&rows), &cuts);
        let flags = judged.columns["amount_is_outlier"].as_boolean();
        prop_assert_eq!(flags.null_count(), 0);
        for (i, row) in rows.iter().enumerate() {
            let (count, mean, std) = statistics(&rows, i, per_key, include_self);
            let expected = row.amount.is_some_and(|x| {
                count >= 3 && std > 0.0 && (x - mean).abs() / std > THRESHOLD
            });
            prop_assert_eq!(flags.value(i), expected, "row {}", i);
        }
    }
}

/// Twenty values around 10, then one far away, then one of the old kind.
fn spiked() -> Vec<Row<'static>> {
    let mut amounts: Vec<f64> = (0..20).map(|i| 9.0 + f64::from(i % 3)).collect();
    amounts.extend([100.0, 10.0]);
    let row = |(time, amount)| Row { time, amount: Some(amount), ..Row::default() };
    (0..).zip(amounts).map(row).collect()
}

const ZSCORE: &str = "column: amount, method: zscore, over: 1h, threshold: 4";

#[test]
fn actions_do_what_they_say() {
    let rows = testing::rows(&spiked());
    let run = |action: &str| {
        advance_both_ways("outlier", &format!("{{ {ZSCORE}, action: {action} }}"), &rows, &[7])
    };
    let amount = |action: &str, row: usize| {
        let (rows, _) = run(action);
        let amounts = rows.columns["amount"].as_primitive::<Float64Type>().clone();
        assert!(rows.columns["amount_is_outlier"].as_boolean().value(20));
        amounts.is_valid(row).then(|| amounts.value(row))
    };
    assert_eq!(amount("flag", 20), Some(100.0));
    assert_eq!(amount("null", 20), None);
    let clipped = amount("clip", 20).unwrap();
    assert!((13.0..13.5).contains(&clipped), "{clipped}");
    for (action, policy) in [("drop", Some(Policy::Drop)), ("reject", None)] {
        let (kept, rejected) = run(action);
        assert_eq!(kept.len(), 21);
        assert_eq!((rejected[0].record, rejected[0].policy), (20, policy));
        assert_eq!(rejected[0].reason, Reason::Outlier);
        assert_eq!(
            rejected[0].detail,
            "column `amount` lies over 4 standard deviations from the mean of 1h"
        );
    }
}

#[test]
fn a_new_level_is_an_outlier_only_for_a_while() {
    let mut rows = spiked();
    let next = |time| Row { time, amount: Some(100.0 + (time % 2) as f64), ..Row::default() };
    rows.extend((22..120).map(next));
    let options = "{ column: amount, method: zscore, over: 30us, threshold: 3, action: reject }";
    let (kept, rejected) = advance_both_ways("outlier", options, &testing::rows(&rows), &[5]);
    assert!(!rejected.is_empty());
    let tail = kept.records.iter().filter(|record| **record >= 60).count();
    assert_eq!(tail, 60, "after a window of the new level nothing is rejected");
}

#[test]
fn a_constant_history_judges_nothing() {
    let row = |(time, amount)| Row { time, amount: Some(amount), ..Row::default() };
    let mut rows: Vec<Row<'_>> = (0..30).map(|time| row((time, 0.1))).collect();
    rows.push(row((30, 1e9)));
    let options = format!("{{ {ZSCORE} }}");
    let (judged, _) = advance_both_ways("outlier", &options, &testing::rows(&rows), &[4]);
    assert_eq!(judged.columns["amount_is_outlier"].as_boolean().true_count(), 0);
}

#[test]
fn a_range_is_inclusive_and_works_on_integers() {
    let values = [Some(0), Some(1), Some(5), Some(6), None];
    let rows = values.map(|items| Row { items, ..Row::default() });
    let options = "{ column: items, method: range, min: 1, max: 5, action: clip, name: odd }";
    let (rows, _) = advance_both_ways("outlier", options, &testing::rows(&rows), &[2]);
    let flags: Vec<_> = rows.columns["odd"].as_boolean().iter().flatten().collect();
    assert_eq!(flags, [true, false, false, true, false]);
    let clipped: Vec<_> = rows.columns["items"].as_primitive::<Int64Type>().iter().collect();
    assert_eq!(clipped, [Some(1), Some(1), Some(5), Some(5), None]);
}

#[test]
fn memory_follows_the_watermark_and_the_keys() {
    let options = format!("{{ {ZSCORE} }}").replace("1h", "50us");
    let mut clean = testing::build("outlier", &options).unwrap();
    let row = |time: i64| Row {
        time,
        watermark: time,
        slot: u32::try_from(time % 2).unwrap(),
        amount: Some(1.0),
        ..Row::default()
    };
    let rows: Vec<Row<'_>> = (0..1000).map(row).collect();
    clean.advance(testing::rows(&rows), &mut crate::batch::Rejections::default());
    assert_eq!(clean.state_bytes(), 50 * 16);
    assert_eq!(clean.horizon(), Horizon::For(50));
    clean.forget(0);
    clean.forget(7);
    assert_eq!(clean.state_bytes(), 25 * 16);
}

#[test]
fn mistakes_say_where_and_what() {
    let problem = |options: &str| testing::build("outlier", options).unwrap_err().to_string();
    assert_eq!(
        problem("{ column: amount, method: range, min: 1, over: 1h }"),
        "1:42: key `over` does not belong to method `range`"
    );
    assert_eq!(
        problem("{ column: amount, method: zscore, over: 0s, threshold: 3 }"),
        "1:41: wrong value: 0; expected a duration above 0: no value lies in an empty window"
    );
    assert_eq!(
        problem("{ column: amount, method: zscore, over: 1h }"),
        "1:1: missing key `threshold`"
    );
    assert_eq!(
        problem("{ column: amount, method: zscore, over: 1h, threshold: 3, min_count: 1 }"),
        "1:70: wrong value: 1; expected at least 2: one value has no spread"
    );
    assert_eq!(
        problem("{ column: amount, method: zscore, over: 1h, threshold: -3 }"),
        "1:56: wrong value: -3; expected a positive number"
    );
    assert_eq!(
        problem("{ column: amount, method: quantile, over: 1h }"),
        "1:1: no limit; expected `lower`, `upper` or both"
    );
    assert_eq!(
        problem("{ column: amount, method: quantile, over: 1h, lower: 0.9, upper: 0.1 }"),
        "1:66: `upper` 0.1 is not above `lower` 0.9"
    );
    assert_eq!(
        problem("{ column: amount, method: quantile, over: 1h, upper: 99 }"),
        "1:54: wrong value: 99; expected a share from 0 to 1"
    );
    assert_eq!(
        problem("{ column: amount, method: iqr, over: 1h, threshold: 2 }"),
        "1:42: key `threshold` does not belong to method `iqr`"
    );
    assert_eq!(
        problem("{ column: amount, method: rate_of_change, max_per_second: 0 }"),
        "1:59: wrong value: 0; expected a positive number"
    );
    assert_eq!(
        problem("{ column: amount, method: stuck, count: 1 }"),
        "1:41: wrong value: 1; expected at least 2: one value is no repetition"
    );
    assert_eq!(
        problem("{ column: amount, method: stuck, count: 5, action: clip }"),
        "1:52: a value that is stuck has no limit to be clipped to; expected another action"
    );
    assert_eq!(
        problem("{ column: category, method: range, min: 1 }"),
        "1:11: column `category` is a string; expected an integer or number column"
    );
}
