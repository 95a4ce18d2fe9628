//! `by`: one value of each category.
//!
//! Declared categories are conditions: those of a window's column and category share a lane with
//! every other window over both, and long windows cost no more than short ones. Categories that are
//! not declared are found by a look at each event of the window.

use super::{
    condition::Condition,
    spec::{FoundColumn, find_column},
};
use crate::registry::{self, Node, Problem, Value};
use arrow::{
    array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray},
    compute::cast,
    datatypes::{DataType, SchemaRef},
};
use schemars::JsonSchema;
use serde::{Deserialize, de::IgnoredAny};
use std::sync::Arc;

/// The options under `by`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// The column whose values are the categories.
    column: String,
    /// The categories, each with a column of its own; records of others are in none. Without it
    /// there is one column with a map from the categories that the window holds, which are texts.
    #[serde(rename = "values")]
    #[schemars(with = "Option<Vec<Listed>>")]
    _values: Option<IgnoredAny>,
    /// Entries of the map at most: the categories with the most events, of equally frequent ones
    /// the least text.
    max: Option<u32>,
}

/// A category.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for its schema")]
enum Listed {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

/// Which categories a window tells apart.
#[derive(Debug)]
pub(super) enum By {
    /// These: each with how it is written.
    Listed(FoundColumn, Vec<(String, ArrayRef)>),
    /// Those that there are, so many at most.
    Found(FoundColumn, usize),
}

impl By {
    /// Reads what stands under `by`.
    pub(super) fn read(node: &Node, schema: &SchemaRef) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let column = find_column(options.column, node.at("column"), schema)?;
        match (node.get("values"), options.max) {
            (Some(values), None) => Self::listed(column, node, values),
            (None, Some(max)) => Self::found(column, node, max),
            (Some(_), Some(_)) => Err(Problem::new(node.at("max"), "`max` beside `values`")
                .expected("one of them: the values are as many as they are")),
            (None, None) => Err(Problem::new(node.at, "categories without a bound").expected(
                "`values: [..]` for a column of each, or `max: 50` for a map of as many at most",
            )),
        }
    }

    fn found(column: FoundColumn, node: &Node, max: u32) -> Result<Self, Problem> {
        let (_, name, data_type) = &column;
        if *data_type != DataType::Utf8 {
            let what = format!("column `{name}` is of type {data_type}");
            return Err(Problem::new(node.at("column"), what)
                .expected("a string column, whose texts the keys of the map are, or `values`"));
        }
        if max == 0 {
            return Err(Problem::new(node.at("max"), "`0` categories").expected("at least 1"));
        }
        Ok(Self::Found(column, max as usize))
    }

    fn listed(column: FoundColumn, node: &Node, values: &Node) -> Result<Self, Problem> {
        let items = values.as_list().filter(|items| !items.is_empty()).ok_or_else(|| {
            Problem::new(values.at, "no list of values").expected("one or more, as in [a, b]")
        })?;
        let (_, name, data_type) = &column;
        let mut read: Vec<(String, ArrayRef)> = Vec::with_capacity(items.len());
        for item in items {
            let what = || Problem::new(item.at, item.kind());
            let value = scalar(&item.value, data_type).ok_or_else(|| {
                let problem = format!("{}, as column `{name}` is", in_words(data_type));
                what().expected(problem)
            })?;
            let value = value.map_err(|()| {
                Problem::new(node.at("column"), format!("column `{name}` is of type {data_type}"))
                    .expected("text, integers or booleans")
            })?;
            if read.iter().any(|(_, known)| known.to_data() == value.to_data()) {
                return Err(Problem::new(item.at, format!("{} stands twice", item.kind())));
            }
            read.push((written(&item.value), value));
        }
        Ok(Self::Listed(column, read))
    }

    /// The conditions of the categories, each with how it is written.
    pub(super) fn conditions(&self) -> Vec<(String, Condition)> {
        match self {
            Self::Listed((index, name, _), values) => values
                .iter()
                .map(|(text, value)| {
                    (text.clone(), Condition::is(*index, name, Arc::clone(value), text))
                })
                .collect(),
            Self::Found(..) => Vec::new(),
        }
    }
}

/// The value in the type of the column; none if it is of another one, an error if no value is told
/// apart in such a column.
fn scalar(value: &Value, data_type: &DataType) -> Option<Result<ArrayRef, ()>> {
    Some(Ok(match (data_type, value) {
        (DataType::Utf8, Value::String(text)) => Arc::new(StringArray::from(vec![text.as_str()])),
        (DataType::Boolean, Value::Bool(flag)) => Arc::new(BooleanArray::from(vec![*flag])),
        (t, Value::Int(number)) if t.is_integer() => {
            let fits = cast(&Int64Array::from(vec![*number]), t).ok()?;
            if fits.is_null(0) {
                return None;
            }
            fits
        }
        (DataType::Utf8 | DataType::Boolean, _) => return None,
        (t, _) if t.is_integer() => return None,
        _ => return Some(Err(())),
    }))
}

fn in_words(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Utf8 => "text in quotes",
        DataType::Boolean => "a boolean",
        _ => "an integer",
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        other => unreachable!("{other:?} was refused"),
    }
}
