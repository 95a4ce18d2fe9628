//! `normalize`: a group of numbers scaled to length one, record by record.

use super::{Build, Failed, Feature, Input, find_number, floats};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{Array, ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "normalize",
    summary: "Divides columns by the length that they have together in the record.",
    example: "{ columns: [amount, count], norm: l2 }",
    details: "`x / length` with the length of l2 `sqrt(sum x²)`, l1 `sum |x|` or max `max |x|`: scikit-learn's \
              `Normalizer`. All zeros stay so. Null where any of the columns is.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// What the length of several numbers is.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Norm {
    /// The root of the sum of squares: the default.
    #[default]
    L2,
    /// The sum of absolute values.
    L1,
    /// The greatest absolute value.
    Max,
}

/// Options of `normalize`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns of numbers. Each gives an output `{column}_normalized`.
    columns: Vec<String>,
    /// What their length is: `l2`, `l1` or `max`.
    #[serde(default)]
    #[schemars(extend("default" = "l2"))]
    norm: Norm,
    /// What the outputs' names begin with, `{as}_{column}`, in the place of `{column}_normalized`.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { columns, norm, prefix } = registry::options(node)?;
    if columns.is_empty() {
        return Err(Problem::new(node.at("columns"), "no columns").expected("at least one"));
    }
    let places = node.get("columns").and_then(Node::as_list).unwrap_or_default();
    let find = |(name, place): (&String, &Node)| find_number(name, input.schema, place.at);
    let indices = columns.iter().zip(places).map(find).collect::<Result<Vec<_>, _>>()?;
    let nullable = indices.iter().any(|index| input.schema.field(*index).is_nullable());
    let field = |name: &String| {
        let output = match &prefix {
            Some(prefix) => format!("{prefix}_{name}"),
            None => format!("{name}_normalized"),
        };
        Arc::new(Field::new(output, DataType::Float64, nullable))
    };
    let fields = columns.iter().map(field).collect();
    Ok(Box::new(Normalize { columns: indices, norm, fields }))
}

/// Null where any of the columns is; what is all zeros stays so.
#[derive(Debug)]
struct Normalize {
    columns: Vec<usize>,
    norm: Norm,
    fields: Vec<FieldRef>,
}

impl Norm {
    fn length(self, numbers: impl Iterator<Item = f64>) -> f64 {
        match self {
            Self::L2 => numbers.map(|x| x * x).sum::<f64>().sqrt(),
            Self::L1 => numbers.map(f64::abs).sum(),
            Self::Max => numbers.map(f64::abs).fold(0.0, f64::max),
        }
    }
}

impl Feature for Normalize {
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
        let columns: Vec<Float64Array> =
            self.columns.iter().map(|index| floats(rows, *index)).collect();
        let length = |row: usize| {
            let is_whole = columns.iter().all(|column| column.is_valid(row));
            let length = self.norm.length(columns.iter().map(|column| column.value(row)));
            is_whole.then_some(if length == 0.0 { 1.0 } else { length })
        };
        let lengths: Vec<Option<f64>> = (0..rows.num_rows()).map(length).collect();
        for column in &columns {
            let values = column.values().iter().zip(&lengths);
            let scaled: Float64Array = values.map(|(x, length)| Some(x / (*length)?)).collect();
            out.push(Arc::new(scaled));
        }
    }
}
