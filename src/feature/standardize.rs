//! `standardize`: distance from a given mean in given standard deviations.

use super::{
    Build, Feature, Input,
    scaled::{divisor, finite, scaled},
};
use crate::registry::{self, Component, Node, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "standardize",
    summary: "Subtracts a given mean and divides by a given standard deviation.",
    example: "{ column: amount, mean: 42.5, std: 17.0 }",
    details: "`(x - mean) / std`. Null of a null, NaN of NaN.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `standardize`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// The mean of the training data.
    mean: f64,
    /// The standard deviation of the training data; 0 is read as 1, as scikit-learn does.
    std: f64,
    /// Name of the output; `{column}_standardized` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// z = (x - mean) / std.
fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, mean, std, name } = registry::options(node)?;
    let (mean, std) = (finite(node, "mean", mean)?, divisor(node, "std", std)?);
    scaled(node, input, &column, (name, "standardized"), move |x| (x - mean) / std)
}
