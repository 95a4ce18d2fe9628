//! `entropy`: how evenly the values are spread over their different ones.

use super::{
    Aggregate, Build, OF_WINDOW, OfEvents, Output, Scan, same,
    scan::{float_each, runs},
};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "entropy",
    summary: "Shannon's entropy of the shares that the different values have, in nats.",
    example: "{ base: 2 }",
    details: "`-sum p ln p` over the share `p` of each different value, divided by `ln base` \
              (Shannon 1948). 0 where all are equal, null for an empty window. NaN is equal to \
              itself, -0 and 0 are one.",
    state: OF_WINDOW,
    schema: schema_of::<Entropy>,
    build: |node| Entropy::build(node).map(Aggregate::events),
};

/// Options of `entropy`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Entropy {
    /// Base of the logarithm, 2 for bits; without it, e.
    base: Option<f64>,
}

impl Entropy {
    fn build(node: &Node) -> Result<Self, Problem> {
        let options: Self = registry::options(node)?;
        if let Some(base) = options.base.filter(|base| !(*base > 1.0 && base.is_finite())) {
            return Err(Problem::new(node.at("base"), format!("`{base}` is no base"))
                .expected("a number above 1, such as 2"));
        }
        Ok(options)
    }
}

/// The sum of -p ln p, divided by ln base.
impl OfEvents for Entropy {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        let Output { nullable, .. } = same(input)?;
        Ok(Output { data_type: DataType::Float64, nullable })
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        let unit = self.base.map_or(1.0, f64::ln);
        let (mut keys, mut counts) = (Vec::new(), Vec::new());
        float_each(move |content| {
            content.keys_into(&mut keys);
            keys.sort_unstable();
            counts.clear();
            counts.extend(runs(&keys).map(|(_, count)| count));
            // Numbers of texts have no order that lasts: neither may the sum have it.
            counts.sort_unstable();
            let n = keys.len() as f64;
            let share = |count: &usize| *count as f64 / n;
            let sum: f64 = counts.iter().map(share).map(|p| -p * p.ln()).sum();
            (!keys.is_empty()).then_some(if counts.len() == 1 { 0.0 } else { sum / unit })
        })
    }
}
