//! Formats against independent readers.

mod arrow_ipc;
mod json;
mod maps;

use super::*;
use crate::{
    batch::{Message, Reason, Target},
    registry::Node,
};
use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, FixedSizeListArray, Float32Array, Float64Array,
        Int32Array, Int64Array, ListArray, StringArray, TimestampMicrosecondArray,
        TimestampMillisecondArray,
    },
    datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit},
};
use chrono::DateTime;
use proptest::prelude::*;
use serde::Deserialize;
use std::sync::Arc;

/// One vector, as serde reads it back from JSON.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    flag: Option<bool>,
    small: Option<i32>,
    id: i64,
    #[serde(rename = "a\"\n.x")]
    number: Option<f64>,
    text: Option<String>,
    day: Option<String>,
    at: Option<String>,
    list: Option<Vec<Option<i64>>>,
    single: Option<f32>,
    fixed: [Option<f32>; 3],
}

fn element() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float32, true))
}

fn schema() -> SchemaRef {
    let item = Arc::new(Field::new_list_field(DataType::Int64, true));
    Arc::new(Schema::new(vec![
        Field::new("flag", DataType::Boolean, true),
        Field::new("small", DataType::Int32, true),
        Field::new("id", DataType::Int64, false),
        Field::new("a\"\n.x", DataType::Float64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("day", DataType::Date32, true),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
        Field::new("list", DataType::List(item), true),
        Field::new("single", DataType::Float32, true),
        Field::new("fixed", DataType::FixedSizeList(element(), 3), false),
    ]))
}

fn vectors(rows: &[Vector]) -> RecordBatch {
    let days = |text: &String| {
        let date: chrono::NaiveDate = text.parse().unwrap();
        date.to_epoch_days()
    };
    let millis = |text: &String| DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
    let at: TimestampMillisecondArray = rows.iter().map(|r| r.at.as_ref().map(millis)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| r.flag).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|r| r.small).collect::<Int32Array>()),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.id))),
        Arc::new(rows.iter().map(|r| r.number).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|r| r.text.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.day.as_ref().map(days)).collect::<Date32Array>()),
        Arc::new(at.with_timezone("UTC")),
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            rows.iter().map(|r| r.list.clone()),
        )),
        Arc::new(rows.iter().map(|r| r.single).collect::<Float32Array>()),
        Arc::new(FixedSizeListArray::new(
            element(),
            3,
            Arc::new(rows.iter().flat_map(|r| r.fixed).collect::<Float32Array>()),
            None,
        )),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn any_vector() -> impl Strategy<Value = Vector> {
    let floats = prop_oneof![
        any::<f64>(),
        any::<f64>().prop_map(|x| x * 0.1),
        proptest::sample::select(vec![
            0.0,
            -0.0,
            0.1,
            1.0,
            1e16,
            1e-7,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ]),
    ];
    let texts = prop_oneof![
        any::<String>(),
        proptest::sample::select(vec!["", "\"\\/", "\u{0}\u{1f}\u{7f}", "\u{2028}😀", "a\nb\t"])
            .prop_map(str::to_owned),
    ];
    let days = (-719_000_i32..2_900_000)
        .prop_map(|d| chrono::NaiveDate::from_epoch_days(d).unwrap().to_string());
    let times = (-62_000_000_000_000_i64..253_000_000_000_000).prop_map(|ms| {
        let time = DateTime::from_timestamp_millis(ms).unwrap();
        time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    });
    let list = proptest::collection::vec(any::<Option<i64>>(), 0..4);
    let single = || proptest::option::of(prop_oneof![any::<f32>(), Just(f32::NAN), Just(0.1)]);
    let fixed = [single(), single(), single()];
    (
        any::<Option<bool>>(),
        any::<Option<i32>>(),
        any::<i64>(),
        proptest::option::of(floats),
        proptest::option::of(texts),
        proptest::option::of(days),
        proptest::option::of(times),
        proptest::option::of(list),
        (single(), fixed),
    )
        .prop_map(|(flag, small, id, number, text, day, at, list, (single, fixed))| Vector {
            flag,
            small,
            id,
            number,
            text,
            day,
            at,
            list,
            single,
            fixed,
        })
}

/// As many records and rows as vectors; the odd records have no key, every third row is late.
struct Source {
    raw: RawBatch,
    rows: Rows,
}

impl Source {
    fn new(count: usize) -> Self {
        let mut raw = RawBatch::new("in".into(), 5);
        let index = |i: usize| i64::try_from(i).unwrap();
        for i in 0..count {
            let key = format!("key {i}");
            let key = (i % 2 == 0).then_some(key.as_bytes());
            raw.push(1000 + 2 * index(i), Some(index(i)), key, Some(b"{}"));
            raw.header(b"traceparent", Some(b"00-1"));
            raw.header(b"b\xff", None);
        }
        let entity: ArrayRef =
            Arc::new((0..count).map(|i| Some(format!("e{i}"))).collect::<StringArray>());
        let at: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from_iter_values((0..count).map(index)));
        let rows = Rows {
            columns: RecordBatch::try_from_iter([("entity", entity), ("at", at)]).unwrap(),
            records: (0..).take(count).collect(),
            offsets: raw.iter().map(|r| r.offset).collect(),
            event_times: vec![0; count],
            watermarks: vec![0; count],
            slots: vec![0; count],
            late: (0..count).map(|i| i % 3 == 2).collect(),
        };
        Self { raw, rows }
    }

    /// The rows from `first`, as a later fold of the same records would give them.
    fn slice(&self, first: usize, count: usize) -> Rows {
        let keep: Vec<bool> =
            (0..self.rows.len()).map(|i| (first..first + count).contains(&i)).collect();
        self.rows.clone().filter(&keep)
    }
}

fn input(schema: &SchemaRef) -> EncodeInput<'_> {
    EncodeInput {
        schema,
        entity: &[0, 1],
        pass_through: PassThrough::Trace,
        vector_bytes: 1 << 20,
        output_partitions: Some(4),
    }
}

fn build(format: &str, input: &EncodeInput<'_>) -> Box<dyn Encode> {
    let component = FORMATS.iter().find(|c| c.name == format).unwrap();
    (component.build)(input).unwrap()
}

/// Encodes in cuts of `size`, flushing after every `commit` cuts.
fn encode(
    format: &str,
    input: &EncodeInput<'_>,
    batch: &RecordBatch,
    (size, commit): (usize, usize),
) -> (Outbox, Rejections) {
    let source = Source::new(batch.num_rows());
    let (mut out, mut rejected) = (Outbox::default(), Rejections::default());
    let mut encoder = build(format, input);
    for (cut, first) in (0..batch.num_rows()).step_by(size).enumerate() {
        let count = size.min(batch.num_rows() - first);
        let rows = source.slice(first, count);
        let (raw, rows) = (&source.raw, &rows);
        let envelope = Envelope { raw, rows, pipeline: "p", definition: "d00d" };
        encoder.encode(&envelope, &batch.slice(first, count), &mut out, &mut rejected);
        if cut % commit == commit - 1 {
            encoder.flush(&mut out);
        }
    }
    encoder.flush(&mut out);
    (out, rejected)
}

fn header<'a>(message: &Message<'a>, name: &str) -> Option<&'a str> {
    let found = message.headers().filter(|h| h.name == name.as_bytes()).last()?;
    Some(str::from_utf8(found.value.unwrap()).unwrap())
}

fn sample(id: i64, text: &str) -> Vector {
    Vector {
        flag: Some(true),
        small: None,
        id,
        number: Some(0.5),
        text: Some(text.to_owned()),
        day: Some("2026-01-31".to_owned()),
        at: Some("2026-01-31T23:59:59.999Z".to_owned()),
        list: Some(vec![Some(1), None]),
        single: Some(0.1),
        fixed: [Some(-0.5), None, Some(1e10)],
    }
}

#[test]
fn table_rows_are_complete_and_their_examples_build() {
    let mut names: Vec<_> = FORMATS.iter().map(|c| c.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FORMATS.len(), "names are unique");
    for component in FORMATS {
        assert!(component.summary.starts_with(char::is_uppercase), "{}", component.name);
        assert!(component.summary.ends_with('.'), "{}", component.name);
        Node::parse(component.example).unwrap();
        (component.build)(&input(&schema())).unwrap();
        assert!((component.schema)().get("type").is_some());
    }
}

#[test]
fn a_vector_beyond_the_limit_is_rejected_and_its_neighbours_are_not() {
    let schema = schema();
    let long = "x".repeat(3000);
    let batch = vectors(&[sample(0, "a"), sample(1, &long), sample(2, "b")]);
    for format in ["json", "json_array", "arrow_ipc"] {
        let (whole, _) = encode(format, &input(&schema), &batch.slice(1, 1), (1, 1));
        let message = whole.message(0);
        let headers: usize = message.headers().map(|h| h.name.len() + h.value.unwrap().len()).sum();
        let size =
            message.value.unwrap().len() + headers + message.parts.key.map_or(0, <[u8]>::len);
        // As one of three its key is the entity's text instead, 30 bytes long.
        let size = if format == "arrow_ipc" { size } else { size - "key 0".len() + 30 };
        for (limit, over) in [(size, false), (size - 1, true)] {
            let input = EncodeInput { vector_bytes: limit as u64, ..input(&schema) };
            let (out, rejected) = encode(format, &input, &batch, (2, 1));
            let found: Vec<_> = rejected.0.iter().map(|r| (r.record, r.reason)).collect();
            assert_eq!(found == [(1, Reason::Encode)], over, "{format}: {limit} {found:?}");
            let values: Vec<_> = out.iter().map(|m| m.value.unwrap().len()).collect();
            assert_eq!(values.iter().any(|len| *len > 3000), !over, "{format}: {values:?}");
            assert!(values.len() >= 2, "{format}: the neighbours are there");
        }
    }
}

#[test]
fn vectors_that_no_reader_could_tell_apart_are_refused() {
    let twice = Field::new("a", DataType::Int64, true);
    let schema = Arc::new(Schema::new(vec![twice.clone(), twice]));
    let error = (super::json::COMPONENT.build)(&input(&schema)).unwrap_err().to_string();
    assert!(error.starts_with("two fields `a` in the vector"), "{error}");
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Binary, true)]));
    let error = (super::arrow_ipc::COMPONENT.build)(&input(&schema)).unwrap_err().to_string();
    assert!(error.starts_with("field `a` is of type Binary; expected a number"), "{error}");
}

#[test]
fn schemas_say_what_a_reader_gets() {
    let texts = [
        json_schema("json", &schema()).unwrap(),
        json_schema("json_array", &schema()).unwrap(),
        arrow_schema(&schema()),
    ];
    for text in &texts[..2] {
        Node::parse(text).unwrap();
    }
    let texts = texts.join("\n");
    insta::assert_snapshot!(texts);
    assert_eq!(json_schema("arrow_ipc", &schema()), None);
}
