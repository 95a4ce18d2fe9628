//! A record written by a person or a file: a JSON line, an envelope line, a test case.

use super::Form;
use crate::batch::RawBatch;
use serde::{Deserialize, de::IgnoredAny};
use std::collections::BTreeMap;

/// A record before it has a place in a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::pipeline) struct Record {
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Kafka timestamp in milliseconds.
    pub timestamp_ms: Option<i64>,
    /// Headers, in name order.
    pub headers: BTreeMap<String, Option<String>>,
    /// Offset, where it is given.
    pub offset: Option<i64>,
    /// Partition, 0 where it is not given.
    pub partition: i32,
}

impl Record {
    /// Reads a line.
    pub(super) fn parse(line: &[u8], form: Form) -> Result<Self, String> {
        match form {
            Form::Bare => Ok(Self { value: Some(line.to_vec()), ..Self::default() }),
            Form::Envelope => Self::envelope(line),
        }
    }

    fn envelope(line: &[u8]) -> Result<Self, String> {
        let mut record = Self::default();
        let mut valued = false;
        for (name, json) in members(line)? {
            match name.as_str() {
                "key" => record.key = text_or_json(json),
                "value" => record.value = (json != b"null").then(|| json.to_vec()),
                "raw" => {
                    let text: Option<String> = read(&name, json)?;
                    record.value = text.map(String::into_bytes);
                }
                "timestamp" => record.timestamp_ms = read(&name, json)?,
                "headers" => record.headers = read(&name, json)?,
                "offset" => record.offset = read(&name, json)?,
                "partition" => record.partition = read(&name, json)?,
                _ => {
                    return Err(format!(
                        "unknown member `{name}`; expected one of key, value, raw, timestamp, \
                         headers, offset, partition"
                    ));
                }
            }
            valued |= matches!(name.as_str(), "value" | "raw");
        }
        if valued { Ok(record) } else { Err("neither `value` nor `raw`".to_owned()) }
    }

    /// Appends the record to a batch, at its own offset or at `next`.
    pub(in crate::pipeline) fn push_to(
        &self,
        raw: &mut RawBatch,
        next: i64,
    ) -> Result<i64, String> {
        let offset = self.offset.unwrap_or(next);
        if offset < next {
            return Err(format!("offset {offset} is not beyond the one before; expected {next}"));
        }
        raw.push(offset, self.timestamp_ms, self.key.as_deref(), self.value.as_deref());
        for (name, value) in &self.headers {
            raw.header(name.as_bytes(), value.as_ref().map(String::as_bytes));
        }
        Ok(offset + 1)
    }
}

/// A JSON string is its text, null is no key, anything else is its JSON.
fn text_or_json(json: &[u8]) -> Option<Vec<u8>> {
    match serde_json::from_slice::<String>(json) {
        Ok(text) => Some(text.into_bytes()),
        Err(_) => (json != b"null").then(|| json.to_vec()),
    }
}

fn read<'j, T: Deserialize<'j>>(name: &str, json: &'j [u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| format!("`{name}`: {error}"))
}

/// The members of a JSON object with the bytes of each value as written, so that a value reaches
/// the pipeline byte for byte.
fn members(line: &[u8]) -> Result<Vec<(String, &[u8])>, String> {
    let not_an_object = || "expected a JSON object".to_owned();
    let mut rest = line.trim_ascii().strip_prefix(b"{").ok_or_else(not_an_object)?;
    let mut members = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if members.is_empty() && rest == b"}" {
            return Ok(members);
        }
        let (name, after) = first::<String>(rest)?;
        let after = after.trim_ascii_start().strip_prefix(b":").ok_or_else(not_an_object)?;
        let value = after.trim_ascii_start();
        let (IgnoredAny, after) = first::<IgnoredAny>(value)?;
        members.push((name, value.split_at(value.len() - after.len()).0));
        rest = after.trim_ascii_start();
        match rest.split_first() {
            Some((b',', after)) => rest = after,
            Some((b'}', [])) => return Ok(members),
            _ => return Err(not_an_object()),
        }
    }
}

/// The first JSON value of `text`, and what stands behind it.
fn first<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Result<(T, &'t [u8]), String> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => Ok((value, text.split_at(values.byte_offset()).1)),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("unexpected end of the line".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_keeps_the_bytes_of_its_value() {
        let line = br#" {"value": {"x": 1.0e2, "s":"\u00e9"} , "key":"k","timestamp":5,"offset":7,
            "headers":{"b":null,"a":"1"}, "partition":3} "#;
        let record = Record::parse(line, Form::Envelope).unwrap();
        assert_eq!(record.value.as_deref(), Some(br#"{"x": 1.0e2, "s":"\u00e9"}"#.as_slice()));
        assert_eq!(record.key.as_deref(), Some(b"k".as_slice()));
        assert_eq!((record.timestamp_ms, record.offset, record.partition), (Some(5), Some(7), 3));
        let headers: Vec<_> = record.headers.into_iter().collect();
        assert_eq!(headers, [("a".to_owned(), Some("1".to_owned())), ("b".to_owned(), None)]);
    }

    #[test]
    fn tombstones_raw_text_and_keys_of_any_kind() {
        let parse = |text: &str| Record::parse(text.as_bytes(), Form::Envelope).unwrap();
        assert_eq!(parse(r#"{"value":null}"#).value, None);
        assert_eq!(parse(r#"{"raw":"{"}"#).value.as_deref(), Some(b"{".as_slice()));
        assert_eq!(
            parse(r#"{"value":1,"key":{"a":1}}"#).key.as_deref(),
            Some(br#"{"a":1}"#.as_slice())
        );
        assert_eq!(parse(r#"{"value":1,"key":null}"#).key, None);
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let error = |text: &str| Record::parse(text.as_bytes(), Form::Envelope).unwrap_err();
        assert!(error("{}").contains("neither"));
        assert!(error("[1]").contains("object"));
        assert!(error(r#"{"value":1}x"#).contains("object"));
        assert!(error(r#"{"valeu":1}"#).contains("unknown member `valeu`"));
        assert!(error(r#"{"value":tru}"#).contains("expected"));
        assert!(error(r#"{"value":1,"timestamp":"x"}"#).contains("`timestamp`"));
    }

    #[test]
    fn offsets_only_grow() {
        let mut raw = RawBatch::new("t".into(), 0);
        let record = Record { offset: Some(4), ..Record::default() };
        assert_eq!(record.push_to(&mut raw, 0), Ok(5));
        assert!(record.push_to(&mut raw, 5).unwrap_err().contains("offset 4"));
    }
}
