//! What the decoder makes of single records; the agreement with the complete validator and with
//! other parsers is tested over both steps, in the integration tests.

use super::*;
use crate::schema::RecordSchema;
use arrow::{
    array::AsArray,
    datatypes::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType},
};
use proptest::prelude::*;

const SCHEMA: &str = r#"{"type": "object", "required": ["id"], "properties": {
    "id": {"type": "integer"}, "x": {"type": ["number", "null"]}, "s": {"type": "string"},
    "at": {"type": "string", "format": "date-time"}, "l": {"type": "array", "items": {"type": "integer"}},
    "o": {"type": "object", "required": ["b"], "additionalProperties": false,
          "properties": {"b": {"type": "boolean"}}}, "any": true}}"#;

fn json(schema: &str, headers: &[&str]) -> Json {
    let schema = RecordSchema::parse(schema).unwrap();
    let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
    let input = DecodeInput {
        schema: &schema,
        headers: &headers,
        record_bytes: 200,
        tombstone: Policy::Forget,
    };
    Json::new(&input).unwrap()
}

fn decode(schema: &str, values: &[Option<&[u8]>]) -> (Decoded, Vec<Rejected>) {
    let mut raw = RawBatch::new("t".into(), 3);
    for (offset, value) in (10..).zip(values) {
        raw.push(offset, None, None, *value);
    }
    let mut rejected = Rejections::default();
    let decoded = json(schema, &[]).decode(&raw, &mut rejected);
    (decoded, rejected.0)
}

fn refusal(value: &[u8]) -> (Reason, String) {
    let (decoded, mut rejected) = decode(SCHEMA, &[Some(value)]);
    assert!(decoded.records.is_empty(), "{}", String::from_utf8_lossy(value));
    let rejected = rejected.remove(0);
    (rejected.reason, rejected.detail)
}

#[test]
fn undecodable_says_where_and_what_was_expected() {
    let cases: [(&[u8], &str); 16] = [
        (b"", "byte 0: expected a value"),
        (b"\xef\xbb\xbf{\"id\":1}", "byte 0: expected a value"),
        (b"{\"id\":1} x", "byte 9: expected the end of the document"),
        (b"{\"id\":1,}", "byte 8: expected a key"),
        (b"{\"id\" 1}", "byte 6: expected `:`"),
        (b"{\"id\":1 \"x\":2}", "byte 8: expected `,` or `}`"),
        (b"{\"id\":NaN}", "byte 6: expected a value"),
        (b"{\"id\":01}", "byte 7: expected no digit after a leading zero"),
        (b"{\"id\":1,\"x\":1e999}", "byte 17: expected a number that a float holds"),
        (b"{\"id\":1,\"s\":\"\xff\"}", "byte 13: expected UTF-8"),
        (b"{\"id\":1,\"s\":\"a\nb\"}", "byte 14: expected an escape for a control character"),
        (b"{\"id\":1,\"s\":\"\\ud800\"}", "byte 19: expected a trailing surrogate"),
        (b"{\"id\":1,\"s\":\"abc", "byte 16: expected the end of a string"),
        (b"{\"id\":1,\"id\":1}", "byte 9: expected a key that the object does not have yet"),
        (
            b"{\"id\":1,\"z\":{\"k\":1,\"\\u006b\":1}}",
            "byte 20: expected a key that the object does not have yet",
        ),
        (b"{\"id\":\"wrong\",\"x\":}", "byte 18: expected a value"),
    ];
    for (value, detail) in cases {
        let shown = String::from_utf8_lossy(value);
        assert_eq!(refusal(value), (Reason::Undecodable, detail.to_owned()), "{shown}");
    }
}

#[test]
fn invalid_names_the_first_field_of_the_schema() {
    for (value, detail) in [
        (r#"{"s":1,"id":"1"}"#, "`id`: expected integer, got string"),
        (r#"{"id":1.5}"#, "`id`: expected integer, got a number with a fraction"),
        (r#"{"id":9223372036854775808}"#, "`id`: expected integer, got an integer beyond 64 bits"),
        (r#"{"id":-9223372036854775809}"#, "`id`: expected integer, got an integer beyond 64 bits"),
        (r#"{"x":true}"#, "`id`: required, but missing"),
        (r#"{"id":null}"#, "`id`: expected integer, got null"),
        (r#"{"id":1,"x":[]}"#, "`x`: expected number or null, got array"),
        (r#"{"id":1,"at":"2024-02-30T00:00:00Z"}"#, "`at`: expected date-time, got another string"),
        (r#"{"id":1,"l":[1,"2"]}"#, "`l`: expected array, got an item of another kind"),
        (r#"{"id":1,"l":[1,null]}"#, "`l`: expected array, got a null among its items"),
        (r#"{"id":1,"o":{}}"#, "`o.b`: required, but missing"),
        (r#"{"id":1,"o":{"b":true,"secret":1}}"#, "`o`: expected only declared keys, got another"),
        (r#"{"id":1,"o":3}"#, "`o`: expected object, got number"),
        (r#"[{"id":1}]"#, "expected an object, got array"),
    ] {
        assert_eq!(refusal(value.as_bytes()), (Reason::Invalid, detail.to_owned()), "{value}");
    }
}

#[test]
fn oversize_counts_key_value_and_headers_before_parsing() {
    let value = [b'x'; 190];
    let mut raw = RawBatch::new("t".into(), 0);
    raw.push(0, None, Some(b"12345"), Some(&value));
    raw.header(b"h", Some(b"1234"));
    raw.push(1, None, Some(b"12345"), Some(&value));
    raw.header(b"h", Some(b"12345"));
    raw.push(2, None, None, None);
    let mut rejected = Rejections::default();
    json(SCHEMA, &[]).decode(&raw, &mut rejected);
    let reasons: Vec<Reason> = rejected.0.iter().map(|r| r.reason).collect();
    assert_eq!(reasons, [Reason::Undecodable, Reason::Oversize, Reason::Tombstone]);
    assert_eq!(rejected.0[1].detail, "201 bytes, expected at most 200");
    assert_eq!(rejected.0[2].policy, Some(Policy::Forget));
}

#[test]
fn a_rejected_record_leaves_nothing_behind() {
    let good = |id: &str| format!(r#"{{"id":{id},"s":"s{id}","l":[{id}],"any":{{"n":{id}}}}}"#);
    let (first, second) = (good("1"), good("2"));
    let broken: [&[u8]; 5] = [
        br#"{"id":9,"s":"gone","l":[7,8,"#,
        br#"{"id":9,"s":"gone","l":[7,8,"x"],"any":[1]}"#,
        br#"{"id":9,"x":1,"s":"gone","any":{"a":1,"a":2}}"#,
        b"null",
        b"",
    ];
    for bytes in broken {
        let all = [Some(first.as_bytes()), Some(bytes), Some(second.as_bytes())];
        let (with, rejected) = decode(SCHEMA, &all);
        assert_eq!((with.records.as_slice(), rejected.len()), (&[0, 2][..], 1));
        let (without, _) = decode(SCHEMA, &[all[0], all[2]]);
        // All but the offset, which tells where a row came from.
        for (a, b) in with.columns.columns()[..7].iter().zip(without.columns.columns()) {
            assert_eq!(a, b);
        }
    }
}

#[test]
fn keys_come_in_any_order_and_spelling() {
    let values = [
        r#"{"id":1,"x":2,"o":{"b":true}}"#,
        r#"{"o":{"b":true},"z":{"id":5},"x":2.0,"id":1}"#,
        "\n{ \"\\u0069d\" : 1e0 ,\t\"x\":20e-1 , \"o\" : {\"b\":true}}\r ",
    ];
    let values: Vec<Option<&[u8]>> = values.iter().map(|v| Some(v.as_bytes())).collect();
    let (decoded, rejected) = decode(SCHEMA, &values);
    assert_eq!(rejected, []);
    assert_eq!(decoded.columns["id"].as_primitive::<Int64Type>().values().as_ref(), [1, 1, 1]);
    assert_eq!(decoded.columns["x"].as_primitive::<Float64Type>().values().as_ref(), [2.0; 3]);
    assert_eq!(decoded.columns["o.b"].as_boolean().true_count(), 3);
}

#[test]
fn kafka_metadata_is_in_columns() {
    let mut raw = RawBatch::new("topic".into(), 7);
    raw.push(5, Some(99), Some(b"key"), Some(b"{\"id\":1}"));
    raw.header(b"h", Some(b"old"));
    raw.header(b"h", Some(b"new"));
    raw.push(6, None, Some(b"\xff"), Some(b"no JSON"));
    raw.push(8, None, Some(b"\xff"), Some(b"{\"id\":2}"));
    raw.header(b"h", Some(b"\xfe"));
    raw.push(9, None, None, Some(b"{\"id\":3}"));
    raw.header(b"h", None);
    let mut format = json(SCHEMA, &["h"]);
    for _ in 0..2 {
        let decoded = format.decode(&raw, &mut Rejections::default());
        assert_eq!(decoded.columns.schema(), format.schema());
        let column = |name: &str| ArrayRef::clone(&decoded.columns[name]);
        let texts = |name: &str| -> Vec<Option<String>> {
            column(name).as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect()
        };
        let topic = Some("topic".to_owned());
        assert_eq!(texts("kafka_topic"), [topic.clone(), topic.clone(), topic]);
        assert_eq!(column("kafka_partition").as_primitive::<Int32Type>().values().as_ref(), [7; 3]);
        assert_eq!(column("kafka_offset").as_primitive::<Int64Type>().values().as_ref(), [5, 8, 9]);
        let times = column("kafka_timestamp");
        let times: Vec<_> = times.as_primitive::<TimestampMillisecondType>().iter().collect();
        assert_eq!(times, [Some(99), None, None]);
        assert_eq!(texts("kafka_key"), [Some("key".to_owned()), None, None]);
        assert_eq!(texts("kafka_header_h"), [Some("new".to_owned()), None, None]);
    }
}

#[test]
fn a_field_may_not_take_a_metadata_name() {
    let schema = r#"{"type":"object","properties":{"kafka_offset":{"type":"integer"}}}"#;
    let schema = RecordSchema::parse(schema).unwrap();
    let input =
        DecodeInput { schema: &schema, headers: &[], record_bytes: 1, tombstone: Policy::Drop };
    assert!(Json::new(&input).unwrap_err().what.contains("`kafka_offset`"));
}

proptest! {
    #[test]
    fn floats_are_read_with_full_round_trip(bits in any::<u64>(), digits in "-?[1-9][0-9]{0,24}", point in 0..30_i32) {
        let float = f64::from_bits(bits);
        let mut texts = vec![format!("{digits}e-{point}"), format!("{digits}.{}", digits.trim_start_matches('-'))];
        if float.is_finite() {
            texts.extend([format!("{float}"), format!("{float:e}")]);
        }
        for text in texts {
            let mut cursor = Cursor::new(text.as_bytes());
            let number = cursor.number().unwrap();
            let expected: f64 = text.parse().unwrap();
            prop_assert_eq!(cursor.float(&number).unwrap().to_bits(), expected.to_bits(), "{}", text);
        }
    }

    #[test]
    fn integers_are_read_exactly(value in any::<i64>(), zeros in 0..3_usize) {
        let zeros = "0".repeat(zeros);
        let texts = [format!("{value}"), format!("{}.{zeros}0", value >> 11), format!("{}e0", value >> 11)];
        for (text, expected) in texts.iter().zip([value, value >> 11, value >> 11]) {
            let mut cursor = Cursor::new(text.as_bytes());
            let number = cursor.number().unwrap();
            prop_assert_eq!(cursor.integer(&number).unwrap(), Ok(expected));
        }
    }

    #[test]
    fn strings_are_what_they_stand_for(text in "\\PC*|[\"\\\\a\u{0}-\u{1f}\u{10348}]{0,20}", plain in any::<bool>()) {
        let written = if plain {
            serde_json::to_string(&text).unwrap()
        } else {
            let units = text.encode_utf16().map(|u| format!("\\u{u:04X}"));
            format!("\"{}\"", units.collect::<String>())
        };
        let mut cursor = Cursor::new(written.as_bytes());
        cursor.at = 1;
        let found = cursor.text().unwrap();
        prop_assert_eq!(cursor.at, written.len());
        let inside = &written.as_bytes()[found.inside];
        let mut read = Vec::new();
        if found.escaped { text::unescape(inside, &mut read) } else { read.extend_from_slice(inside) }
        prop_assert_eq!(String::from_utf8(read).unwrap(), text);
    }
}

proptest! {
    /// White space is what keeps a member from being read in its usual form.
    #[test]
    fn a_member_is_read_the_same_with_and_without_space(
        id in "-?[0-9]{1,21}(\\.[0-9]{1,3})?|\"7\"|null",
        x in "-?[0-9]{1,21}(\\.[0-9]{1,21})?([eE]-?[0-9]{1,3})?|true|null",
        s in "\"[a-zé\\\\\"\\x01]{0,20}\"|1",
        after in ",\"any\":1|,\"x\":2|,|",
    ) {
        let compact = format!("{{\"id\":{id},\"x\":{x},\"s\":{s}{after}}}");
        let spaced = format!("{{ \"id\" : {id} , \"x\" : {x} , \"s\" : {s} {after}}}");
        let [compact, spaced] = [compact, spaced].map(|text| decode(SCHEMA, &[Some(text.as_bytes())]));
        prop_assert_eq!(compact.0.columns, spaced.0.columns);
        let said = |rejected: &Rejected| {
            let (at, expected) = rejected.detail.split_once(": ").unwrap_or_default();
            // Where it stands differs.
            let at = if at.starts_with("byte ") { "byte" } else { at };
            (rejected.reason, at.to_owned(), expected.to_owned())
        };
        prop_assert_eq!(
            compact.1.iter().map(said).collect::<Vec<_>>(),
            spaced.1.iter().map(said).collect::<Vec<_>>()
        );
    }
}
