//! The declared shape of a record, read from its JSON Schema (draft 2020-12 or draft-07).
//!
//! [`RecordSchema::parse`] turns a schema into a tree of [`Field`]s that the decoder fills and the
//! rules judge. Each keyword is either a [`Kind`] (what the column holds), a [`Constraint`] (what a
//! rule judges), without meaning for that kind, an annotation, or beyond the columns; the last
//! makes [`RecordSchema::needs_complete`] true, and every record also meets the complete validator.
//! An unknown keyword is an annotation, as the specification says.
//!
//! | schema | column |
//! |---|---|
//! | `boolean`, `integer`, `number`, `string` | `Boolean`, `Int64`, `Float64`, `Utf8` |
//! | `string` with `format: date-time` | `Timestamp(Microsecond, "UTC")` |
//! | `string` with `format: date` | `Date32` |
//! | `array` of one of these | `List` |
//! | `object` with `properties` | one column per property, `address.city` |
//! | anything else: unions, arrays of objects, no type | `Utf8` with the value's JSON text |

mod arrow;
mod documents;
mod fields;
mod json;
mod keywords;
mod object;
mod read;
pub mod time;
mod types;

pub use fields::{Constraint, Field, Kind, Object, Shape};
pub use types::Types;

use crate::registry::Problem;
use ::arrow::datatypes::SchemaRef;
use documents::Documents;

/// The declared shape of a record.
#[derive(Debug, Clone)]
pub struct RecordSchema {
    root: Object,
    arrow: SchemaRef,
    documents: Documents,
    complete: bool,
}

impl RecordSchema {
    /// Reads a schema that stands alone: a `$ref` to another file is not found.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Self::parse_with(text, &mut |_| Err("no other file can be read here".to_owned()))
    }

    /// Reads a schema whose `$ref`s may name files beside or below it. `read` gets the path
    /// relative to the schema, `/` between the parts, and returns the text or why there is none.
    pub fn parse_with(
        text: &str,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<Self, Problem> {
        let documents = Documents::load(text, read)?;
        let (root, complete) = read::record(&documents)?;
        let arrow = arrow::schema(&root)?;
        Ok(Self { root, arrow, documents, complete })
    }

    /// The columns: one per leaf field, in the order of the schema.
    pub fn arrow(&self) -> SchemaRef {
        SchemaRef::clone(&self.arrow)
    }

    /// The record's fields as a tree.
    pub fn root(&self) -> &Object {
        &self.root
    }

    /// The fields that have a column, in column order.
    pub fn columns(&self) -> Vec<&Field> {
        let mut columns = Vec::new();
        self.root.collect_columns(&mut columns);
        columns
    }

    /// True if the schema says more than kinds and constraints can: every record then also meets
    /// the complete validator.
    pub fn needs_complete(&self) -> bool {
        self.complete
    }

    /// The schema as written, for the complete validator.
    pub fn complete_text(&self) -> &str {
        self.documents.root_text()
    }

    /// The files that `$ref`s name: path relative to the schema, and the text or why there is none.
    /// They decide outcomes as the schema itself does, so they belong into the state hash.
    pub fn files(&self) -> impl Iterator<Item = (&str, Result<&str, &str>)> {
        self.documents.files()
    }
}

#[cfg(test)]
mod tests;
