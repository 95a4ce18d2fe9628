//! What expressions can do, what they refuse, and that batches do not show.

use super::*;
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::{Field, Int64Type, Schema, TimeUnit},
    util::display::array_value_to_string,
};
use datafusion_expr::{ColumnarValue, Volatility, create_udf};
use datafusion_physical_expr::ScalarFunctionExpr;
use proptest::prelude::*;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::Int64, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("Channel", DataType::Utf8, false),
        Field::new("geo.lat", DataType::Float64, false),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("ok", DataType::Boolean, true),
    ]))
}

type Row = (Option<i64>, Option<i64>, Option<f64>, &'static str, f64, i64, Option<bool>);

fn batch(rows: &[Row]) -> RecordBatch {
    let ts = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.5));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.2).collect::<Float64Array>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.3))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.4))),
        Arc::new(ts.with_timezone("UTC")),
        Arc::new(rows.iter().map(|r| r.6).collect::<BooleanArray>()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

const TEN_O_CLOCK: i64 = 10 * 3_600_000_000;

/// The value of `sql` for one row, as text; `null` and `failed: ..` as such.
fn one(sql: &str, row: Row) -> String {
    let expression = Expression::compile(sql, &schema()).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let evaluated = expression.evaluate(&batch(&[row]));
    assert_eq!(evaluated.values.data_type(), expression.data_type(), "{sql}");
    match evaluated.failed.as_slice() {
        [(0, reason)] => format!("failed: {reason}"),
        [] if evaluated.values.is_null(0) => "null".to_owned(),
        _ => array_value_to_string(&evaluated.values, 0).unwrap(),
    }
}

fn error(sql: &str) -> String {
    Expression::compile(sql, &schema()).unwrap_err().to_string()
}

#[test]
fn values_are_those_of_sql() {
    let row: Row = (Some(7), Some(2), Some(0.0), "web", 10.0, TEN_O_CLOCK, None);
    for (sql, value) in [
        ("case when Channel = 'web' then 1 else 0 end", "1"),
        ("amount / nullif(amount, 0)", "null"),
        ("ln(amount + 1)", "0.0"),
        ("sin(geo.lat / 10)", "0.8414709848078965"),
        ("\"geo.lat\"", "10.0"),
        ("coalesce(a, 0)", "7"),
        ("coalesce(null, a, 10 / 0)", "7"),
        ("extract(hour from ts)", "10"),
        ("date_part('hour', ts)", "10"),
        ("to_timestamp(a)", "1970-01-01T00:00:07Z"),
        ("regexp_like(Channel, '^w')", "true"),
        ("length(Channel)", "3"),
        ("upper(Channel) || '!'", "WEB!"),
        ("substr(Channel, 2)", "eb"),
        ("a is null", "false"),
        ("a between 1 and 7", "true"),
        ("Channel in ('app', 'web')", "true"),
        ("Channel like 'w%'", "true"),
        ("ok and a > 0", "null"),
        ("a / b", "3"),
        ("1 / 2", "0"),
        ("1.0 / 2", "0.5"),
        ("a % b", "1"),
        ("cast(a as double) / b", "3.5"),
        ("greatest(a, b)", "7"),
        ("round(2.567, 2)", "2.57"),
        ("a / (b - 2)", "failed: division by zero"),
        ("a + 9223372036854775807", "failed: arithmetic overflow"),
        ("cast(Channel as bigint)", "failed: a value cannot be cast to the type asked for"),
        ("try_cast(Channel as bigint)", "null"),
    ] {
        assert_eq!(one(sql, row), value, "{sql}");
    }
}

#[test]
fn knows_its_columns_and_whether_it_can_be_null() {
    let of = |sql| Expression::compile(sql, &schema()).unwrap();
    assert_eq!(of("geo.lat + amount").columns(), &[2, 4]);
    assert_eq!(of("1").columns(), &[] as &[usize]);
    assert!(!of("case when Channel = 'web' then 1 else 0 end").nullable());
    assert!(!of("geo.lat / 10 > 1 and Channel <> ''").nullable());
    assert!(of("10 / 3 + length(Channel)").nullable(), "overflow fails a row");
    assert!(of("amount").nullable());
}

#[test]
fn refusals_say_where_what_and_what_instead() {
    let refusals = [
        "amuont / 2",
        "a +\n  channel",
        "geo.lon",
        "foo.a",
        "lenght(Channel)",
        "a +",
        "(a",
        "a b",
        "'abc",
        "",
        "now()",
        "random() > 0.5",
        "a > current_timestamp",
        "uuid()",
        "sum(a)",
        "count(*)",
        "lag(a) over (order by ts)",
        "row_number() over ()",
        "(select 1)",
        "a in (select 1)",
        "exists (select 1)",
        "a = $1",
        "*",
        "null",
        "10 / 0",
        "regexp_like(Channel, '(')",
        "Channel ~ '['",
        "a and ok",
        "sin(Channel, a)",
        "Channel + ok",
        "not a",
        "-Channel",
        "ts - ts",
        "cast(a as foo)",
        "a as x",
        "a; b",
        "@x",
    ]
    .map(|sql| format!("{sql:?}\n    {}", error(sql)))
    .join("\n");
    insta::assert_snapshot!(refusals);
}

#[test]
fn a_condition_is_boolean() {
    assert!(Expression::condition("a > 1", &schema()).is_ok());
    let error = Expression::condition("a + 1", &schema()).unwrap_err().to_string();
    assert_eq!(error, "the expression is of type Int64; expected a condition, true or false");
}

#[test]
fn every_unsteady_function_is_refused() {
    for name in ["now", "current_timestamp", "current_date", "current_time", "today", "random"] {
        assert!(error(&format!("{name}()")).contains("another value at every call"), "{name}");
    }
    assert!(function_names().all(|name| name != "now" && name != "uuid"));
    assert!(function_names().any(|name| name == "ln"));
}

#[test]
fn no_record_decides_how_much_memory_it_takes() {
    for (sql, name, expected) in [
        ("lpad(Channel, a)", "lpad", "a number up to 65536 as its second argument"),
        ("length(rpad(Channel, 65537))", "rpad", "a number up to 65536 as its second argument"),
        ("repeat(Channel, a * 2)", "repeat", "a number up to 65536 as its second argument"),
        ("replace(Channel, 'a', Channel)", "replace", "a text in quotes as its third argument"),
        ("regexp_replace(Channel, 'a', Channel, 'g')", "regexp_replace", "a text in quotes"),
    ] {
        let error = error(sql);
        let what = format!("what `{name}` gives may be longer than memory; expected {expected}");
        assert!(error.starts_with(&what), "{sql}: {error}");
    }
    let row: Row = (Some(7), Some(2), Some(0.0), "web", 10.0, TEN_O_CLOCK, None);
    assert_eq!(one("lpad(Channel, 5, '0') || repeat('x', 2)", row), "00webxx");
    assert_eq!(one("regexp_replace(replace(Channel, 'w', 'v'), 'e', '3')", row), "v3b");
}

#[test]
fn no_rows_no_failures() {
    let evaluated = Expression::compile("10 / a", &schema()).unwrap().evaluate(&batch(&[]));
    assert_eq!(evaluated.values.len(), 0);
    assert!(evaluated.failed.is_empty());
}

/// Expressions in which neighbours decide what is evaluated, and which fail on some rows.
const FALLIBLE: &[&str] = &[
    "a <> 0 and 10 / a > 1",
    "a = 0 or 10 / a > 1",
    "10 / a > 1 and a <> 0",
    "ok and 10 / a > 1",
    "ok or 10 / a > 1",
    "case when a = 0 then null else 10 / a end",
    "case when a > 0 then 10 / a when b > 0 then 10 / b else 10 / (a - b) end",
    "case a when 0 then 10 / b when 1 then b * 9223372036854775807 else a end",
    "case when ok then a end",
    "coalesce(a, 10 / b)",
    "a + b",
    "a * b - a",
    "cast(Channel as bigint) + a",
    "case when Channel = '' then 0 else cast(Channel as bigint) end",
    "cast(amount as int)",
    "nullif(a, b) / b",
    "a in (0, 1, b) and 10 / a = 10",
    "to_timestamp(a)",
    "chr(b)",
    "power(a, b)",
    "abs(a)",
    "factorial(b)",
    "chr(a)",
    "gcd(a, b)",
    "date_trunc('day', to_timestamp(a))",
    "ok is not true or 10 / a > 1",
];

fn integers() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        2 => Just(None),
        4 => Just(Some(0)),
        8 => (-2_i64..5).prop_map(Some),
        1 => Just(Some(i64::MAX)),
        1 => Just(Some(i64::MIN)),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let amount = prop_oneof![
        Just(None),
        (-3.0..3.0).prop_map(Some),
        Just(Some(1e300)),
        Just(Some(f64::NAN))
    ];
    let text = prop_oneof![Just("7"), Just(""), Just("x"), Just("99999999999999999999")];
    let row =
        (integers(), integers(), amount, text, -1.0..1.0_f64, 0..1_i64, any::<Option<bool>>());
    proptest::collection::vec(row, 1..24)
}

/// Independent of `halve`: each row in a batch of its own, straight through DataFusion.
fn alone(expression: &Expression, rows: &RecordBatch) -> Vec<Option<String>> {
    (0..rows.num_rows())
        .map(|row| {
            let input = rows.slice(row, 1).project(expression.columns()).unwrap();
            let value = expression.physical.evaluate(&input).ok()?.into_array(1).unwrap();
            Some(array_value_to_string(&value, 0).unwrap())
        })
        .collect()
}

fn in_batches(expression: &Expression, rows: &RecordBatch, size: usize) -> Vec<Option<String>> {
    let mut values = Vec::new();
    for first in (0..rows.num_rows()).step_by(size) {
        let count = size.min(rows.num_rows() - first);
        let evaluated = expression.evaluate(&rows.slice(first, count));
        for row in 0..count {
            let failed = evaluated.failed.iter().any(|f| f.0 == row);
            assert!(!failed || evaluated.values.is_null(row), "a failed row is null");
            let text = array_value_to_string(&evaluated.values, row).unwrap();
            values.push((!failed).then_some(text));
        }
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_in_any_batch_is_the_row_alone(rows in rows(), size in 1_usize..9) {
        let rows = batch(&rows);
        for sql in FALLIBLE {
            let expression = Expression::compile(sql, &schema()).unwrap();
            let expected = alone(&expression, &rows);
            prop_assert_eq!(in_batches(&expression, &rows, size), expected.clone(), "{}", sql);
            prop_assert_eq!(in_batches(&expression, &rows, 1000), expected, "{}", sql);
        }
    }
}

#[test]
fn batches_of_1_7_and_1000_agree_and_neighbours_are_unaffected() {
    let rows: Vec<Row> = (0..1000)
        .map(|i| (Some(i % 3), Some(i % 5), None, "7", 0.0, 0, Some(i % 2 == 0)))
        .collect();
    let rows = batch(&rows);
    let guarded = Expression::compile("a <> 0 and 10 / a > 1", &schema()).unwrap();
    let expected = in_batches(&guarded, &rows, 1);
    assert!(expected.iter().all(Option::is_some), "the guard holds");
    assert_eq!(in_batches(&guarded, &rows, 7), expected);
    assert_eq!(in_batches(&guarded, &rows, 1000), expected);

    let bare = Expression::compile("10 / a", &schema()).unwrap();
    let failed: Vec<usize> = bare.evaluate(&rows).failed.into_iter().map(|f| f.0).collect();
    assert_eq!(failed, (0..1000).step_by(3).collect::<Vec<_>>());
}

#[test]
fn a_panic_in_a_function_is_a_failure_of_its_row() {
    let trap = |args: &[ColumnarValue]| {
        let values = args[0].to_array(1)?;
        assert!(!values.as_primitive::<Int64Type>().values().contains(&3), "trapped");
        Ok(ColumnarValue::Array(values))
    };
    let int = DataType::Int64;
    let trap = create_udf("trap", vec![int.clone()], int, Volatility::Immutable, Arc::new(trap));
    let mut expression = Expression::compile("a", &schema()).unwrap();
    let args = vec![Arc::clone(&expression.physical)];
    let schema = Arc::clone(&expression.projected);
    let call = ScalarFunctionExpr::try_new(Arc::new(trap), args, &schema, Arc::default()).unwrap();
    expression.physical = Arc::new(call);
    let rows: Vec<Row> = (0..5).map(|a| (Some(a), None, None, "", 0.0, 0, None)).collect();
    let evaluated = expression.evaluate(&batch(&rows));
    assert_eq!(evaluated.failed, [(3, "a function cannot handle a value".to_owned())]);
    assert_eq!(evaluated.values.as_primitive::<Int64Type>().value(4), 4);
    assert!(evaluated.values.is_null(3));
}
