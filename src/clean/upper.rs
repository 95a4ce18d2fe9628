//! `upper`: writes text columns in upper case. Character by character as Unicode maps them, whatever the language.

use super::{
    Build,
    text::{Options, Text},
};
use crate::registry::{Component, schema_of};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "upper",
    summary: "Writes text columns in upper case.",
    example: "{ columns: [category] }",
    details: "Character by character as Unicode maps them, whatever the language. Null stays \
              null.",
    state: "none",
    schema: schema_of::<Options>,
    build: |options, input| {
        Text::build(options, input, |text, out| {
            out.extend(text.chars().flat_map(char::to_uppercase));
        })
    },
};
