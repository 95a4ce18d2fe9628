//! `target` and `frequency`: a number per category, as it was learned from training data.

use super::{Build, Failed, Feature, Input, categories::Categories, scaled::finite};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{Array, ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

pub(super) const TARGET: Component<Build> = Component {
    name: "target",
    summary: "Writes the mean of the target that training data has for the column's value.",
    example: "{ column: category, values: { grocery: 0.02, travel: 0.11 }, unknown: 0.05 }",
    details: "With `smooth: m`, scikit-learn has learned `(sum y + m mean y) / (n + m)` for a \
              value that came `n` times (Micci-Barreca 2001). Null becomes `missing`, a value \
              that is not listed `unknown`.",
    state: "none",
    schema: registry::schema_of::<TargetOptions>,
    build: |node, input| {
        let TargetOptions { column, values, unknown, missing, name } = registry::options(node)?;
        let unknown = finite(node, "unknown", unknown)?;
        build(node, input, Learned { column, values, unknown, missing, name, suffix: "target" })
    },
};

pub(super) const FREQUENCY: Component<Build> = Component {
    name: "frequency",
    summary: "Writes how frequent the column's value is in training data.",
    example: "{ column: category, values: { grocery: 0.31, travel: 0.04 } }",
    details: "Null becomes `missing`, a value that is not listed `unknown`.",
    state: "none",
    schema: registry::schema_of::<FrequencyOptions>,
    build: |node, input| {
        let FrequencyOptions { column, values, unknown, missing, name } = registry::options(node)?;
        let unknown = finite(node, "unknown", unknown)?;
        build(node, input, Learned { column, values, unknown, missing, name, suffix: "frequency" })
    },
};

/// Options of `target`: what scikit-learn's `TargetEncoder` has learned, smoothed as it was told to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TargetOptions {
    /// A column of text, integers or booleans.
    column: String,
    /// The number of each value: `encodings_` by `categories_`.
    values: BTreeMap<String, f64>,
    /// The number of a value that is not listed: `target_mean_`.
    unknown: f64,
    /// The number of a null: null if not given.
    missing: Option<f64>,
    /// Name of the output; `{column}_target` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// Options of `frequency`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FrequencyOptions {
    /// A column of text, integers or booleans.
    column: String,
    /// The share or the count of each value.
    values: BTreeMap<String, f64>,
    /// The number of a value that is not listed: 0 if not given.
    #[serde(default)]
    unknown: f64,
    /// The number of a null: null if not given.
    missing: Option<f64>,
    /// Name of the output; `{column}_frequency` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// What was learned of a column.
struct Learned {
    column: String,
    values: BTreeMap<String, f64>,
    unknown: f64,
    missing: Option<f64>,
    name: Option<String>,
    suffix: &'static str,
}

fn build(node: &Node, input: &Input<'_>, learned: Learned) -> Result<Box<dyn Feature>, Problem> {
    let Learned { column, values, unknown, missing, name, suffix } = learned;
    let categories = Categories::named(node, input, &column)?;
    let places = node.get("values").and_then(Node::as_map).unwrap_or_default();
    let number = |(name, _, place): &(String, _, Node)| match values[name] {
        number if number.is_finite() => Ok(number),
        _ => Err(Problem::new(place.at, place.kind()).expected("a finite number")),
    };
    let numbers = places.iter().map(number).collect::<Result<Vec<_>, _>>()?;
    let missing = missing.map(|number| finite(node, "missing", number)).transpose()?;
    let nullable = categories.field(input).is_nullable() && missing.is_none();
    let name = name.unwrap_or_else(|| format!("{column}_{suffix}"));
    let field = Arc::new(Field::new(name, DataType::Float64, nullable));
    Ok(Box::new(Mapped { categories, numbers, unknown, missing, field }))
}

#[derive(Debug)]
struct Mapped {
    categories: Categories,
    /// By the place of the value.
    numbers: Vec<f64>,
    unknown: f64,
    missing: Option<f64>,
    field: FieldRef,
}

impl Feature for Mapped {
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
        let column = self.categories.column(rows);
        let places = self.categories.places(rows);
        let number = |(row, place): (usize, &u32)| match self.numbers.get(*place as usize) {
            Some(number) => Some(*number),
            None if column.is_null(row) => self.missing,
            None => Some(self.unknown),
        };
        out.push(Arc::new(places.iter().enumerate().map(number).collect::<Float64Array>()));
    }
}
