//! `bins`: the number of the interval that a value lies in.

use super::{Build, Failed, Feature, Input, find_number, floats};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef, Int64Type},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "bins",
    summary: "The number, from 0, of the interval between given edges that a value lies in.",
    example: "{ column: amount, edges: [0, 10, 100, 1000] }",
    details: "Bin `i` is `[edges[i], edges[i + 1])`, the last one closed. Null of a null, as \
              indicators all 0; NaN lies in the last bin.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `bins`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// Ascending. A value on an edge lies above it; one outside lies in the first interval or the
    /// last one, as with scikit-learn's `KBinsDiscretizer`. NaN lies in the last one.
    edges: Vec<f64>,
    /// `ordinal`, one output with the number, or `one_hot`, one per interval: `{as}_0` and so on, 1 for
    /// the one that the value lies in, all 0 for a null. `ordinal` if not given.
    #[serde(default)]
    #[schemars(extend("default" = "ordinal"))]
    encode: Encode,
    /// Name of the output; `{column}_bin` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// What is written of an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Encode {
    #[default]
    Ordinal,
    OneHot,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, edges, encode, name } = registry::options(node)?;
    let index = find_number(&column, input.schema, node.at("column"))?;
    if edges.len() < 2 || !edges.windows(2).all(|pair| pair[0] < pair[1]) {
        return Err(Problem::new(node.at("edges"), "edges that bound nothing")
            .expected("two numbers or more, each greater than the one before"));
    }
    let name = name.unwrap_or_else(|| format!("{column}_bin"));
    let inner = edges[1..edges.len() - 1].to_vec();
    let field = |name, nullable| Arc::new(Field::new(name, DataType::Int64, nullable));
    let fields = match encode {
        Encode::Ordinal => vec![field(name, input.schema.field(index).is_nullable())],
        Encode::OneHot => {
            (0..=inner.len()).map(|bin| field(format!("{name}_{bin}"), false)).collect()
        }
    };
    Ok(Box::new(Bins { column: index, inner, encode, fields }))
}

#[derive(Debug)]
struct Bins {
    column: usize,
    /// The edges between intervals.
    inner: Vec<f64>,
    encode: Encode,
    fields: Vec<FieldRef>,
}

impl Feature for Bins {
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
        let bin = |x: f64| self.inner.partition_point(|edge| x >= *edge || x.is_nan());
        let number = |x| i64::try_from(bin(x)).expect("edges fit memory");
        let numbers = floats(rows, self.column).unary::<_, Int64Type>(number);
        match self.encode {
            Encode::Ordinal => out.push(Arc::new(numbers)),
            Encode::OneHot => out.extend((0..).zip(&self.fields).map(|(bin, _)| {
                let is_it = numbers.iter().map(|number| i64::from(number == Some(bin)));
                Arc::new(Int64Array::from_iter_values(is_it)) as ArrayRef
            })),
        }
    }
}
