//! `one_hot`: one column of 0 and 1 per listed value.

use super::{
    Build, Failed, Feature, Input,
    categories::{Categories, Listed, not_listed},
};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "one_hot",
    summary: "Writes one column per listed value, 1 where the column holds it and 0 elsewhere.",
    example: "{ column: category, values: [grocery, fuel, travel], unknown: zeros }",
    details: "Null has no 1. A value that is not listed has none either, or its record is \
              rejected as `expression`.",
    state: "none",
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
    #[schemars(extend("default" = "zeros"))]
    unknown: Unknown,
    /// What the outputs' names begin with instead of the column: `{as}_{value}`.
    #[serde(rename = "as")]
    prefix: Option<String>,
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
    let Options { column, values, unknown, prefix } = registry::options(node)?;
    let values = Categories::listed(node, input, &column, &values)?;
    let names = values.names(prefix.as_ref().unwrap_or(&column)).into_iter();
    let fields = names.map(|name| Arc::new(Field::new(name, DataType::Int64, false))).collect();
    Ok(Box::new(OneHot { name: column, values, unknown, fields }))
}

#[derive(Debug)]
struct OneHot {
    name: String,
    values: Categories,
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
        let places = self.values.places(rows);
        for (value, _) in (0..).zip(&self.fields) {
            let hot = places.iter().map(|place| i64::from(*place == value));
            out.push(Arc::new(Int64Array::from_iter_values(hot)));
        }
        if self.unknown == Unknown::Reject {
            let unknown = self.values.unknown(rows, &places).into_iter();
            failed.extend(unknown.map(|row| not_listed("one_hot", &self.name, row)));
        }
    }
}
