//! `robust`: distance from a given median in given quantile ranges.

use super::{
    Build, Feature, Input,
    scaled::{divisor, finite, scaled},
};
use crate::registry::{self, Component, Node, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "robust",
    summary: "Subtracts a given median and divides by a given range between quantiles.",
    example: "{ column: amount, median: 30.0, range: 45.0 }",
    details: "`(x - median) / range`. Null of a null, NaN of NaN.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `robust`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// The median of the training data: `center_` of scikit-learn's `RobustScaler`.
    median: f64,
    /// Its range between quantiles, such as q75 - q25: `scale_`, which has been divided by 1.349
    /// where the variance is to be one. 0 is read as 1, as scikit-learn does.
    range: f64,
    /// Name of the output; `{column}_robust` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// y = (x - median) / range.
fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    if node.get("online").is_some() {
        // Quantiles of all values so far would need all values, or an error that somebody states.
        return Err(Problem::new(node.at("online"), "`robust` cannot learn while records come")
            .expected(
                "`standardize` with `online`; or a window with `median` and `quantile`, such as \
                 over: 500 rows, and an expression",
            ));
    }
    let Options { column, median, range, name } = registry::options(node)?;
    let (median, range) = (finite(node, "median", median)?, divisor(node, "range", range)?);
    scaled(node, input, &column, (name, "robust"), move |x| (x - median) / range)
}
