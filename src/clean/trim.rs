//! `trim`: removes white space at both ends of text columns. White space as Unicode defines it.

use super::{
    Build,
    text::{Options, Text},
};
use crate::registry::{Component, schema_of};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "trim",
    summary: "Removes white space at both ends of text columns.",
    example: "{ columns: [category] }",
    details: "White space as Unicode defines it. Null stays null.",
    state: "none",
    schema: schema_of::<Options>,
    build: |options, input| Text::build(options, input, |text, out| out.push_str(text.trim())),
};
