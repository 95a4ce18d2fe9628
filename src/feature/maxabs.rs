//! `maxabs`: size against the greatest one.

use super::{
    Build, Feature, Input,
    remembered::{Learning, OnlineOptions, either},
    scaled::{divisor, scaled},
};
use crate::{
    aggregate::{Request, Scaler},
    registry::{self, Component, Node, Problem},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "maxabs",
    summary: "Divides a number by the greatest absolute value of the training data.",
    example: "{ column: amount, max_abs: 250.0 }",
    details: "`x / max_abs`. Null of a null, NaN of NaN. With `online`, by what was learned of all values so far, this one included unless `exclude_current`; a range or spread of 0 is read as 1, nulls, NaN and infinities are not learned, null below `min_count` values.",
    state: "none; 24 bytes a key with `online`",
    schema: either::<Options, OnlineOptions>,
    build,
};

/// Options with parameters.
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

/// What it has to be told.
pub(super) fn ask(node: &Node) -> Result<Option<Request>, Problem> {
    Ok(Learning::read(node, Scaler::MaxAbs)?.map(|learning| learning.request))
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    if let Some(learning) = Learning::read(node, Scaler::MaxAbs)? {
        return learning.build(node, input, "maxabs");
    }
    let Options { column, max_abs, name } = registry::options(node)?;
    let max_abs = divisor(node, "max_abs", max_abs)?;
    scaled(node, input, &column, (name, "maxabs"), move |x| x / max_abs)
}
