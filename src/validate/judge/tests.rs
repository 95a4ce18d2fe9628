//! Rejection, doubt and order; what each rule says is tested against the complete validator in the
//! integration tests.

use super::*;
use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use std::sync::Arc;

const SCHEMA: &str = r#"{"type": "object", "properties": {
    "amount": {"type": "number", "minimum": 0, "maximum": 9007199254740993},
    "channel": {"type": "string", "enum": ["web", "app"]},
    "codes": {"type": "array", "maxItems": 3, "items": {"type": "integer", "multipleOf": 5}}}}"#;

fn decoded(columns: Vec<ArrayRef>, schema: &RecordSchema) -> Decoded {
    let rows = u32::try_from(columns[0].len()).unwrap();
    let columns = RecordBatch::try_new(schema.arrow(), columns).unwrap();
    Decoded { columns, records: (0..rows).map(|r| r * 2).collect() }
}

/// Three rows from the records 0, 2 and 4.
fn apply(documents: [&str; 3]) -> (Rules, Decoded, Rejections) {
    let schema = RecordSchema::parse(SCHEMA).unwrap();
    let mut rules = Rules::build(&schema, &schema.arrow()).unwrap();
    let mut raw = RawBatch::new("t".into(), 0);
    let (mut amounts, mut channels, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for (offset, document) in (0..).zip(documents) {
        let fields: Vec<&str> = document.split('|').collect();
        let text = format!(r#"{{"amount":{},"channel":"{}"}}"#, fields[0], fields[1]);
        raw.push(offset * 2, None, None, Some(text.as_bytes()));
        raw.push(offset * 2 + 1, None, None, None);
        amounts.push(fields[0].parse::<f64>().ok());
        channels.push(fields[1]);
        codes.push(
            fields.get(2).map(|c| c.split(',').map(|n| n.parse::<i64>().ok()).collect::<Vec<_>>()),
        );
    }
    let field = schema.arrow().field(2).clone();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(codes);
    let list = arrow::compute::cast(&list, field.data_type()).unwrap();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Float64Array::from(amounts)), Arc::new(StringArray::from(channels)), list];
    let mut rejected = Rejections::default();
    let kept = rules.apply(&raw, decoded(columns, &schema), &mut rejected);
    (rules, kept, rejected)
}

#[test]
fn rows_that_pass_are_untouched() {
    let (rules, kept, rejected) = apply(["1|web|5,10", "null|app", "0|web|0"]);
    assert_eq!(rejected.0, []);
    assert_eq!(kept.records, [0, 2, 4]);
    assert_eq!(rules.slow_path_records(), 0);
    assert!(!rules.needs_complete());
}

#[test]
fn a_row_is_rejected_once_for_the_first_field_of_the_schema() {
    let (_, kept, rejected) = apply(["-1|post|1", "1|web|5,7", "2|app|5,5,5,5"]);
    assert!(kept.records.is_empty());
    let found: Vec<_> =
        rejected.0.iter().map(|r| (r.record, r.reason, r.detail.as_str())).collect();
    assert_eq!(
        found,
        [
            (0, Reason::Invalid, "`amount`: expected at least 0"),
            (2, Reason::Invalid, "items of `codes`: expected a multiple of 5"),
            (4, Reason::Invalid, "`codes`: expected at most 3 items"),
        ]
    );
}

#[test]
fn a_float_too_large_to_tell_goes_to_the_complete_validator() {
    // Both limits and values are one apart and the same float.
    let (rules, kept, rejected) = apply(["9007199254740993|web", "9007199254740994|web", "1|post"]);
    assert_eq!(kept.records, [0]);
    let found: Vec<_> = rejected.0.iter().map(|r| (r.record, r.detail.as_str())).collect();
    assert_eq!(
        found,
        [
            (2, "`amount`: does not satisfy `maximum`"),
            (4, "`channel`: expected one of the declared values"),
        ]
    );
    assert_eq!(rules.slow_path_records(), 2);
}

#[test]
fn a_column_is_found_by_name() {
    let schema =
        RecordSchema::parse(r#"{"type":"object","properties":{"a":{"const":1}}}"#).unwrap();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let mut rules = Rules::build(&schema, &schema.arrow()).unwrap();
    let mut rejected = Rejections::default();
    let kept =
        rules.apply(&RawBatch::new("t".into(), 0), decoded(vec![column], &schema), &mut rejected);
    assert_eq!(kept.records, [0]);
    assert_eq!(rejected.0[0].detail, "`a`: expected the declared constant");
}
