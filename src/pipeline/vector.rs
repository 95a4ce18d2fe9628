//! The shape of the vectors, for whoever reads them.

use super::Spec;
use arrow::datatypes::{DataType, Field, SchemaRef};
use schemars::{Schema, json_schema};
use std::{fmt::Write, sync::Arc};

/// The fields of a vector: carried columns, then features, in the order of the file.
#[derive(Debug, Clone)]
pub struct Vector {
    name: String,
    format: String,
    carried: usize,
    schema: SchemaRef,
}

impl Vector {
    pub(super) fn new(spec: &Spec, schema: &SchemaRef) -> Self {
        Self {
            name: spec.pipeline.clone(),
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

    /// The fields as a table of name, Arrow type and nullability.
    pub fn arrow_text(&self) -> String {
        let mut text = String::new();
        for field in self.schema.fields() {
            let null = if field.is_nullable() { "nullable" } else { "" };
            let line = format!("{:<32}{:<32}{null}", field.name(), field.data_type().to_string());
            writeln!(text, "{}", line.trim_end()).expect("writing to a string");
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// The JSON Schema of a vector's value: an object, or an array where the format is
    /// `json_array`.
    pub fn json_schema(&self) -> Schema {
        let title = format!("vector of {}", self.name);
        let fields = self.schema.fields();
        if self.format == "json_array" {
            let items: Vec<Schema> = fields.iter().map(|field| described(field)).collect();
            return json_schema!({
                "$schema": DRAFT,
                "title": title,
                "type": "array",
                "prefixItems": items,
                "items": false,
                "minItems": fields.len()
            });
        }
        let mut properties = Schema::default();
        for field in fields {
            properties.insert(field.name().clone(), value(field).to_value());
        }
        let required: Vec<&String> = fields.iter().map(|field| field.name()).collect();
        json_schema!({
            "$schema": DRAFT,
            "title": title,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false
        })
    }
}

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

fn described(field: &Field) -> Schema {
    let mut schema = value(field);
    schema.insert("title".to_owned(), field.name().as_str().into());
    schema
}

/// A number may always be null: JSON has no other word for NaN and infinity.
fn value(field: &Field) -> Schema {
    let kind = kind(field.data_type());
    if field.is_nullable() || *field.data_type() == DataType::Float64 {
        return json_schema!({ "anyOf": [kind, { "type": "null" }] });
    }
    kind
}

fn kind(data_type: &DataType) -> Schema {
    match data_type {
        DataType::Boolean => json_schema!({ "type": "boolean" }),
        DataType::Int32 | DataType::Int64 => json_schema!({ "type": "integer" }),
        DataType::Float64 => json_schema!({ "type": "number" }),
        DataType::Date32 => json_schema!({ "type": "string", "format": "date" }),
        DataType::Timestamp(_, _) => json_schema!({ "type": "string", "format": "date-time" }),
        DataType::List(item) => json_schema!({ "type": "array", "items": value(item) }),
        _ => json_schema!({ "type": "string" }),
    }
}
