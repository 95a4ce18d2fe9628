use crate::clean::testing::{self, Row, advance_both_ways};
use crate::state::Horizon;
use arrow::{
    array::{Array, AsArray},
    datatypes::{Float64Type, Int64Type},
};
use proptest::prelude::*;

const NAMES: [&str; 3] = ["grocery", "fuel", "a category with a long name"];

/// The newest value of the row's key as of the row, over the whole history before it.
///
/// A late record finds what the watermark has left: the newest value at or before it, not too old.
fn last<T: Copy>(
    rows: &[Row<'static>],
    at: usize,
    within: i64,
    value: impl Fn(&Row<'static>) -> Option<T>,
) -> Option<T> {
    let own = &rows[at];
    let until = own.time.max(own.watermark);
    let found = rows[..at]
        .iter()
        .filter(|r| r.slot == own.slot && until - within <= r.time && r.time <= until)
        .filter_map(|r| value(r).map(|v| (r.time, v)))
        .max_by_key(|(time, _)| *time);
    found.filter(|(time, _)| *time <= own.time).map(|(_, v)| v)
}

fn histories() -> impl Strategy<Value = Vec<Row<'static>>> {
    let value = prop::option::weighted(0.5, 0usize..3);
    prop::collection::vec((-12i64..30, 0u32..3, value, 0i64..6), 1..120).prop_map(|steps| {
        let mut watermark = 0;
        let row = |(ahead, slot, value, step): (i64, u32, Option<usize>, i64)| {
            watermark += step;
            Row {
                time: watermark + ahead,
                watermark,
                slot,
                amount: value.map(|v| v as f64 - 0.5),
                items: value.map(|v| i64::try_from(v).unwrap()),
                category: value.map(|v| NAMES[v]),
                refunded: value.map(|v| v == 0),
                ..Row::default()
            }
        };
        steps.into_iter().map(row).collect()
    })
}

proptest! {
    #[test]
    fn last_is_the_newest_value_as_of_the_record(
        rows in histories(),
        within in prop::sample::select(vec![8i64, 25, 1_000_000]),
        cuts in prop::collection::vec(1usize..9, 1..4),
    ) {
        let batch = testing::rows(&rows);
        let run = |column: &str, otherwise: &str| {
            let options =
                format!("{{ column: {column}, with: last, within: {within}us, else: {otherwise} }}");
            advance_both_ways("fill", &options, &batch, &cuts).0.columns
        };
        let (amounts, items) = (run("amount", "0"), run("items", "-7"));
        let (categories, refunds) = (run("category", "none"), run("refunded", "false"));
        for (i, row) in rows.iter().enumerate() {
            let amount = row.amount.or_else(|| last(&rows, i, within, |r| r.amount));
            let found = amounts["amount"].as_primitive::<Float64Type>().value(i);
            prop_assert_eq!(found.to_bits(), amount.unwrap_or(0.0).to_bits(), "row {}", i);
            let item = row.items.or_else(|| last(&rows, i, within, |r| r.items));
            let found = items["items"].as_primitive::<Int64Type>().value(i);
            prop_assert_eq!(found, item.unwrap_or(-7));
            let category = row.category.or_else(|| last(&rows, i, within, |r| r.category));
            let found = categories["category"].as_string::<i32>().value(i);
            prop_assert_eq!(found, category.unwrap_or("none"));
            let refund = row.refunded.or_else(|| last(&rows, i, within, |r| r.refunded));
            prop_assert_eq!(refunds["refunded"].as_boolean().value(i), refund.unwrap_or(false));
            let flag = amounts["amount_was_missing"].as_boolean();
            prop_assert_eq!(flag.value(i), row.amount.is_none());
        }
    }
}

#[test]
fn without_a_last_value_and_without_else_it_stays_null() {
    let rows = [Row::default(), Row { amount: Some(f64::NAN), ..Row::default() }, Row::default()];
    let options = "{ column: amount, with: last, name: gap }";
    let (rows, _) = advance_both_ways("fill", options, &testing::rows(&rows), &[1]);
    let amounts = rows.columns["amount"].as_primitive::<Float64Type>();
    assert!(amounts.is_null(0));
    assert!(amounts.value(1).is_nan() && amounts.value(2).is_nan(), "NaN is a value");
    assert_eq!(
        rows.columns["gap"].as_boolean().iter().flatten().collect::<Vec<_>>(),
        [true, false, true]
    );
}

#[test]
fn constants_of_every_type() {
    let rows = testing::rows(&[Row::default()]);
    let filled = |options: &str, column: &str| {
        let (rows, _) = advance_both_ways("fill", options, &rows, &[1]);
        arrow::util::display::array_value_to_string(&rows.columns[column], 0).unwrap()
    };
    assert_eq!(filled("{ column: amount, with: 3 }", "amount"), "3.0");
    assert_eq!(filled("{ column: items, with: 3 }", "items"), "3");
    assert_eq!(filled("{ column: category, value: last }", "category"), "last");
    assert_eq!(filled("{ column: refunded, with: true }", "refunded"), "true");
}

#[test]
fn memory_is_one_value_per_key_and_what_lies_behind_the_watermark() {
    let mut clean = testing::build("fill", "{ column: category, with: last, within: 1h }").unwrap();
    let mut rejected = crate::batch::Rejections::default();
    let rows: Vec<Row<'_>> = (0..1000)
        .map(|i| Row { time: i, watermark: i - 5, category: Some("fuel"), ..Row::default() })
        .collect();
    clean.advance(testing::rows(&rows), &mut rejected);
    let per_value = size_of::<(i64, String)>() + 8;
    assert!(clean.state_bytes() <= 6 * per_value, "{} bytes", clean.state_bytes());
    assert_eq!(clean.horizon(), Horizon::For(3_600_000_000));
    clean.forget(0);
    assert_eq!(clean.state_bytes(), 0);
}

#[test]
fn mistakes_say_where_and_what() {
    let problem = |options: &str| testing::build("fill", options).unwrap_err().to_string();
    assert_eq!(
        problem("{ column: amount, with: none }"),
        "1:25: wrong value for column `amount`: string `none`; expected a number"
    );
    assert_eq!(
        problem("{ column: amount }"),
        "1:1: nothing to fill with; expected `with: last`, `with: <constant>` or `value: <constant>`"
    );
    assert_eq!(
        problem("{ column: amount, with: 1, else: 2 }"),
        "1:34: `else` without `with: last`"
    );
    assert_eq!(
        problem("{ column: amount, with: 1, within: 1h }"),
        "1:36: `within` without `with: last`"
    );
    assert_eq!(
        problem("{ column: amount, with: 1, name: items }"),
        "1:34: column `items` exists already; expected another `name` for the flag"
    );
    assert_eq!(
        problem("{ column: amount, with: [1] }"),
        "1:25: wrong type; expected a number, a text or a boolean"
    );
}
