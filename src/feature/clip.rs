//! `clip`: a number kept between bounds.

use super::{Build, Feature, Input, scaled::scaled};
use crate::registry::{self, Component, Node, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "clip",
    summary: "Keeps a number between bounds; the column itself is left as it is.",
    example: "{ column: amount, min: 0, max: 10000 }",
    details: "`min(max(x, min), max)`. Null of a null, NaN of NaN.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `clip`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// The least value; without it, none.
    min: Option<f64>,
    /// The greatest value; without it, none.
    max: Option<f64>,
    /// Name of the output; `{column}_clipped` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, min, max, name } = registry::options(node)?;
    if min.is_none() && max.is_none() {
        return Err(Problem::new(node.at, "no bounds").expected("`min`, `max` or both"));
    }
    let (min, max) = (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY));
    if min > max || min.is_nan() || max.is_nan() {
        return Err(Problem::new(node.at("max"), format!("`max` is {max}, `min` is {min}"))
            .expected("numbers, `max` not below `min`"));
    }
    scaled(node, input, &column, (name, "clipped"), move |x| x.clamp(min, max))
}
