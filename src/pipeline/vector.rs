//! The shape of the vectors, for whoever reads them.

use super::Spec;
use crate::encode;
use arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// The fields of a vector: carried columns, then features, in the order of the file.
#[derive(Debug, Clone)]
pub struct Vector {
    format: String,
    carried: usize,
    schema: SchemaRef,
}

impl Vector {
    pub(super) fn new(spec: &Spec, schema: &SchemaRef) -> Self {
        Self {
            format: spec.output.format.clone(),
            carried: spec.output.carry.len(),
            schema: Arc::clone(schema),
        }
    }

    /// The fields as columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The number of fields, at the front, that are carried and no features.
    pub fn carried(&self) -> usize {
        self.carried
    }

    /// The fields as text, one a line: name, Arrow type, `null` where nulls occur.
    pub fn arrow_text(&self) -> String {
        encode::arrow_schema(&self.schema)
    }

    /// The JSON Schema of a vector's value; none where the format is not JSON.
    pub fn json_schema(&self) -> Option<String> {
        encode::json_schema(&self.format, &self.schema)
    }
}
