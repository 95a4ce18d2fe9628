//! Listed values, as the bytes by which values of a column are compared.

use crate::{
    registry::{self, Node, Problem},
    state::KeyColumns,
};
use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray},
    datatypes::{DataType, Field},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};

/// A value as written.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "wrong type; expected a text, a number or a boolean")]
pub(super) enum Written {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

/// The listed values of a column: at least one, none of them twice.
pub(super) fn listed(node: &Node, field: &Field) -> Result<BTreeSet<Vec<u8>>, Problem> {
    let Some(items) = node.as_list().filter(|items| !items.is_empty()) else {
        return Err(Problem::new(node.at, "no values").expected("a list of the allowed values"));
    };
    let mut values = BTreeSet::new();
    for item in items {
        let written: Written = registry::options(item)?;
        let value = of_column(&written, field.data_type()).ok_or_else(|| {
            let what = format!("column `{}` is {}", field.name(), field.data_type());
            Problem::new(item.at, what).expected(match field.data_type() {
                DataType::Utf8 => "texts; put quotes around them",
                DataType::Int64 => "integers",
                DataType::Float64 => "numbers",
                DataType::Boolean => "true or false",
                _ => "a column of texts, numbers or booleans",
            })
        })?;
        let mut scratch = Vec::new();
        let bytes = KeyColumns::new([&value]).bytes(0, &mut scratch).to_vec();
        if !values.insert(bytes) {
            return Err(Problem::new(item.at, "a value stands twice").expected("each value once"));
        }
    }
    Ok(values)
}

fn of_column(written: &Written, data_type: &DataType) -> Option<ArrayRef> {
    Some(match (data_type, written) {
        (DataType::Utf8, Written::Text(text)) => Arc::new(StringArray::from(vec![text.as_str()])),
        (DataType::Int64, Written::Integer(i)) => Arc::new(Int64Array::from(vec![*i])),
        (DataType::Float64, Written::Integer(i)) => Arc::new(Float64Array::from(vec![*i as f64])),
        (DataType::Float64, Written::Number(x)) => Arc::new(Float64Array::from(vec![*x])),
        (DataType::Boolean, Written::Boolean(b)) => Arc::new(BooleanArray::from(vec![*b])),
        _ => return None,
    })
}
