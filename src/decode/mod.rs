//! Decoding: a record's bytes to one row of columns, as the schema declares.
//!
//! A decoder judges what no column could hold: too large, a tombstone, not the format, a value of
//! the wrong type, a required field that is missing. What it accepts it holds exactly; everything
//! else the schema asks is judged by `validate`. One bad record never touches its neighbours.
//!
//! To add a format: write `decode/<name>` with a `COMPONENT`, then add it to [`FORMATS`].

mod json;
mod kafka;

use crate::{
    batch::{Decoded, Policy, RawBatch, Rejections},
    registry::{Component, Problem},
    schema::RecordSchema,
};
use arrow::datatypes::SchemaRef;
use std::fmt::Debug;

/// All input formats.
pub const FORMATS: &[Component<Build>] = &[json::COMPONENT];

/// What a decoder is built from.
#[derive(Debug, Clone, Copy)]
pub struct DecodeInput<'a> {
    /// The record's declared shape.
    pub schema: &'a RecordSchema,
    /// Headers that become columns, `kafka_header_<name>`.
    pub headers: &'a [String],
    /// Bytes of key, value and headers above which a record is `oversize`.
    pub record_bytes: u64,
    /// What becomes of a record without a value.
    pub tombstone: Policy,
}

/// Builds a decoder.
pub type Build = fn(&DecodeInput<'_>) -> Result<Box<dyn Decode>, Problem>;

/// A decoder. It keeps nothing from one record to the next but its buffers.
pub trait Decode: Send + Debug {
    /// The columns of the schema, then those of the Kafka metadata: `kafka_topic`,
    /// `kafka_partition`, `kafka_offset`, `kafka_timestamp`, `kafka_key` (null unless UTF-8) and a
    /// `kafka_header_<name>` per asked header (the last of that name; null unless UTF-8).
    fn schema(&self) -> SchemaRef;

    /// Decodes the records of a batch; a record without a row is in `rejected`, as `oversize`,
    /// `tombstone`, `undecodable` or `invalid`.
    fn decode(&mut self, raw: &RawBatch, rejected: &mut Rejections) -> Decoded;

    /// Records that left the one-pass path so far.
    fn slow_path_records(&self) -> u64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_format_is_described_and_builds() {
        let schema = RecordSchema::parse(
            r#"{"type": "object", "properties": {"amount": {"type": "number"}}}"#,
        )
        .unwrap();
        let input = DecodeInput {
            schema: &schema,
            headers: &["trace".to_owned()],
            record_bytes: 1000,
            tombstone: Policy::Drop,
        };
        let mut names = BTreeSet::new();
        for format in FORMATS {
            assert!(names.insert(format.name), "{} stands twice", format.name);
            let first = format.summary.chars().next().unwrap();
            assert!(first.is_uppercase() && format.summary.ends_with('.'), "{}", format.summary);
            let built = (format.build)(&input).unwrap();
            assert_eq!(built.schema().field(0).name(), "amount");
        }
    }
}
