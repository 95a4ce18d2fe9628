//! `lower`: writes text columns in lower case. Character by character as Unicode maps them, whatever the language.

use super::{
    Build,
    text::{Options, Text},
};
use crate::registry::{Component, schema_of};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "lower",
    summary: "Writes text columns in lower case.",
    example: "{ columns: [category] }",
    details: "Character by character as Unicode maps them, whatever the language. Null stays \
              null.",
    state: "none",
    schema: schema_of::<Options>,
    build: |options, input| {
        Text::build(options, input, |text, out| {
            out.extend(text.chars().flat_map(char::to_lowercase));
        })
    },
};
