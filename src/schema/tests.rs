//! What a schema declares, and what it is told when it cannot.

use super::*;
use ::arrow::datatypes::{DataType, TimeUnit};

fn columns(text: &str) -> Vec<(String, DataType, bool)> {
    let schema = RecordSchema::parse(text).unwrap();
    let arrow = schema.arrow();
    arrow
        .fields()
        .iter()
        .map(|f| (f.name().clone(), f.data_type().clone(), f.is_nullable()))
        .collect()
}

fn problem(text: &str) -> String {
    RecordSchema::parse(text).unwrap_err().to_string()
}

#[test]
fn types_become_columns() {
    let got = columns(
        r##"{"type": "object", "required": ["id", "at", "where"], "properties": {
            "id": {"type": "integer"},
            "x": {"type": ["number", "null"]},
            "at": {"type": "string", "format": "date-time"},
            "day": {"$ref": "#/$defs/day"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "where": {"type": "object", "required": ["lat"], "properties": {
                "lat": {"type": "number"}, "name": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
            "any": {}, "either": {"type": ["string", "number"]},
            "level": {"enum": [1, 2, 3]}
        }, "$defs": {"day": {"type": "string", "format": "date"}}}"##,
    );
    let list = DataType::new_list(DataType::Utf8, false);
    let expected: Vec<(String, DataType, bool)> = [
        ("id", DataType::Int64, false),
        ("x", DataType::Float64, true),
        ("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        ("day", DataType::Date32, true),
        ("tags", list, true),
        ("where.lat", DataType::Float64, false),
        ("where.name", DataType::Utf8, true),
        ("any", DataType::Utf8, true),
        ("either", DataType::Utf8, true),
        ("level", DataType::Int64, true),
    ]
    .into_iter()
    .map(|(n, t, nullable)| (n.to_owned(), t, nullable))
    .collect();
    assert_eq!(got, expected);
}

#[test]
fn knows_what_needs_the_complete_validator() {
    let needs = |property: &str| {
        let text = format!(r#"{{"type":"object","properties":{{"a":{property}}}}}"#);
        RecordSchema::parse(&text).unwrap().needs_complete()
    };
    for fast in [
        r#"{"type":"number","minimum":0,"description":"x","default":1,"x-unit":"m"}"#,
        r#"{"type":"string","pattern":"^a","minLength":1,"maximum":3}"#,
        r#"{"type":["string","number","null"]}"#,
        r#"{"type":"array","items":{"type":"integer","maximum":3},"minItems":1}"#,
        r#"{"type":"array"}"#,
        r#"{"type":"object"}"#,
        r#"{"type":"object","properties":{"b":{"enum":["x",null]}},"additionalProperties":false}"#,
        r#"{"oneOf":[{"type":"null"},{"type":"number","minimum":0}]}"#,
        "true",
    ] {
        assert!(!needs(fast), "{fast}");
    }
    for complete in [
        r#"{"type":"number","not":{"const":3}}"#,
        r#"{"type":"string","format":"uuid"}"#,
        r#"{"type":"array","items":{"type":"integer"},"uniqueItems":true}"#,
        r#"{"type":"array","items":{"type":"object"}}"#,
        r#"{"type":["string","integer"]}"#,
        r#"{"type":["string","number"],"minimum":3}"#,
        r#"{"type":"object","properties":{"b":{}},"required":["c"]}"#,
        r#"{"type":"object","properties":{"b":{}},"additionalProperties":{"type":"string"}}"#,
        r#"{"type":"string","format":"date","minLength":3}"#,
        r##"{"$ref":"#/nowhere"}"##,
        "false",
    ] {
        assert!(needs(complete), "{complete}");
    }
}

#[test]
fn a_recursive_schema_ends_in_text() {
    let text = r##"{"type":"object","properties":{"child":{"$ref":"#"},"v":{"type":"number"}}}"##;
    let schema = RecordSchema::parse(text).unwrap();
    assert!(schema.needs_complete());
    let names: Vec<&str> = schema.columns().iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["child", "v"]);
}

#[test]
fn references_reach_files_beside_the_schema_and_no_others() {
    let text = r#"{"type":"object","properties":{
        "price":{"$ref":"types/money.json#/definitions/price"},"gone":{"$ref":"gone.json"}}}"#;
    let schema = RecordSchema::parse_with(text, &mut |name| match name {
        "types/money.json" => Ok(r#"{"definitions":{"price":{"$ref":"amount.json"}}}"#.to_owned()),
        "types/amount.json" => Ok(r#"{"type":"number","minimum":0}"#.to_owned()),
        _ => Err("no such file".to_owned()),
    })
    .unwrap();
    assert_eq!(schema.arrow().field(0).data_type(), &DataType::Float64);
    let files: Vec<_> = schema.files().map(|(name, text)| (name, text.is_ok())).collect();
    assert_eq!(
        files,
        [("types/money.json", true), ("gone.json", false), ("types/amount.json", true)]
    );
    let out = r#"{"type":"object","properties":{"a":{"$ref":"../x.json"}}}"#;
    assert!(problem(out).contains("leads out of the schema's folder"));
}

#[test]
fn draft_07_hides_what_stands_beside_a_reference() {
    let text = |schema: &str| {
        format!(
            r##"{{"$schema":"{schema}","type":"object","properties":
            {{"a":{{"$ref":"#/definitions/n","minimum":3}}}},"definitions":{{"n":{{"type":"number"}}}}}}"##
        )
    };
    let old = RecordSchema::parse(&text("http://json-schema.org/draft-07/schema#")).unwrap();
    let new = RecordSchema::parse(&text("https://json-schema.org/draft/2020-12/schema")).unwrap();
    assert!(!old.needs_complete());
    assert!(new.needs_complete());
}

#[test]
fn problems_say_what_to_do() {
    assert_eq!(
        problem(r#"{"type": "array"}"#),
        "1:10: the schema declares a record to be array; expected `type: object`"
    );
    assert_eq!(
        problem(r#"{"type": "object"}"#),
        "1:1: the schema declares no fields; expected `properties` at the top: one per column"
    );
    assert!(problem(r#"{"type":"object","properties":{"a":{"type":"int"}}}"#).contains("integer"));
    assert!(
        problem(r#"{"$schema":"http://json-schema.org/draft-04/schema#"}"#).contains("2020-12")
    );
    assert!(
        problem(r#"{"type":"object","properties":{"a":{"type":"number","minimum":"1"}}}"#)
            .contains("`minimum` is string `1`; expected a number")
    );
    let twice = r#"{"type":"object","properties":{"a.b":{"type":"number"},
        "a":{"type":"object","properties":{"b":{"type":"number"}}}}}"#;
    assert!(problem(twice).contains("the column `a.b`"));
}

#[test]
fn json_layouts_are_read() {
    let text = "{\n\t\"type\": \"object\",\r\n\t\"properties\": {\n\t\t\"a\\/b\": {\"type\": \"number\"},\n\t\t\
                \"\\ud83d\\ude00\": {\"type\": \"string\"}\n\t}\n}\n";
    let names: Vec<String> = columns(text).into_iter().map(|c| c.0).collect();
    assert_eq!(names, ["a/b", "\u{1f600}"]);
}
