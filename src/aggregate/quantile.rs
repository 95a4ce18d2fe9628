//! `quantile`: the value that a share of the others lies below.

use super::{
    Aggregate, Build, OF_WINDOW, OfEvents, Output, Scan, float_of_numbers,
    rank_statistics::{Interpolation, quantile},
    scan::float_each,
};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "quantile",
    summary: "The value below which the share `q` of the values lies, exact.",
    example: "{ q: 0.9, interpolation: linear }",
    details: "Of the values in ascending order, that at place `q (n - 1)` counted from 0, between \
              two as `interpolation` says (Hyndman and Fan 1996, definition 7). Null for an empty \
              window; NaN is greater than any other value.",
    state: OF_WINDOW,
    schema: schema_of::<Quantile>,
    build: |node| Quantile::build(node).map(Aggregate::events),
};

/// Options of `quantile`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Quantile {
    /// The share, from 0 to 1.
    q: f64,
    /// Between two values: linear, lower, higher, midpoint or nearest, as in pandas.
    #[serde(default)]
    #[schemars(extend("default" = "linear"))]
    interpolation: Interpolation,
}

impl Quantile {
    fn build(node: &Node) -> Result<Self, Problem> {
        let options: Self = registry::options(node)?;
        if !(0.0..=1.0).contains(&options.q) {
            return Err(Problem::new(node.at("q"), format!("`{}` is no share", options.q))
                .expected("a number from 0 to 1"));
        }
        Ok(options)
    }
}

impl OfEvents for Quantile {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        let (Self { q, interpolation }, mut keys) = (*self, Vec::new());
        float_each(move |content| {
            content.keys_into(&mut keys);
            quantile(&mut keys, content.kind, q, interpolation)
        })
    }
}
