//! `text_length` and `token_count`: how much text there is.

use super::{
    super::{Build, Failed, Feature, Input},
    analyzer::{is_space, pattern},
    find_text,
};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(in super::super) const LENGTH: Component<Build> = Component {
    name: "text_length",
    summary: "Writes the length of a text in characters, bytes or words.",
    example: "{ column: category, unit: words }",
    details: "Characters are Unicode code points, as pandas' `.str.len()` counts them; bytes are those of UTF-8; \
              words are what white space parts, as `.str.split()`. Null of null.",
    state: "none",
    schema: registry::schema_of::<LengthOptions>,
    build: build_length,
};

pub(in super::super) const TOKENS: Component<Build> = Component {
    name: "token_count",
    summary: "Writes how often a pattern is found in a text.",
    example: "{ column: category, pattern: '[0-9]+' }",
    details: "Without a pattern the tokens of scikit-learn's vectorizers: words of two characters or more. Null \
              of null.",
    state: "none",
    schema: registry::schema_of::<TokenOptions>,
    build: build_tokens,
};

/// Options of `text_length`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LengthOptions {
    /// A column of text.
    column: String,
    /// `characters` (the default), `bytes` or `words`.
    #[serde(default)]
    unit: Unit,
    /// Name of the output; `{column}_{unit}` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unit {
    #[default]
    Characters,
    Bytes,
    Words,
}

/// Options of `token_count`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokenOptions {
    /// A column of text.
    column: String,
    /// A regular expression in Rust's syntax; words of two characters or more if not given.
    pattern: Option<String>,
    /// Name of the output; `{column}_tokens` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn build_length(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let LengthOptions { column, unit, name } = registry::options(node)?;
    let (measure, suffix) = match unit {
        Unit::Characters => (Measure::Characters, "characters"),
        Unit::Bytes => (Measure::Bytes, "bytes"),
        Unit::Words => (Measure::Words, "words"),
    };
    length(node, input, &column, measure, (name, suffix))
}

fn build_tokens(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let TokenOptions { column, pattern: token, name } = registry::options(node)?;
    let measure = Measure::Tokens(pattern(node, token.as_deref())?);
    length(node, input, &column, measure, (name, "tokens"))
}

fn length(
    node: &Node,
    input: &Input<'_>,
    column: &str,
    measure: Measure,
    (name, suffix): (Option<String>, &str),
) -> Result<Box<dyn Feature>, Problem> {
    let index = find_text(column, input.schema, node.at("column"))?;
    let nullable = input.schema.field(index).is_nullable();
    let name = name.unwrap_or_else(|| format!("{column}_{suffix}"));
    let field = Arc::new(Field::new(name, DataType::Int64, nullable));
    Ok(Box::new(Length { column: index, measure, field }))
}

/// What is counted.
#[derive(Debug)]
enum Measure {
    Characters,
    Bytes,
    Words,
    Tokens(Regex),
}

impl Measure {
    fn of(&self, text: &str) -> i64 {
        let count = match self {
            Self::Characters => text.chars().count(),
            Self::Bytes => text.len(),
            Self::Words => text.split(is_space).filter(|word| !word.is_empty()).count(),
            Self::Tokens(pattern) => pattern.find_iter(text).count(),
        };
        i64::try_from(count).expect("texts fit memory")
    }
}

#[derive(Debug)]
struct Length {
    column: usize,
    measure: Measure,
    field: FieldRef,
}

impl Feature for Length {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let texts = rows.column(self.column).as_string::<i32>().iter();
        out.push(Arc::new(texts.map(|text| Some(self.measure.of(text?))).collect::<Int64Array>()));
    }
}
