//! `maxabs`: size against the greatest one.

use super::{
    Build, Feature, Input,
    scaled::{divisor, scaled},
};
use crate::registry::{self, Component, Node, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "maxabs",
    summary: "Divides a number by the greatest absolute value of the training data.",
    example: "{ column: amount, max_abs: 250.0 }",
    details: "`x / max_abs`. Null of a null, NaN of NaN.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `maxabs`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// The greatest absolute value of the training data; 0 is read as 1, as scikit-learn does.
    max_abs: f64,
    /// Name of the output; `{column}_maxabs` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, max_abs, name } = registry::options(node)?;
    let max_abs = divisor(node, "max_abs", max_abs)?;
    scaled(node, input, &column, (name, "maxabs"), move |x| x / max_abs)
}
