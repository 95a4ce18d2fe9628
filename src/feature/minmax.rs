//! `minmax`: place between a given minimum and maximum.

use super::{Build, Feature, Input, scaled::scaled};
use crate::registry::{self, Component, Node, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "minmax",
    summary: "Scales a number so that a given minimum becomes 0 and a given maximum 1.",
    example: "{ column: amount, min: 0, max: 500, clip: true }",
    details: "`(x - min) / (max - min)`. Null of a null, NaN of NaN.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `minmax`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// The smallest value of the training data.
    min: f64,
    /// The largest value of the training data; a range of 0 is read as 1, as scikit-learn does.
    max: f64,
    /// True to keep values outside the range at 0 or 1.
    #[serde(default)]
    clip: bool,
    /// Name of the output; `{column}_minmax` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// y = (x - min) / (max - min), clipped to [0, 1] on request.
fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, min, max, clip, name } = registry::options(node)?;
    if !(min <= max && (max - min).is_finite()) {
        return Err(Problem::new(node.at("max"), format!("`max` is {max}, `min` is {min}"))
            .expected("finite numbers, `max` not below `min`"));
    }
    let range = if max > min { max - min } else { 1.0 };
    let (low, high) = if clip { (0.0, 1.0) } else { (f64::NEG_INFINITY, f64::INFINITY) };
    let scale = move |x: f64| ((x - min) / range).clamp(low, high);
    scaled(node, input, &column, (name, "minmax"), scale)
}
