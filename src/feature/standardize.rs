//! `standardize`: distance from a given mean in given standard deviations.

use super::{
    Build, Feature, Input,
    remembered::{Learning, OnlineOptions, either},
    scaled::{divisor, finite, scaled},
};
use crate::{
    aggregate::{Request, Scaler},
    registry::{self, Component, Node, Problem},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "standardize",
    summary: "Subtracts a given mean and divides by a given standard deviation.",
    example: "{ column: amount, mean: 42.5, std: 17.0 }",
    details: "`(x - mean) / std`. Null of a null, NaN of NaN. With `online`, by what was learned of all values so far, this one included unless `exclude_current`; a range or spread of 0 is read as 1, nulls, NaN and infinities are not learned, null below `min_count` values. Mean and population spread are Welford's (1962), weighted as in `ewma` with `adjust` where there is a `half_life`.",
    state: "none; 48 bytes a key with `online`",
    schema: either::<Options, OnlineOptions>,
    build,
};

/// Options with parameters.
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

/// What it has to be told.
pub(super) fn ask(node: &Node) -> Result<Option<Request>, Problem> {
    Ok(Learning::read(node, Scaler::Standardize)?.map(|learning| learning.request))
}

/// z = (x - mean) / std.
fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    if let Some(learning) = Learning::read(node, Scaler::Standardize)? {
        return learning.build(node, input, "standardized");
    }
    let Options { column, mean, std, name } = registry::options(node)?;
    let (mean, std) = (finite(node, "mean", mean)?, divisor(node, "std", std)?);
    scaled(node, input, &column, (name, "standardized"), move |x| (x - mean) / std)
}
