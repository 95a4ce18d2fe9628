//! `log1p`: the logarithm of one more.

use super::{Build, Feature, Input, scaled::scaled};
use crate::registry::{self, Component, Node, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "log1p",
    summary: "The natural logarithm of 1 + x, exact for small x; NaN below -1.",
    example: "{ column: amount }",
    details: "`ln(1 + x)`. Null of a null; NaN of NaN and below -1, minus infinity at -1.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `log1p`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// Name of the output; `{column}_log1p` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, name } = registry::options(node)?;
    scaled(node, input, &column, (name, "log1p"), f64::ln_1p)
}
