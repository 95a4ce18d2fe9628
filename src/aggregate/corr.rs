//! `corr`: the correlation of two columns.

use super::{
    Aggregate, Build, Kind, OfPairs, Output, Scan, float_of_pairs, scan::float_each,
    together::Together,
};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "corr",
    summary: "Pearson's correlation with another column.",
    example: "{ with: duration }",
    details: "`sum((x - mean x) (y - mean y)) / sqrt(sum((x - mean x)^2) sum((y - mean y)^2))` over the \
              records of the window that have both values: `numpy.corrcoef`, pandas' `rolling.corr`, \
              SQL's `corr`. Null where all values of a column are equal, so also below two records, \
              where pandas gives NaN, and where the squares of all deviations are 0, as those of \
              1e-200 are; NaN with a NaN or an infinity among the values.",
    state: super::PAIR_STATE,
    schema: schema_of::<Corr>,
    build: |node| Corr::build(node),
};

/// Options of `corr`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Corr {
    /// The other column.
    #[serde(rename = "with")]
    _with: String,
}

impl Corr {
    fn build(node: &Node) -> Result<Aggregate, Problem> {
        let options: Self = registry::options(node)?;
        let column = node.get("with").expect("its presence was checked").clone();
        Ok(Aggregate::pairs(column, options))
    }
}

impl OfPairs for Corr {
    fn output(&self, values: &DataType, beside: &DataType) -> Result<Output, &'static str> {
        float_of_pairs(values, beside)
    }

    fn scan(&self, values: &DataType, beside: &DataType) -> Box<dyn Scan> {
        let kinds = Kind::of_both(values, beside);
        float_each(move |content| {
            let Together { squares, squares_beside, products, .. } = Together::of(content, kinds)?;
            if squares == 0.0 || squares_beside == 0.0 {
                return None;
            }
            // Rounding may lead beyond; NaN stays.
            Some((products / (squares.sqrt() * squares_beside.sqrt())).clamp(-1.0, 1.0))
        })
    }
}
