//! `replace`: rewrites what a pattern matches in text columns.

use super::{Build, column, text::Text};
use crate::registry::{self, Component, schema_of};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "replace",
    summary: "Rewrites each match of a regular expression in text columns.",
    example: "{ columns: [category], pattern: '[\\s_]+', with: '-' }",
    details: "All matches that do not overlap, by the syntax of the Rust crate `regex`. Null \
              stays null.",
    state: "none",
    schema: schema_of::<Options>,
    build: |options, input| {
        let Options { columns, pattern, with } = registry::options(options)?;
        let pattern = column::pattern(&pattern, options.at("pattern"))?;
        Text::of(&columns, options, input, move |text, out| {
            out.push_str(&pattern.replace_all(text, with.as_str()));
        })
    },
};

/// Options of `replace`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns to rewrite.
    columns: Vec<String>,
    /// A regular expression, as the Rust crate `regex` reads it. Matches do not overlap.
    pattern: String,
    /// What stands in the place of each match; `$1` or `${name}` is a group of it, `$$` a dollar.
    with: String,
}

#[cfg(test)]
mod tests {
    use crate::{batch::Rejections, clean::testing};
    use arrow::array::AsArray;

    fn replaced(options: &str, text: &str) -> String {
        let row = testing::Row { category: Some(text), ..testing::Row::default() };
        let mut clean = testing::build("replace", options).unwrap();
        let rows = clean.advance(testing::rows(&[row]), &mut Rejections::default());
        rows.columns["category"].as_string::<i32>().value(0).to_owned()
    }

    #[test]
    fn each_match_is_rewritten_with_its_groups() {
        let run = |pattern: &str, with: &str, text: &str| {
            replaced(
                &format!("{{ columns: [category], pattern: '{pattern}', with: '{with}' }}"),
                text,
            )
        };
        assert_eq!(run("[\\s_]+", "-", "a  b_c "), "a-b-c-");
        assert_eq!(run("(\\d+)([a-z])", "$2${1}$$", "12a-7b"), "a12$-b7$");
        assert_eq!(run("é", "e", "café"), "cafe");
        assert_eq!(run("x", "y", "fuel"), "fuel");
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_a_problem_where_it_stands() {
        let options = "{ columns: [category], pattern: '(a', with: b }";
        let problem = testing::build("replace", options).unwrap_err().to_string();
        assert!(
            problem.starts_with("1:33: the pattern cannot be read: unclosed group"),
            "{problem}"
        );
    }
}
