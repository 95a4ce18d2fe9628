//! `minmax`: place between a given minimum and maximum.

use super::{
    Build, Feature, Input,
    remembered::{Learning, either},
    scaled::scaled,
};
use crate::{
    aggregate::{Online, Request, Scaler},
    registry::{self, Component, Node, Problem},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "minmax",
    summary: "Scales a number so that a given minimum becomes 0 and a given maximum 1.",
    example: "{ column: amount, min: 0, max: 500, clip: true }",
    details: "`a + (b - a) (x - min) / (max - min)` for `feature_range: [a, b]`, scikit-learn's \
              `MinMaxScaler`. Null of null, NaN of NaN. With `online`, 0 and 1 are the least and the greatest of all values so far, this one included unless `exclude_current`; a range of 0 is read as 1, nulls, NaN and infinities are not learned, null below `min_count` values.",
    state: "none; 32 bytes a key with `online`",
    schema: either::<Options, OnlineOptions>,
    build,
};

/// Options with what is learned from each record.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OnlineOptions {
    /// A column of numbers.
    column: String,
    /// How it learns; `{}` for the values of each key.
    online: Online,
    /// True to keep values outside the range at 0 or 1: with `exclude_current` there are some.
    #[serde(default)]
    clip: bool,
    /// Name of the output; `{column}_minmax` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// Options with parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// The smallest value of the training data.
    min: f64,
    /// The largest value of the training data; a range of 0 is read as 1, as scikit-learn does.
    max: f64,
    /// What `min` and `max` become, as scikit-learn's option of that name: `[0, 1]` if not given.
    #[serde(default = "unit")]
    feature_range: [f64; 2],
    /// True to keep values outside the range at its ends.
    #[serde(default)]
    clip: bool,
    /// Name of the output; `{column}_minmax` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn unit() -> [f64; 2] {
    [0.0, 1.0]
}

/// What it has to be told.
pub(super) fn ask(node: &Node) -> Result<Option<Request>, Problem> {
    Ok(learning(node)?.map(|learning| learning.request))
}

fn learning(node: &Node) -> Result<Option<Learning>, Problem> {
    if node.get("online").is_none() {
        return Ok(None);
    }
    let OnlineOptions { column, online, clip, name } = registry::options(node)?;
    let request = online.request(Scaler::MinMax { clip }, &column, node)?;
    Ok(Some(Learning { column, name, request }))
}

/// y = low + (high - low) (x - min) / (max - min), clipped to [low, high] on request.
fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    if let Some(learning) = learning(node)? {
        return learning.build(node, input, "minmax");
    }
    let Options { column, min, max, feature_range: [low, high], clip, name } =
        registry::options(node)?;
    if !(min <= max && (max - min).is_finite()) {
        return Err(Problem::new(node.at("max"), format!("`max` is {max}, `min` is {min}"))
            .expected("finite numbers, `max` not below `min`"));
    }
    if !(low < high && (high - low).is_finite()) {
        return Err(Problem::new(
            node.at("feature_range"),
            format!("a range from {low} to {high}"),
        )
        .expected("two finite numbers, the second above the first"));
    }
    let range = if max > min { max - min } else { 1.0 };
    let (least, most) = if clip { (low, high) } else { (f64::NEG_INFINITY, f64::INFINITY) };
    let unit = unit();
    let is_unit = low.to_bits() == unit[0].to_bits() && high.to_bits() == unit[1].to_bits();
    let scale = move |x: f64| {
        let share = (x - min) / range;
        let y = if is_unit { share } else { low + (high - low) * share };
        y.clamp(least, most)
    };
    scaled(node, input, &column, (name, "minmax"), scale)
}
