//! `weighted_mean`: a mean in which some values count more than others.

use super::{
    Aggregate, Build, Content, Kind, OfPairs, Output, Pair, Scan, float_of_pairs, scan::float_each,
};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "weighted_mean",
    summary: "The mean of the values weighted by another column.",
    example: "{ weights: quantity }",
    details: "`sum(w x) / sum(w)` over the records of the window that have a value and a weight: \
              `numpy.average`. Null where the weights add up to 0, where numpy raises an error; a \
              weight may be negative. NaN with a NaN among the values or weights.",
    state: super::PAIR_STATE,
    schema: schema_of::<WeightedMean>,
    build: |node| WeightedMean::build(node),
};

/// Options of `weighted_mean`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WeightedMean {
    /// The column of the weights.
    #[serde(rename = "weights")]
    _weights: String,
}

impl WeightedMean {
    fn build(node: &Node) -> Result<Aggregate, Problem> {
        let options: Self = registry::options(node)?;
        let column = node.get("weights").expect("its presence was checked").clone();
        Ok(Aggregate::pairs(column, options))
    }
}

impl OfPairs for WeightedMean {
    fn output(&self, values: &DataType, beside: &DataType) -> Result<Output, &'static str> {
        float_of_pairs(values, beside)
    }

    fn scan(&self, values: &DataType, beside: &DataType) -> Box<dyn Scan> {
        let kinds = Kind::of_both(values, beside);
        float_each(move |content| weighted_mean(content, kinds))
    }
}

/// Values are taken off the first one: equal ones give that one exactly.
fn weighted_mean(content: &Content<'_>, [kind, weight]: [Kind; 2]) -> Option<f64> {
    let origin = content.pairs().next()?;
    let weights = content.pairs().map(|pair| weight.number(pair.second)).sum::<f64>();
    if weights == 0.0 {
        return None;
    }
    let over = |value: &dyn Fn(Pair) -> f64| {
        let products = content.pairs().map(|pair| weight.number(pair.second) * value(pair));
        products.sum::<f64>() / weights
    };
    let distance = over(&|pair| kind.difference(pair.first, origin.first));
    let mean = kind.number(origin.first) + distance;
    // Infinite or NaN as the plain sum says if a value was not finite.
    Some(if mean.is_finite() { mean } else { over(&|pair| kind.number(pair.first)) })
}
