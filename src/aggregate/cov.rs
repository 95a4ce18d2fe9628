//! `cov`: the covariance of two columns.

use super::{
    Aggregate, Build, Kind, OfPairs, Output, Scan, float_of_pairs, scan::float_each,
    together::Together,
};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "cov",
    summary: "The covariance with another column.",
    example: "{ with: duration, ddof: 1 }",
    details: "`sum((x - mean x) (y - mean y)) / (n - ddof)` over the `n` records of the window that have \
              both values: `numpy.cov`, pandas' `rolling.cov`, SQL's `covar_samp`, with `ddof: 0` \
              `covar_pop`. Null unless there are more than `ddof` records; NaN with a NaN or an infinity \
              among the values.",
    state: super::PAIR_STATE,
    schema: schema_of::<Cov>,
    build: |node| Cov::build(node),
};

/// Options of `cov`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Cov {
    /// The other column.
    #[serde(rename = "with")]
    _with: String,
    /// What is taken off the number of records: 1, the default, for a sample, 0 for a population.
    #[serde(default = "sample")]
    ddof: u32,
}

fn sample() -> u32 {
    1
}

impl Cov {
    fn build(node: &Node) -> Result<Aggregate, Problem> {
        let options: Self = registry::options(node)?;
        let column = node.get("with").expect("its presence was checked").clone();
        Ok(Aggregate::pairs(column, options))
    }
}

impl OfPairs for Cov {
    fn output(&self, values: &DataType, beside: &DataType) -> Result<Output, &'static str> {
        float_of_pairs(values, beside)
    }

    fn scan(&self, values: &DataType, beside: &DataType) -> Box<dyn Scan> {
        let (kinds, ddof) = (Kind::of_both(values, beside), u64::from(self.ddof));
        float_each(move |content| {
            let Together { n, products, .. } = Together::of(content, kinds)?;
            (n > ddof).then(|| products / (n - ddof) as f64)
        })
    }
}
