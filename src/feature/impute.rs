//! `impute` and `is_missing`: a value in the place of none, and whether there was one.

use super::{Build, Failed, Feature, Input, find_column, floats, scaled::finite};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray},
    compute::{cast, is_null},
    datatypes::{DataType, Field, FieldRef, Int64Type},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "impute",
    summary: "Writes a given value where a column has none, else the column's own.",
    example: "{ column: amount, value: 12.5 }",
    details: "scikit-learn's `SimpleImputer`, whose `statistics_` are the values. A null and NaN are no value. \
              Numbers become floats, but integers that an integer stands in for.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

pub(super) const IS_MISSING: Component<Build> = Component {
    name: "is_missing",
    summary: "Writes 1 where a column has no value, else 0.",
    example: "{ column: amount }",
    details: "scikit-learn's `MissingIndicator`. A null and NaN are no value.",
    state: "none",
    schema: registry::schema_of::<MissingOptions>,
    build: build_missing,
};

/// Options of `impute`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers, text or booleans.
    column: String,
    /// What stands for no value, of the column's type: `statistics_` of `SimpleImputer`.
    value: Written,
    /// Name of the output; `{column}_imputed` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// Options of `is_missing`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MissingOptions {
    /// A column.
    column: String,
    /// Name of the output; `{column}_is_missing` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// A value as it stands in the file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "wrong type; expected a number, text or a boolean")]
enum Written {
    Boolean(bool),
    Number(f64),
    Text(String),
}

/// What stands for no value.
#[derive(Debug)]
enum Fill {
    Float(f64),
    Integer(i64),
    Text(String),
    Boolean(bool),
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, value, name } = registry::options(node)?;
    let index = find_column(&column, input.schema, node.at("column"))?;
    let fill = match (input.schema.field(index).data_type(), value) {
        (data_type, Written::Number(number)) if data_type.is_numeric() => {
            let number = finite(node, "value", number)?;
            match integer(number).filter(|_| data_type.is_integer()) {
                Some(integer) => Fill::Integer(integer),
                None => Fill::Float(number),
            }
        }
        (DataType::Utf8, Written::Text(text)) => Fill::Text(text),
        (DataType::Boolean, Written::Boolean(flag)) => Fill::Boolean(flag),
        (data_type, _) => {
            let kind = node.get("value").map_or_else(String::new, Node::kind);
            let what = format!("{kind} for column `{column}`, which is of type {data_type}");
            return Err(Problem::new(node.at("value"), what)
                .expected("a number, text or boolean, as the column is"));
        }
    };
    let data_type = match fill {
        Fill::Float(_) => DataType::Float64,
        Fill::Integer(_) => DataType::Int64,
        Fill::Text(_) => DataType::Utf8,
        Fill::Boolean(_) => DataType::Boolean,
    };
    let name = name.unwrap_or_else(|| format!("{column}_imputed"));
    Ok(Box::new(Impute {
        column: index,
        fill,
        field: Arc::new(Field::new(name, data_type, false)),
    }))
}

/// The number as an integer, if it is one.
#[expect(clippy::cast_possible_truncation, reason = "compared with the number afterwards")]
#[expect(clippy::float_cmp, reason = "the number is an integer or it is not")]
fn integer(number: f64) -> Option<i64> {
    let integer = number as i64;
    (integer as f64 == number && integer != i64::MAX).then_some(integer)
}

#[derive(Debug)]
struct Impute {
    column: usize,
    fill: Fill,
    field: FieldRef,
}

impl Feature for Impute {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let column = rows.column(self.column);
        out.push(match &self.fill {
            Fill::Float(fill) => {
                let numbers = floats(rows, self.column);
                let own = numbers.iter().map(|x| x.filter(|x| !x.is_nan()).unwrap_or(*fill));
                Arc::new(Float64Array::from_iter_values(own))
            }
            Fill::Integer(fill) => {
                let numbers = cast(column, &DataType::Int64).expect("checked when it was built");
                let own = numbers.as_primitive::<Int64Type>().iter().map(|x| x.unwrap_or(*fill));
                Arc::new(Int64Array::from_iter_values(own))
            }
            Fill::Text(fill) => {
                let texts = column.as_string::<i32>().iter();
                Arc::new(StringArray::from_iter_values(texts.map(|text| text.unwrap_or(fill))))
            }
            Fill::Boolean(fill) => {
                let flags = column.as_boolean().iter().map(|flag| Some(flag.unwrap_or(*fill)));
                Arc::new(flags.collect::<BooleanArray>())
            }
        });
    }
}

fn build_missing(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let MissingOptions { column, name } = registry::options(node)?;
    let index = find_column(&column, input.schema, node.at("column"))?;
    let name = name.unwrap_or_else(|| format!("{column}_is_missing"));
    let is_float = input.schema.field(index).data_type().is_floating();
    let field = Arc::new(Field::new(name, DataType::Int64, false));
    Ok(Box::new(IsMissing { column: index, is_float, field }))
}

#[derive(Debug)]
struct IsMissing {
    column: usize,
    is_float: bool,
    field: FieldRef,
}

impl Feature for IsMissing {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let missing: Int64Array = if self.is_float {
            let numbers = floats(rows, self.column);
            let missing = numbers.iter().map(|x| i64::from(x.is_none_or(f64::is_nan)));
            Int64Array::from_iter_values(missing)
        } else {
            let nulls = is_null(rows.column(self.column)).expect("any array has a mask");
            Int64Array::from_iter_values(nulls.values().iter().map(i64::from))
        };
        out.push(Arc::new(missing));
    }
}
