//! `text_hashing`: the n-grams of a text in a fixed number of outputs.

use super::{
    super::{Build, Failed, Feature, Input, hashing::Hash},
    analyzer::{Analyzer, Of, Room},
    counts::{Counts, Norm},
    find_text,
};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(in super::super) const COMPONENT: Component<Build> = Component {
    name: "text_hashing",
    summary: "Counts the words or character n-grams of a text in as many outputs as are asked for.",
    example: "{ column: category, outputs: 64, analyzer: char_wb, ngram_range: [2, 4] }",
    details: "scikit-learn's `HashingVectorizer`: an n-gram counts in output `abs(h) mod n` with the sign of `h`, \
              its MurmurHash3 (x86, 32 bits, seed 0); the counts are then divided by their length. A null and \
              a text without n-grams are all zeros.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `text_hashing`, as scikit-learn's `HashingVectorizer` has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of text.
    column: String,
    /// Number of outputs, 1 to 4096: `{as}_0` and so on.
    outputs: u32,
    /// `word` (the default), `char`, or `char_wb` for characters of one word each, a space at both ends.
    #[serde(default)]
    analyzer: Of,
    /// The fewest and the most words or characters of an n-gram: `[1, 1]` if not given.
    #[serde(default = "one")]
    ngram_range: [usize; 2],
    /// False to tell capital letters from small ones.
    #[serde(default = "yes")]
    lowercase: bool,
    /// What a word is, a regular expression in Rust's syntax: two letters, numbers or `_`, or more, if
    /// not given.
    pattern: Option<String>,
    /// Words that do not count.
    #[serde(default)]
    stop_words: Vec<String>,
    /// True to count an n-gram once, however often it is there.
    #[serde(default)]
    binary: bool,
    /// What the counts are divided by: `l2` (the default), `l1` or `none`.
    #[serde(default)]
    norm: Norm,
    /// False to add where the hash says to subtract.
    #[serde(default = "yes")]
    alternate_sign: bool,
    /// What the outputs' names begin with: `{column}_hash` if not given.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

pub(super) fn one() -> [usize; 2] {
    [1, 1]
}

pub(super) fn yes() -> bool {
    true
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    let column = find_text(&options.column, input.schema, node.at("column"))?;
    let words = (options.pattern.as_deref(), options.stop_words);
    let Options { analyzer, ngram_range, lowercase, outputs, .. } = options;
    let analyzer = Analyzer::build(node, analyzer, ngram_range, lowercase, words)?;
    let hash = Hash::build(node, outputs, options.alternate_sign)?;
    let prefix = options.prefix.unwrap_or_else(|| format!("{}_hash", options.column));
    let field = |output| Field::new(format!("{prefix}_{output}"), DataType::Float64, false);
    let fields = (0..outputs).map(|output| Arc::new(field(output))).collect();
    let Options { binary, norm, .. } = options;
    Ok(Box::new(TextHashing { column, analyzer, hash, binary, norm, fields }))
}

#[derive(Debug)]
struct TextHashing {
    column: usize,
    analyzer: Analyzer,
    hash: Hash,
    binary: bool,
    norm: Norm,
    fields: Vec<FieldRef>,
}

impl Feature for TextHashing {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.clone()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let mut counts = Counts::new(self.fields.len(), rows.num_rows());
        let mut room = Room::default();
        for (row, text) in rows.column(self.column).as_string::<i32>().iter().enumerate() {
            let Some(text) = text else { continue };
            self.analyzer.each(text, &mut room, |gram| {
                let place = self.hash.of(gram);
                counts.add(place.output, place.sign);
            });
            counts.finish(row, self.norm, |_, count| if self.binary { 1.0 } else { count });
        }
        out.extend(counts.into_arrays());
    }
}
