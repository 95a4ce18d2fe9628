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

/// The values of the row's key in its window that came before, over the whole history.
fn before<T>(
    rows: &[Row<'static>],
    at: usize,
    over: i64,
    value: impl Fn(&Row<'static>) -> Option<T>,
) -> Vec<T> {
    let own = &rows[at];
    let after = own.time.max(own.watermark) - over;
    let inside = |r: &&Row<'_>| r.slot == own.slot && after < r.time && r.time <= own.time;
    rows[..at].iter().filter(inside).filter_map(value).collect()
}

/// The most frequent, of several the least.
fn mode<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort();
    let count = |x: T| values.iter().filter(|y| **y == x).count();
    let most = values.iter().map(|x| count(*x)).max()?;
    values.iter().copied().find(|x| count(*x) == most)
}

proptest! {
    #[test]
    fn windows_before_give_what_a_fresh_computation_does(
        rows in histories(),
        over in prop::sample::select(vec![8i64, 25, 1_000_000]),
        cuts in prop::collection::vec(1usize..9, 1..4),
    ) {
        let batch = testing::rows(&rows);
        let run = |column: &str, with: &str| {
            let options = format!("{{ column: {column}, with: {with}, over: {over}us, min_count: 2 }}");
            advance_both_ways("fill", &options, &batch, &cuts).0.columns
        };
        let [mean, median, mode_of] = ["mean", "median", "mode"].map(|with| run("amount", with));
        let (items, categories, refunds) =
            (run("items", "mode"), run("category", "mode"), run("refunded", "mode"));
        for (i, row) in rows.iter().enumerate() {
            let mut values = before(&rows, i, over, |r| r.amount);
            values.sort_by(f64::total_cmp);
            let enough = values.len() >= 2;
            let filled = |columns: &arrow::array::RecordBatch| {
                columns["amount"].as_primitive::<Float64Type>().iter().nth(i).flatten()
            };
            let expect = |x: f64| row.amount.or(enough.then_some(x));
            let middle = values.len() / 2;
            let center = if enough { f64::midpoint(values[(values.len() - 1) / 2], values[middle]) } else { 0.0 };
            prop_assert_eq!(filled(&median), expect(center), "row {}", i);
            let average = values.iter().sum::<f64>() / values.len() as f64;
            let off = filled(&mean).zip(expect(average)).map(|(a, b)| (a - b).abs());
            prop_assert_eq!(filled(&mean).is_some(), expect(average).is_some());
            prop_assert!(off.is_none_or(|off| off < 1e-12));
            // Positive, and so in the order of their bits.
            let bits = values.iter().map(|x| (x + 1.0).to_bits()).collect();
            let most = mode(bits).map_or(0.0, |bits| f64::from_bits(bits) - 1.0);
            prop_assert_eq!(filled(&mode_of), expect(most));
            let expected = row.items.or(mode(before(&rows, i, over, |r| r.items)).filter(|_| enough));
            let found = items["items"].as_primitive::<Int64Type>().iter().nth(i).flatten();
            prop_assert_eq!(found, expected);
            let most = mode(before(&rows, i, over, |r| r.category)).filter(|_| enough);
            let found = categories["category"].as_string::<i32>().iter().nth(i).flatten();
            prop_assert_eq!(found, row.category.or(most));
            let most = mode(before(&rows, i, over, |r| r.refunded)).filter(|_| enough);
            let found = refunds["refunded"].as_boolean().iter().nth(i).flatten();
            prop_assert_eq!(found, row.refunded.or(most));
        }
    }
}

#[test]
fn nan_and_infinity_are_left_out_of_means() {
    let amounts = [Some(1.0), Some(f64::NAN), Some(f64::INFINITY), Some(4.0), None];
    let rows = amounts.map(|amount| Row { amount, ..Row::default() });
    let filled = |with: &str| {
        let options = format!("{{ column: amount, with: {with}, over: 1s }}");
        let (rows, _) = advance_both_ways("fill", &options, &testing::rows(&rows), &[2]);
        rows.columns["amount"].as_primitive::<Float64Type>().value(4)
    };
    let found = [filled("mean"), filled("median"), filled("mode")];
    assert_eq!(found.map(f64::to_bits), [2.5, 2.5, 1.0].map(f64::to_bits));
}

#[test]
fn each_category_has_its_constant() {
    let row = |category, amount| Row { amount, category, ..Row::default() };
    let rows = [
        row(Some("fuel"), None),
        row(Some("fuel"), Some(1.0)),
        row(Some("rent"), None),
        row(None, None),
    ];
    let run = |rest: &str| {
        let options = format!(
            "{{ column: amount, by: category, values: {{ grocery: 10, fuel: 40 }}{rest} }}"
        );
        let (rows, _) = advance_both_ways("fill", &options, &testing::rows(&rows), &[3]);
        let amounts: Vec<_> = rows.columns["amount"].as_primitive::<Float64Type>().iter().collect();
        amounts
    };
    assert_eq!(run(", else: 5"), [Some(40.0), Some(1.0), Some(5.0), Some(5.0)]);
    assert_eq!(run(""), [Some(40.0), Some(1.0), None, None]);
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
        "1:1: nothing to fill with; expected `with: last`, `linear`, `mean`, `median` or `mode`, \
         `with: <constant>`, `value: <constant>`, or `by` and `values`"
    );
    assert_eq!(
        problem("{ column: amount, with: 1, else: 2 }"),
        "1:34: `else` without a source that may fail"
    );
    assert_eq!(
        problem("{ column: amount, with: 1, within: 1h }"),
        "1:36: `within` without `with: last` or `linear`"
    );
    assert_eq!(
        problem("{ column: items, with: mean, over: 1h }"),
        "1:11: column `items` is an integer; expected a number column: `cast` integers to float \
         first, or fill with `mode`"
    );
    assert_eq!(problem("{ column: amount, with: median }"), "1:1: missing key `over`");
    assert_eq!(
        problem("{ column: amount, with: 1, over: 1h }"),
        "1:34: `over` without `with: mean`, `median` or `mode`"
    );
    assert_eq!(
        problem("{ column: amount, by: category, values: { a: 1 }, with: last }"),
        "1:23: `by` beside another source; expected `else` for what `values` does not list"
    );
    assert_eq!(
        problem("{ column: amount, by: category, values: { a: x } }"),
        "1:46: wrong value for column `amount`: string `x`; expected a number"
    );
    assert_eq!(
        problem("{ column: amount, by: items, values: { a: 1 } }"),
        "1:23: column `items` is an integer; expected a string column"
    );
    assert_eq!(
        problem("{ column: amount, by: category, values: {} }"),
        "1:41: no values; expected at least one"
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
