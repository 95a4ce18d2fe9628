//! `argmin`: what another column holds where the value is least.

use super::{
    Aggregate, Build, Content, Kind, ORDERED, OfPairs, Output, Pair, Scan, same, same_if_ordered,
    scan::pick_each,
};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use std::cmp::Ordering;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "argmin",
    summary: "The value of another column at the least value, the first one of equal ones.",
    example: "{ value: merchant }",
    details: "Of the records of the window that have both values, that with the least value of the \
              window's column; of equal ones the first in (event time, offset) order, as pandas' \
              `idxmin`. DuckDB's `arg_min(value, x)`. NaN is greater than any other value. Null for an \
              empty window.",
    state: super::PAIR_STATE,
    schema: schema_of::<At>,
    build: |node| At::build(node, Ordering::Less),
};

/// Options of `argmin` and `argmax`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct At {
    /// The other column, whose value is given.
    #[serde(rename = "value")]
    _value: String,
}

impl At {
    /// An aggregate of the place where the value compares so to all others.
    pub(super) fn build(node: &Node, wanted: Ordering) -> Result<Aggregate, Problem> {
        let _: Self = registry::options(node)?;
        let column = node.get("value").expect("its presence was checked").clone();
        Ok(Aggregate::pairs(column, AtExtreme { wanted }))
    }
}

#[derive(Debug)]
struct AtExtreme {
    wanted: Ordering,
}

impl OfPairs for AtExtreme {
    fn output(&self, values: &DataType, beside: &DataType) -> Result<Output, &'static str> {
        same_if_ordered(Some(values)).map_err(|_| ORDERED)?;
        same(Some(beside))
    }

    fn scan(&self, values: &DataType, beside: &DataType) -> Box<dyn Scan> {
        let ([kind, _], wanted) = (Kind::of_both(values, beside), self.wanted);
        pick_each(beside, move |content| extreme(content, kind, wanted).map(|pair| pair.second))
    }
}

/// The first of the events whose value compares so to all values that differ from it.
fn extreme(content: &Content<'_>, kind: Kind, wanted: Ordering) -> Option<Pair> {
    let place = |pair: &Pair| kind.comparable(pair.first);
    let nearer = |found: Pair, pair: Pair| {
        if place(&pair).cmp(&place(&found)) == wanted { pair } else { found }
    };
    content.pairs().reduce(nearer)
}
