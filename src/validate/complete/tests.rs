//! What the complete validator reaches, and what it says.

use super::*;

fn complete(text: &str) -> Result<Complete, Problem> {
    Complete::build(&RecordSchema::parse(text)?)
}

#[test]
fn a_complaint_names_declared_fields_and_no_value() {
    let text = r#"{"type":"object","properties":{
        "o":{"type":"object","properties":{"n":{"type":"number","not":{"const":13}}}}},
        "patternProperties":{"^s":{"const":"open"}}, "minProperties":1}"#;
    let complete = complete(text).unwrap();
    let said = |document: &str| complete.judge(document.as_bytes()).unwrap_err();
    assert_eq!(said(r#"{"o":{"n":13}}"#), "`o.n`: does not satisfy `not`");
    assert_eq!(said(r#"{"secret":"value"}"#), "the record does not satisfy `const`");
    assert_eq!(said("{}"), "the record does not satisfy `minProperties`");
    assert_eq!(complete.judge(br#"{"o":{"n":12}}"#), Ok(()));
}

#[test]
fn formats_are_judged() {
    let text = |format: &str| {
        format!(
            r#"{{"type":"object","properties":{{"a":{{"type":"string","format":"{format}"}}}}}}"#
        )
    };
    for (format, good, bad) in [
        ("email", "a@b.org", "a"),
        ("date", "2024-02-29", "2024-02-3,"),
        ("date-time", "2024-02-29T00:00:00Z", "2024-02-29T00:0,:00Z"),
    ] {
        let complete = complete(&text(format)).unwrap();
        assert_eq!(complete.judge(format!(r#"{{"a":"{good}"}}"#).as_bytes()), Ok(()));
        let said = complete.judge(format!(r#"{{"a":"{bad}"}}"#).as_bytes()).unwrap_err();
        assert_eq!(said, "`a`: does not satisfy `format`");
    }
}

#[test]
fn references_reach_the_files_of_the_schema_and_nothing_else() {
    let files = &mut |name: &str| match name {
        "types/price.json" => Ok(r#"{"$ref":"../limit.json"}"#.to_owned()),
        "limit.json" => Ok(r#"{"type":"number","maximum":5}"#.to_owned()),
        _ => Err("no such file".to_owned()),
    };
    for id in ["", r#""$id":"https://example.com/schemas/record.json","#] {
        let text = format!(
            r#"{{{id}"type":"object","properties":{{"a":{{"$ref":"types/price.json"}}}}}}"#
        );
        let schema = RecordSchema::parse_with(&text, files).unwrap();
        let complete = Complete::build(&schema).unwrap();
        assert_eq!(complete.judge(br#"{"a":5}"#), Ok(()));
        assert!(complete.judge(br#"{"a":6}"#).is_err());
    }
    for target in ["https://example.com/remote.json", "gone.json", "file:///etc/hostname"] {
        let text = format!(r#"{{"type":"object","properties":{{"a":{{"$ref":"{target}"}}}}}}"#);
        let schema = RecordSchema::parse_with(&text, files).unwrap();
        let problem = Complete::build(&schema).unwrap_err().to_string();
        assert!(problem.contains(target), "{problem}");
    }
}

#[test]
fn a_wrong_schema_is_a_problem_with_its_place() {
    let said = |text: &str| complete(text).unwrap_err().to_string();
    let wrong = "{\"type\":\"object\",\n\"properties\":{\"a\":{\"not\":3}}}";
    assert!(said(wrong).starts_with("2:26: not a JSON Schema: "), "{}", said(wrong));
    let yaml = "{type: object, properties: {a: {type: number}}}";
    assert_eq!(said(yaml), "1:2: the schema is not JSON; expected key must be a string");
    let pattern = r#"{"type":"object","properties":{"a":{"type":"string","pattern":"("}}}"#;
    assert!(said(pattern).contains("not a JSON Schema"), "{}", said(pattern));
}
