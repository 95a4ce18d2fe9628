//! Values against the one before, by a look at the whole history.

use crate::clean::testing::{self, Row, advance_both_ways};
use arrow::{array::AsArray, datatypes::Float64Type};
use proptest::prelude::*;

fn histories() -> impl Strategy<Value = Vec<Row<'static>>> {
    let value = prop::option::weighted(
        0.9,
        prop_oneof![
            12 => (0i32..4).prop_map(f64::from),
            1 => Just(-0.0),
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
        ],
    );
    let step = (-300_000i64..900_000, 0u32..2, value, 0i64..500_000);
    prop::collection::vec(step, 1..100).prop_map(|steps| {
        let mut watermark = 0;
        let row = |(ahead, slot, amount, step): (i64, u32, Option<f64>, i64)| {
            watermark += step;
            Row { time: watermark + ahead, watermark, slot, amount, ..Row::default() }
        };
        steps.into_iter().map(row).collect()
    })
}

/// True if a record at `row` looks at one of `time`.
fn is_near(time: i64, row: &Row<'_>, within: Option<i64>) -> bool {
    within.is_none_or(|within| {
        time >= row.time.max(row.watermark) - within && time - row.time <= within
    })
}

/// The rows before `at` whose values it is compared with, newest offset first.
fn before<'r>(
    rows: &'r [Row<'r>],
    at: usize,
    per_key: bool,
) -> impl Iterator<Item = (i64, f64)> + 'r {
    let own = rows[at].slot;
    rows[..at]
        .iter()
        .rev()
        .filter(move |r| !per_key || r.slot == own)
        .filter_map(|r| r.amount.map(|amount| (r.time, amount)))
}

/// How often the value of row `at` came in a row, the row itself included.
fn run(rows: &[Row<'_>], at: usize, per_key: bool, within: Option<i64>) -> usize {
    let Some(own) = rows[at].amount.filter(|x| !x.is_nan()) else { return 0 };
    let place = rows[..at]
        .iter()
        .rposition(|r| r.amount.is_some() && (!per_key || r.slot == rows[at].slot));
    match place {
        Some(place) if rows[place].amount == Some(own) => {
            let near = is_near(rows[place].time, &rows[at], within);
            if near { 1 + run(rows, place, per_key, within) } else { 1 }
        }
        _ => 1,
    }
}

proptest! {
    #[test]
    fn a_value_is_compared_with_the_one_before(
        rows in histories(), per_key in any::<bool>(),
        within in prop::option::of(200_000i64..2_000_000),
        cuts in prop::collection::vec(1usize..9, 1..4),
    ) {
        let per = if per_key { "key" } else { "partition" };
        let near = within.map_or(String::new(), |within| format!(", within: {within}us"));
        let batch = testing::rows(&rows);
        let options = format!(
            "{{ column: amount, method: rate_of_change, max_per_second: 2, per: {per}{near}, \
             action: clip }}"
        );
        let (judged, _) = advance_both_ways("outlier", &options, &batch, &cuts);
        let clipped = judged.columns["amount"].as_primitive::<Float64Type>();
        let options = format!("{{ column: amount, method: stuck, count: 3, per: {per}{near} }}");
        let (repeated, _) = advance_both_ways("outlier", &options, &batch, &cuts);
        let flags = repeated.columns["amount_is_outlier"].as_boolean();
        for (i, row) in rows.iter().enumerate() {
            let last = before(&rows, i, per_key).next();
            let last = last.filter(|(time, x)| is_near(*time, row, within) && x.is_finite());
            let expected = row.amount.map(|x| match last {
                Some((time, before)) if time != row.time && !x.is_nan() => {
                    let reach = 2.0 * ((row.time - time).abs() as f64 / 1e6);
                    let within_reach = (x - before).abs() / ((row.time - time).abs() as f64 / 1e6);
                    if within_reach > 2.0 { x.clamp(before - reach, before + reach) } else { x }
                }
                _ => x,
            });
            let found = clipped.iter().nth(i).flatten();
            let bits = |x: Option<f64>| x.map(|x| (x + 0.0).to_bits());
            prop_assert_eq!(bits(found), bits(expected), "row {}", i);
            prop_assert_eq!(flags.value(i), run(&rows, i, per_key, within) >= 3, "row {}", i);
        }
    }
}

#[test]
fn integers_are_compared_as_integers() {
    let near = 9_007_199_254_740_992;
    let rows =
        [near, near + 1, near, near + 1].map(|items| Row { items: Some(items), ..Row::default() });
    let options = "{ column: items, method: stuck, count: 2 }";
    let (rows, _) = advance_both_ways("outlier", options, &testing::rows(&rows), &[2]);
    assert_eq!(rows.columns["items_is_outlier"].as_boolean().true_count(), 0);
}

#[test]
fn a_null_does_not_end_a_row_of_equal_values() {
    let amounts = [Some(5.0), None, Some(5.0), None, Some(5.0), Some(5.0), Some(6.0), Some(5.0)];
    let rows = amounts.map(|amount| Row { amount, ..Row::default() });
    let options = "{ column: amount, method: stuck, count: 3, action: null }";
    let (rows, _) = advance_both_ways("outlier", options, &testing::rows(&rows), &[3]);
    let left: Vec<_> = rows.columns["amount"].as_primitive::<Float64Type>().iter().collect();
    assert_eq!(left, [Some(5.0), None, Some(5.0), None, None, None, Some(6.0), Some(5.0)]);
}
