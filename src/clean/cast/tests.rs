use super::*;
use crate::batch::Reason;
use crate::clean::testing::{self, Row, advance_both_ways};
use arrow::{
    array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray},
    datatypes::{Field, Schema},
    util::display::{ArrayFormatter, FormatOptions},
};
use proptest::prelude::*;

/// A column through a conversion, as text; `null` where it does not fit.
fn converted(values: ArrayRef, to: &str) -> Vec<String> {
    let field = Field::new("x", values.data_type().clone(), true);
    let schema: SchemaRef = Arc::new(Schema::new(vec![field]));
    let node = Node::parse(&format!("{{ column: x, to: {to}, on_failure: null }}")).unwrap();
    let mut cast = (COMPONENT.build)(&node, &Input::of(&schema)).unwrap();
    let count = u32::try_from(values.len()).unwrap();
    let rows = Rows {
        columns: RecordBatch::try_new(schema, vec![values]).unwrap(),
        records: (0..count).collect(),
        offsets: (0..i64::from(count)).collect(),
        event_times: vec![0; count as usize],
        watermarks: vec![0; count as usize],
        slots: vec![0; count as usize],
        late: vec![false; count as usize],
    };
    let rows = cast.advance(rows, &mut Rejections::default());
    assert_eq!(rows.columns.schema(), cast.schema());
    let column = rows.columns.column(0);
    let options = FormatOptions::default().with_null("null");
    let text = ArrayFormatter::try_new(column, &options).unwrap();
    (0..column.len()).map(|row| text.value(row).to_string()).collect()
}

fn texts(texts: &[&str], to: &str) -> Vec<String> {
    converted(Arc::new(StringArray::from(texts.to_vec())), to)
}

#[test]
fn texts_are_read_strictly() {
    assert_eq!(texts(&["12", "-3", "1.5", " 1", ""], "int"), ["12", "-3", "null", "null", "null"]);
    assert_eq!(
        texts(&["1e3", "x", "inf", "NaN", "1e999"], "float"),
        ["1000.0", "null", "null", "null", "null"]
    );
    assert_eq!(texts(&["true", "false", "True", "1"], "bool"), ["true", "false", "null", "null"]);
    assert_eq!(
        texts(&["2024-05-31T12:00:00+02:00", "2024-05-31 12:00"], "timestamp"),
        ["2024-05-31T10:00:00Z", "null"]
    );
    assert_eq!(
        texts(&["2024-05-31", "2024-5-31", "2024- 5-31", "2024-02-30", "31.05.2024"], "date"),
        ["2024-05-31", "null", "null", "null", "null"]
    );
}

#[test]
fn numbers_convert_only_where_nothing_is_lost() {
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![
        2.0,
        2.5,
        f64::NAN,
        9.3e18,
        -9_223_372_036_854_775_808.0,
    ]));
    assert_eq!(converted(floats, "int"), ["2", "null", "null", "null", "-9223372036854775808"]);
    let integers: ArrayRef =
        Arc::new(Int64Array::from(vec![1 << 53, (1 << 53) + 1, i64::MAX, 1, 0]));
    let fits: Vec<bool> =
        converted(Arc::clone(&integers), "float").iter().map(|text| text != "null").collect();
    assert_eq!(fits, [true, false, false, true, true]);
    assert_eq!(converted(integers, "bool")[2..], ["null", "true", "false"]);
}

#[test]
fn times_are_written_as_rfc_3339_says() {
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![19_874]));
    assert_eq!(converted(Arc::clone(&dates), "string"), ["2024-05-31"]);
    assert_eq!(converted(dates, "timestamp"), ["2024-05-31T00:00:00Z"]);
    let us = Int64Array::from(vec![1_717_149_600_500_000, -1]);
    let times: ArrayRef =
        Arc::new(us.reinterpret_cast::<arrow::datatypes::TimestampMicrosecondType>());
    assert_eq!(
        converted(Arc::clone(&times), "string"),
        ["2024-05-31T10:00:00.500Z", "1969-12-31T23:59:59.999999Z"]
    );
    assert_eq!(converted(times, "date"), ["2024-05-31", "1969-12-31"]);
}

proptest! {
    #[test]
    fn numbers_survive_as_text(numbers in prop::collection::vec(any::<f64>(), 1..20), integers in prop::collection::vec(any::<i64>(), 1..20)) {
        let floats: ArrayRef = Arc::new(Float64Array::from(numbers.clone()));
        for (text, x) in converted(floats, "string").into_iter().zip(numbers) {
            let back: f64 = text.parse().unwrap();
            prop_assert!(back.to_bits() == x.to_bits() || (back.is_nan() && x.is_nan()));
        }
        let column: ArrayRef = Arc::new(Int64Array::from(integers.clone()));
        let expected: Vec<String> = integers.iter().map(ToString::to_string).collect();
        prop_assert_eq!(converted(column, "string"), expected);
    }
}

#[test]
fn a_record_that_fails_leaves_alone() {
    let rows =
        [Some(1.0), Some(1.5), None, Some(2.0)].map(|amount| Row { amount, ..Row::default() });
    let rows = testing::rows(&rows);
    let (kept, rejected) = advance_both_ways("cast", "{ column: amount, to: int }", &rows, &[3]);
    assert_eq!(kept.records, [0, 2, 3]);
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].record, rejected[0].reason), (1, Reason::Cast));
    assert_eq!(rejected[0].detail, "column `amount` is not an integer");
}

#[test]
fn types_without_a_conversion_are_a_problem() {
    let problem = |options: &str| testing::build("cast", options).unwrap_err().to_string();
    assert_eq!(
        problem("{ column: amount, to: date }"),
        "1:11: column `amount` is a number; expected a string or timestamp column"
    );
    assert_eq!(
        problem("{ column: amount, to: integer }"),
        "1:23: unknown value `integer`; expected one of `int`, `float`, `string`, `bool`, \
         `timestamp`, `date`; did you mean `int`?"
    );
}

#[test]
fn lenient_takes_what_people_write() {
    let lenient = |texts: &[&str], to: &str| {
        converted(Arc::new(StringArray::from(texts.to_vec())), &format!("{to}, mode: lenient"))
    };
    assert_eq!(
        lenient(&[" 12 ", "+3", "1.9", "-1.9", "1e3", "1e30", "x", ""], "int"),
        ["12", "3", "1", "-1", "1000", "null", "null", "null"]
    );
    assert_eq!(lenient(&[" 1.5", "inf", "nan", "one"], "float"), ["1.5", "inf", "NaN", "null"]);
    assert_eq!(
        lenient(&["Yes", " T", "ON", "1", "no", "F", "off", "0", "2"], "bool"),
        ["true", "true", "true", "true", "false", "false", "false", "false", "null"]
    );
    assert_eq!(
        lenient(
            &[
                "2024-05-31 12:00",
                "2024-05-31T12:00:00.5",
                "2024-05-31 12:00:00+02",
                "2024-05-31",
                "May 31"
            ],
            "timestamp"
        ),
        [
            "2024-05-31T12:00:00Z",
            "2024-05-31T12:00:00.500Z",
            "2024-05-31T10:00:00Z",
            "2024-05-31T00:00:00Z",
            "null"
        ]
    );
    assert_eq!(
        lenient(&["2024-05-31 23:00:00-05:00", " 2024-05-31", "31"], "date"),
        ["2024-05-31", "2024-05-31", "null"],
        "as its clocks show it"
    );
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![2.9, -2.9, f64::NAN, 0.0, 1e300]));
    assert_eq!(
        converted(Arc::clone(&floats), "int, mode: lenient"),
        ["2", "-2", "null", "0", "null"]
    );
    assert_eq!(converted(floats, "bool, mode: lenient"), ["true", "true", "null", "false", "true"]);
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![(1 << 53) + 1, 7, 0]));
    assert_eq!(
        converted(Arc::clone(&integers), "float, mode: lenient"),
        ["9007199254740992.0", "7.0", "0.0"]
    );
    assert_eq!(converted(integers, "bool, mode: lenient"), ["true", "true", "false"]);
}
