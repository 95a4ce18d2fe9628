//! `speed`: how fast the way from the key's record before was made.

use super::{Build, Feature, Input, find_number, remembered::told};
use crate::{
    aggregate::{Previous, Request},
    registry::{self, Component, Node, Problem, Span},
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "speed",
    summary: "Writes the speed that the way from the key's previous place implies, in km/h.",
    example: "{ lat: lat, lon: lon }",
    details: "Great-circle distance to the place of the key's previous record over the time between \
              the two, in event time. Null for the first record of a key, without a place, after no \
              time at all, and for a record that is behind the newest of its key, which later ones \
              are not compared with either. Remembered by `window`: `forget_after` says after which \
              time without a place a key is begun anew; never if not given.",
    state: "32 bytes a key",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `speed`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of degrees north.
    lat: String,
    /// A column of degrees east.
    lon: String,
    /// After which time without a place a key is begun anew, such as 30d. Never if not given.
    forget_after: Option<Span>,
    /// Name of the output; `speed_kmh` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

impl Options {
    fn request(&self, node: &Node) -> Result<Request, Problem> {
        Previous::Speed.request(&[&self.lat, &self.lon], self.forget_after, node)
    }
}

/// What it has to be told.
pub(super) fn ask(node: &Node) -> Result<Option<Request>, Problem> {
    registry::options::<Options>(node)?.request(node).map(Some)
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    find_number(&options.lat, input.schema, node.at("lat"))?;
    find_number(&options.lon, input.schema, node.at("lon"))?;
    let request = options.request(node)?;
    told(node, input, &request, options.name.unwrap_or_else(|| "speed_kmh".to_owned()))
}
