//! `ratio`: one number divided by another, with a value of its own where that says nothing.

use super::{Build, Failed, Feature, Input, find_number, floats, scaled::finite};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "ratio",
    summary: "Divides one column by another; a denominator near 0 gives a value of its own.",
    example: "{ of: amount, by: count, otherwise: 0 }",
    details: "`of / by`, and `otherwise` where `|by| <= near`. Null of a null, NaN of NaN.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `ratio`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers: the numerator.
    of: String,
    /// A column of numbers: the denominator.
    by: String,
    /// Denominators with an absolute value up to this are not divided by: 0 if not given.
    #[serde(default)]
    near: f64,
    /// The value where nothing is divided: null if not given. Null of a null all the same.
    otherwise: Option<f64>,
    /// Name of the output; `{of}_per_{by}` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { of, by, near, otherwise, name } = registry::options(node)?;
    let columns = [
        find_number(&of, input.schema, node.at("of"))?,
        find_number(&by, input.schema, node.at("by"))?,
    ];
    let near = finite(node, "near", near)?;
    if near < 0.0 {
        return Err(Problem::new(node.at("near"), format!("`near` is {near}"))
            .expected("a number of at least 0"));
    }
    let otherwise = otherwise.map(|number| finite(node, "otherwise", number)).transpose()?;
    let any_null = columns.iter().any(|index| input.schema.field(*index).is_nullable());
    let nullable = any_null || otherwise.is_none();
    let name = name.unwrap_or_else(|| format!("{of}_per_{by}"));
    let field = Arc::new(Field::new(name, DataType::Float64, nullable));
    Ok(Box::new(Ratio { columns, near, otherwise, field }))
}

#[derive(Debug)]
struct Ratio {
    columns: [usize; 2],
    near: f64,
    otherwise: Option<f64>,
    field: FieldRef,
}

impl Feature for Ratio {
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
        let [of, by] = self.columns.map(|index| floats(rows, index));
        let ratio = |(x, y): (Option<f64>, Option<f64>)| {
            let (x, y) = (x?, y?);
            if y.abs() <= self.near { self.otherwise } else { Some(x / y) }
        };
        out.push(Arc::new(of.iter().zip(&by).map(ratio).collect::<Float64Array>()));
    }
}
