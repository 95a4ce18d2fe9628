//! Features of texts: their length, and what they are made of.

mod analyzer;
mod counts;
mod hashing;
mod length;
mod tfidf;

pub(super) use hashing::COMPONENT as HASHING;
pub(super) use length::{LENGTH, TOKENS};
pub(super) use tfidf::COMPONENT as TFIDF;

use super::find_column;
use crate::registry::{Position, Problem};
use arrow::datatypes::{DataType, Schema};

/// The index of a column of text.
fn find_text(name: &str, schema: &Schema, at: Position) -> Result<usize, Problem> {
    let index = find_column(name, schema, at)?;
    match schema.field(index).data_type() {
        DataType::Utf8 => Ok(index),
        other => Err(Problem::new(at, format!("column `{name}` is of type {other}"))
            .expected("a column of text")),
    }
}
