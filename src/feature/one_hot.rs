//! `one_hot`: one column of 0 and 1 per listed value.

use super::{Build, Failed, Feature, Input, find_column};
use crate::{
    batch::Reason,
    registry::{self, Component, Node, Problem, Value},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, FieldRef, Int64Type},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "one_hot",
    summary: "Writes one column per listed value, 1 where the column holds it and 0 elsewhere.",
    example: "{ column: category, values: [grocery, fuel, travel], unknown: zeros }",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `one_hot`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of text, integers or booleans.
    column: String,
    /// The values, one output column each.
    values: Vec<Listed>,
    /// What a value that is not listed becomes. A null is always all zeros.
    #[serde(default)]
    unknown: Unknown,
    /// What the outputs' names begin with instead of the column: `{as}_{value}`.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

/// A listed value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "wrong type; expected text, an integer or a boolean")]
enum Listed {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unknown {
    /// All zeros, like scikit-learn's `handle_unknown="ignore"`.
    #[default]
    Zeros,
    /// The record is rejected as `expression`.
    Reject,
}

/// The outputs are Int64: counts and indicators of a vector then have one integer type, the one
/// that `case .. then 1 else 0 end` has.
fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    let column = find_column(&options.column, input.schema, node.at("column"))?;
    let data_type = input.schema.field(column).data_type();
    let values = match data_type {
        DataType::Utf8 => Values::Text(listed(node, &options.values, "text", |v| match v {
            Listed::Text(text) => Some(text.clone()),
            _ => None,
        })?),
        DataType::Boolean => {
            Values::Boolean(listed(node, &options.values, "a boolean", |v| match v {
                Listed::Boolean(value) => Some(*value),
                _ => None,
            })?)
        }
        t if t.is_integer() => {
            Values::Integer(listed(node, &options.values, "an integer", |v| match v {
                Listed::Integer(value) => Some(*value),
                _ => None,
            })?)
        }
        other => {
            let what = format!("column `{}` is of type {other}", options.column);
            return Err(
                Problem::new(node.at("column"), what).expected("text, integers or booleans")
            );
        }
    };
    let prefix = options.prefix.as_ref().unwrap_or(&options.column);
    let fields = values.names(prefix);
    Ok(Box::new(OneHot { column, name: options.column, values, unknown: options.unknown, fields }))
}

/// The listed values in the column's type, each once.
fn listed<T: PartialEq>(
    node: &Node,
    values: &[Listed],
    kind: &str,
    read: impl Fn(&Listed) -> Option<T>,
) -> Result<Vec<T>, Problem> {
    let nodes = node.get("values").and_then(Node::as_list).unwrap_or_default();
    if nodes.is_empty() {
        return Err(Problem::new(node.at("values"), "no values").expected("at least one"));
    }
    let mut read_values = Vec::with_capacity(values.len());
    for (value, place) in values.iter().zip(nodes) {
        let Some(value) = read(value) else {
            return Err(Problem::new(place.at, place.kind()).expected(format!(
                "{kind}, as the column is{}",
                if kind == "text" && !matches!(place.value, Value::String(_)) {
                    ": put it in quotes"
                } else {
                    ""
                }
            )));
        };
        if read_values.contains(&value) {
            return Err(Problem::new(place.at, format!("{} stands twice", place.kind())));
        }
        read_values.push(value);
    }
    Ok(read_values)
}

#[derive(Debug)]
enum Values {
    Text(Vec<String>),
    Integer(Vec<i64>),
    Boolean(Vec<bool>),
}

impl Values {
    fn names(&self, prefix: &str) -> Vec<FieldRef> {
        let names: Vec<String> = match self {
            Self::Text(values) => values.iter().map(|v| format!("{prefix}_{v}")).collect(),
            Self::Integer(values) => values.iter().map(|v| format!("{prefix}_{v}")).collect(),
            Self::Boolean(values) => values.iter().map(|v| format!("{prefix}_{v}")).collect(),
        };
        names.into_iter().map(|n| Arc::new(Field::new(n, DataType::Int64, false))).collect()
    }

    /// For each row the place of its value in the list, or [`UNLISTED`].
    fn places(&self, column: &ArrayRef) -> Vec<u32> {
        match self {
            Self::Text(values) => {
                let column = column.as_string::<i32>();
                column
                    .iter()
                    .map(|text| place(values, |value| Some(value.as_str()) == text))
                    .collect()
            }
            Self::Integer(values) => {
                let column = cast(column, &DataType::Int64).expect("checked when it was built");
                let column = column.as_primitive::<Int64Type>();
                column.iter().map(|number| place(values, |value| Some(*value) == number)).collect()
            }
            Self::Boolean(values) => {
                let column = column.as_boolean();
                column.iter().map(|flag| place(values, |value| Some(*value) == flag)).collect()
            }
        }
    }
}

/// The place of a value that is not in the list.
const UNLISTED: u32 = u32::MAX;

fn place<T>(values: &[T], is_it: impl Fn(&T) -> bool) -> u32 {
    (0..).zip(values).find(|(_, value)| is_it(value)).map_or(UNLISTED, |(place, _)| place)
}

#[derive(Debug)]
struct OneHot {
    column: usize,
    name: String,
    values: Values,
    unknown: Unknown,
    fields: Vec<FieldRef>,
}

impl Feature for OneHot {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.clone()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        failed: &mut Vec<Failed>,
    ) {
        let column = rows.column(self.column);
        let places = self.values.places(column);
        for (value, _) in (0..).zip(&self.fields) {
            let hot = places.iter().map(|place| i64::from(*place == value));
            out.push(Arc::new(Int64Array::from_iter_values(hot)));
        }
        if self.unknown == Unknown::Reject {
            let unknown = |row: &usize| places[*row] == UNLISTED && column.is_valid(*row);
            failed.extend((0..places.len()).filter(unknown).map(|row| Failed {
                row,
                reason: Reason::Expression,
                detail: format!("one_hot: column `{}` holds a value that is not listed", self.name),
            }));
        }
    }
}
