//! The Arrow schema of a record.

use super::{Kind, Object, Shape};
use crate::registry::Problem;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use std::{collections::BTreeSet, sync::Arc};

/// One column per leaf; a column is nullable where its value can be missing or null.
pub(super) fn schema(root: &Object) -> Result<SchemaRef, Problem> {
    let mut fields = Vec::new();
    collect(root, false, &mut fields);
    let mut names = BTreeSet::new();
    if let Some(twice) = fields.iter().find(|f| !names.insert(f.name().clone())) {
        let what = format!("two fields would both be the column `{}`", twice.name());
        return Err(Problem::nowhere(what).expected("names that differ, nested ones as `a.b`"));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn collect(object: &Object, optional: bool, fields: &mut Vec<ArrowField>) {
    for field in &object.fields {
        let nullable = optional || !field.required || field.shape.nullable;
        match &field.shape.kind {
            Kind::Object(inner) => collect(inner, nullable, fields),
            kind => fields.push(ArrowField::new(&field.name, data_type(kind), nullable)),
        }
    }
}

fn data_type(kind: &Kind) -> DataType {
    match kind {
        Kind::Boolean => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Number => DataType::Float64,
        Kind::String | Kind::Text(_) | Kind::Object(_) => DataType::Utf8,
        Kind::DateTime => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Date => DataType::Date32,
        Kind::List(item) => DataType::List(Arc::new(item_field(item))),
    }
}

fn item_field(item: &Shape) -> ArrowField {
    ArrowField::new_list_field(data_type(&item.kind), item.nullable)
}
