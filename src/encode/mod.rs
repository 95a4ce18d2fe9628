//! Encoding: vectors to messages, rejected records to dead letters, verdicts to JSON.
//!
//! A message leaves under its record's key and timestamp, with headers that say which pipeline
//! made it from which record. To add a format: write `encode/<name>.rs` with a `COMPONENT`, then
//! add its two lines here.

mod arrow_ipc;
mod column;
mod dead_letter;
mod json;
mod json_array;
mod line;
mod message;
mod number;
mod schema;
mod text;
#[cfg(test)]
mod tests;
mod time;
mod verdict;

pub use dead_letter::{DEAD_LETTER_CONTEXT, DEAD_LETTER_PREFIX, OVERSIZE_CONTEXT, dead_letter};
pub use message::PassThrough;
pub use schema::{arrow_schema, json_schema};
pub use verdict::{Author, VERDICT_BYTES_MAX, verdict};

use crate::{
    batch::{Outbox, RawBatch, Rejections, Rows},
    registry::{Component, Problem},
};
use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use std::{collections::BTreeSet, fmt::Debug};

/// All output formats.
pub const FORMATS: &[Component<Build>] =
    &[json::COMPONENT, json_array::COMPONENT, arrow_ipc::COMPONENT];

/// Builds an encoder for a vector's schema. Formats have no options.
pub type Build = fn(&EncodeInput<'_>) -> Result<Box<dyn Encode>, Problem>;

/// What an encoder has to know.
#[derive(Debug, Clone)]
pub struct EncodeInput<'a> {
    /// The vector's columns in order: carried columns, then features.
    pub schema: &'a SchemaRef,
    /// Columns of the rows (not of the vector) that make up the entity key.
    pub entity: &'a [usize],
    /// Input headers that go out again.
    pub pass_through: PassThrough,
    /// Most bytes of key, value and headers of a message: `limits.vector_bytes`.
    pub vector_bytes: u64,
    /// Partitions of the output topic, for messages that no key can place; none if unknown.
    pub output_partitions: Option<i32>,
}

/// Where the vectors of a batch come from.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The records.
    pub raw: &'a RawBatch,
    /// The rows, one per vector.
    pub rows: &'a Rows,
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Its `definition_hash`.
    pub definition: &'a str,
}

/// An output format.
pub trait Encode: Send + Debug {
    /// Appends the messages of a batch of vectors, row `i` of `vectors` being row `i` of the
    /// envelope. A vector beyond the limit is rejected as `encode`.
    fn encode(
        &mut self,
        envelope: &Envelope<'_>,
        vectors: &RecordBatch,
        out: &mut Outbox,
        rejected: &mut Rejections,
    );

    /// Appends what is still held back. Called at the end of every commit.
    fn flush(&mut self, out: &mut Outbox);
}

/// Refuses vectors with two fields of one name or of a type no format can write.
fn check_schema(schema: &Schema) -> Result<(), Problem> {
    let mut names = BTreeSet::new();
    for field in schema.fields() {
        if !names.insert(field.name()) {
            return Err(Problem::nowhere(format!("two fields `{}` in the vector", field.name()))
                .expected("a name of its own for each carried column and feature"));
        }
        if !column::can_write(field.data_type()) {
            let what = format!("field `{}` is of type {}", field.name(), field.data_type());
            return Err(Problem::nowhere(what)
                .expected("a number, text, boolean, date, timestamp, list or map of these"));
        }
    }
    Ok(())
}

/// The JSON Schema of a format's options: it has none.
fn no_options() -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "additionalProperties": false })
}
