//! `minmax`: place between a given minimum and maximum.

use super::{Build, Failed, Feature, Input, find_number, floats};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, Field, FieldRef, Float64Type},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "minmax",
    summary: "Scales a number so that a given minimum becomes 0 and a given maximum 1.",
    example: "{ column: amount, min: 0, max: 500, clip: true }",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `minmax`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// The smallest value of the training data.
    min: f64,
    /// The largest value of the training data; a range of 0 is read as 1, as scikit-learn does.
    max: f64,
    /// True to keep values outside the range at 0 or 1.
    #[serde(default)]
    clip: bool,
    /// Name of the output; `{column}_minmax` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, min, max, clip, name } = registry::options(node)?;
    let index = find_number(&column, input.schema, node.at("column"))?;
    if !(min <= max && (max - min).is_finite()) {
        return Err(Problem::new(node.at("max"), format!("`max` is {max}, `min` is {min}"))
            .expected("finite numbers, `max` not below `min`"));
    }
    let name = name.unwrap_or_else(|| format!("{column}_minmax"));
    let nullable = input.schema.field(index).is_nullable();
    let field = Arc::new(Field::new(name, DataType::Float64, nullable));
    let range = if max > min { max - min } else { 1.0 };
    Ok(Box::new(MinMax { column: index, min, range, clip, field }))
}

/// y = (x - min) / (max - min), clipped to [0, 1] on request.
#[derive(Debug)]
struct MinMax {
    column: usize,
    min: f64,
    range: f64,
    clip: bool,
    field: FieldRef,
}

impl Feature for MinMax {
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
        let scale = |x: f64| (x - self.min) / self.range;
        let scaled = if self.clip {
            values.unary::<_, Float64Type>(|x| scale(x).clamp(0.0, 1.0))
        } else {
            values.unary::<_, Float64Type>(scale)
        };
        out.push(Arc::new(scaled));
    }
}
