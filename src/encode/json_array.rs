//! `json_array`: the values alone, in declared order.

use super::{Build, json::Json};
use crate::registry::Component;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "json_array",
    summary: "Writes each vector as a JSON array of its values in the declared order.",
    example: "{}",
    details: "Values as in `json`.",
    state: "none",
    schema: super::no_options,
    build: |input| Ok(Box::new(Json::build(input, false)?)),
};
