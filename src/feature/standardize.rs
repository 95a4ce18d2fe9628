//! `standardize`: distance from a given mean in given standard deviations.

use super::{Build, Failed, Feature, Input, find_number, floats};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "standardize",
    summary: "Subtracts a given mean and divides by a given standard deviation.",
    example: "{ column: amount, mean: 42.5, std: 17.0 }",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `standardize`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// The mean of the training data.
    mean: f64,
    /// The standard deviation of the training data; 0 is read as 1, as scikit-learn does.
    std: f64,
    /// Name of the output; `{column}_standardized` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    let column = find_number(&options.column, input.schema, node.at("column"))?;
    if !options.mean.is_finite() {
        return Err(Problem::new(node.at("mean"), "`mean` is not finite").expected("a number"));
    }
    if !(options.std >= 0.0 && options.std.is_finite()) {
        return Err(Problem::new(node.at("std"), format!("`std` is {}", options.std))
            .expected("a finite number of at least 0"));
    }
    let name = options.name.unwrap_or_else(|| format!("{}_standardized", options.column));
    let nullable = input.schema.field(column).is_nullable();
    Ok(Box::new(Standardize {
        column,
        mean: options.mean,
        std: if options.std == 0.0 { 1.0 } else { options.std },
        field: Arc::new(Field::new(name, DataType::Float64, nullable)),
    }))
}

/// z = (x - mean) / std.
#[derive(Debug)]
struct Standardize {
    column: usize,
    mean: f64,
    std: f64,
    field: FieldRef,
}

impl Feature for Standardize {
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
        let values = floats(rows, self.column);
        out.push(Arc::new(
            values.unary::<_, arrow::datatypes::Float64Type>(|x| (x - self.mean) / self.std),
        ));
    }
}
