//! `thermometer`: one column of 0 and 1 per level, 1 where a number has reached it.

use super::{Build, Failed, Feature, Input, find_number, floats};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, Field, FieldRef, Int64Type},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "thermometer",
    summary: "Writes one column per level, 1 where a number is at or above it and 0 elsewhere.",
    example: "{ column: amount, levels: [10, 100, 1000] }",
    details: "`x >= level`. Null of a null; NaN reaches no level.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `thermometer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers. NaN reaches no level.
    column: String,
    /// Ascending; one output each: `{column}_from_{level}`.
    levels: Vec<f64>,
    /// What the outputs' names begin with instead of the column: `{as}_from_{level}`.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, levels, prefix } = registry::options(node)?;
    let index = find_number(&column, input.schema, node.at("column"))?;
    let ascend = levels.windows(2).all(|pair| pair[0] < pair[1]);
    if levels.is_empty() || !ascend || !levels.iter().all(|level| level.is_finite()) {
        return Err(Problem::new(node.at("levels"), "levels that do not ascend")
            .expected("one number or more, each greater than the one before"));
    }
    let nullable = input.schema.field(index).is_nullable();
    let prefix = prefix.unwrap_or(column);
    let field = |level: &f64| {
        Arc::new(Field::new(format!("{prefix}_from_{level}"), DataType::Int64, nullable))
    };
    let fields = levels.iter().map(field).collect();
    Ok(Box::new(Thermometer { column: index, levels, fields }))
}

#[derive(Debug)]
struct Thermometer {
    column: usize,
    levels: Vec<f64>,
    fields: Vec<FieldRef>,
}

impl Feature for Thermometer {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.clone()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let numbers = floats(rows, self.column);
        for level in &self.levels {
            out.push(Arc::new(numbers.unary::<_, Int64Type>(|x| i64::from(x >= *level))));
        }
    }
}
