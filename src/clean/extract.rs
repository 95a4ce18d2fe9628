//! `extract`: a part of a text column that a pattern finds, as a column of its own.

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of},
};
use arrow::{
    array::{AsArray, StringArray},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "extract",
    summary: "Adds a column with what a group of a regular expression finds in a text column.",
    example: "{ column: category, pattern: '^(\\w+)-', as: main_category }",
    details: "The first match counts, by the syntax of the Rust crate `regex`. Null of a null, \
              where nothing matches, and where the group takes no part in the match.",
    state: "none",
    schema: schema_of::<Options>,
    build,
};

/// Options of `extract`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of text.
    column: String,
    /// A regular expression, as the Rust crate `regex` reads it; its first match counts.
    pattern: String,
    /// The group that is taken: 1 if not given, 0 is the whole match.
    #[serde(default = "first")]
    group: usize,
    /// Name of the new column. Null where nothing matches or the group takes no part.
    #[serde(rename = "as")]
    name: String,
}

fn first() -> usize {
    1
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Clean>, Problem> {
    let Options { column, pattern, group, name } = registry::options(node)?;
    let index = column::named(input.schema, &column, node.at("column"))?;
    column::text(input.schema.field(index), node.at("column"))?;
    let pattern = column::pattern(&pattern, node.at("pattern"))?;
    let groups = pattern.captures_len() - 1;
    if group > groups {
        let at = if node.get("group").is_some() { "group" } else { "pattern" };
        return Err(Problem::new(node.at(at), format!("the pattern has {groups} groups"))
            .expected(format!("a group {group}, in parentheses")));
    }
    if input.schema.index_of(&name).is_ok() {
        let what = format!("column `{name}` exists already");
        return Err(Problem::new(node.at("as"), what).expected("another name"));
    }
    let field: FieldRef = Arc::new(Field::new(name, DataType::Utf8, true));
    let fields = input.schema.fields().iter().chain([&field]).map(Arc::clone);
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Ok(Box::new(Extract { schema, column: index, pattern, group, field }))
}

#[derive(Debug)]
struct Extract {
    schema: SchemaRef,
    column: usize,
    pattern: Regex,
    group: usize,
    field: FieldRef,
}

impl Clean for Extract {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, _rejected: &mut Rejections) -> Rows {
        let found = |text: Option<&str>| {
            let captures = self.pattern.captures(text?)?;
            // Of the same text: as long as the column is.
            Some(captures.get(self.group)?.as_str().to_owned())
        };
        let texts = rows.columns.column(self.column).as_string::<i32>();
        let parts: StringArray = texts.iter().map(found).collect();
        rows.with_column(Arc::clone(&self.field), Arc::new(parts))
    }
}

#[cfg(test)]
mod tests {
    use crate::clean::testing;
    use arrow::array::AsArray;

    #[test]
    fn the_group_of_the_first_match_is_taken() {
        let texts = [Some("fuel-12-x"), Some("fuel"), None, Some("-7"), Some("a-b c-9")];
        let rows: Vec<_> = texts
            .iter()
            .map(|text| testing::Row { category: *text, ..testing::Row::default() })
            .collect();
        let expect = |options: &str, expected: [Option<&str>; 5]| {
            let rows = testing::rows(&rows);
            let (out, rejected) = testing::advance_both_ways("extract", options, &rows, &[2]);
            assert!(rejected.is_empty());
            let parts: Vec<_> = out.columns["part"].as_string::<i32>().iter().collect();
            assert_eq!(parts, expected, "{options}");
        };
        let options = "{ column: category, pattern: '(\\w+)?-(\\d+)', as: part }";
        expect(options, [Some("fuel"), None, None, None, Some("c")]);
        let options = "{ column: category, pattern: '(\\w+)?-(\\d+)', group: 2, as: part }";
        expect(options, [Some("12"), None, None, Some("7"), Some("9")]);
        let options = "{ column: category, pattern: '\\w-', group: 0, as: part }";
        expect(options, [Some("l-"), None, None, None, Some("a-")]);
    }

    #[test]
    fn mistakes_say_where() {
        let problem = |options: &str| testing::build("extract", options).unwrap_err().to_string();
        assert_eq!(
            problem("{ column: category, pattern: '\\w+', as: part }"),
            "1:30: the pattern has 0 groups; expected a group 1, in parentheses"
        );
        assert_eq!(
            problem("{ column: category, pattern: '(a)', as: amount }"),
            "1:41: column `amount` exists already; expected another name"
        );
        assert_eq!(
            problem("{ column: amount, pattern: '(a)', as: part }"),
            "1:11: column `amount` is a number; expected a string column"
        );
    }
}
