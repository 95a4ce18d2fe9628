//! `tfidf`: how much the terms of a vocabulary say about a text.

use super::{
    super::{Build, Failed, Feature, Input},
    analyzer::{Analyzer, Of, Room},
    counts::{Counts, Norm},
    find_text,
    hashing::{one, yes},
};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

pub(in super::super) const COMPONENT: Component<Build> = Component {
    name: "tfidf",
    summary: "Writes how often each term of a vocabulary is in a text, weighed by how rare it is.",
    example: "{ column: category, vocabulary: { fuel: 1.7, fresh food: 2.1 }, ngram_range: [1, 2] }",
    details: "scikit-learn's `TfidfVectorizer`: the count of a term, or `1 + ln count` (`sublinear_tf`), times its \
              weight `idf_`, all divided by their length. With weights of 1 and `norm: none` it is \
              `CountVectorizer`. A null and a text without terms are all zeros.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `tfidf`, as scikit-learn's `TfidfVectorizer` has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of text.
    column: String,
    /// The weight of each term, `idf_` by `get_feature_names_out()`; one output each, `{as}_{term}`, in
    /// this order, 4096 at most.
    vocabulary: BTreeMap<String, f64>,
    /// `word` (the default), `char`, or `char_wb` for characters of one word each, a space at both ends.
    #[serde(default)]
    analyzer: Of,
    /// The fewest and the most words or characters of a term: `[1, 1]` if not given.
    #[serde(default = "one")]
    ngram_range: [usize; 2],
    /// False to tell capital letters from small ones.
    #[serde(default = "yes")]
    lowercase: bool,
    /// What a word is, a regular expression in Rust's syntax: two letters, numbers or `_`, or more, if
    /// not given.
    pattern: Option<String>,
    /// Words that are left out before terms are made of several.
    #[serde(default)]
    stop_words: Vec<String>,
    /// True to count a term once, however often it is there.
    #[serde(default)]
    binary: bool,
    /// True for `1 + ln count` in the place of the count.
    #[serde(default)]
    sublinear_tf: bool,
    /// What the numbers are divided by: `l2` (the default), `l1` or `none`.
    #[serde(default)]
    norm: Norm,
    /// What the outputs' names begin with: `{column}` if not given.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

/// Terms, at most: each is an output.
const TERMS_MAX: usize = 4_096;

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    let column = find_text(&options.column, input.schema, node.at("column"))?;
    let words = (options.pattern.as_deref(), options.stop_words);
    let Options { analyzer, ngram_range, lowercase, .. } = options;
    let analyzer = Analyzer::build(node, analyzer, ngram_range, lowercase, words)?;
    let terms = node.get("vocabulary").and_then(Node::as_map).unwrap_or_default();
    if !(1..=TERMS_MAX).contains(&terms.len()) {
        return Err(Problem::new(node.at("vocabulary"), format!("{} terms", terms.len()))
            .expected(format!("1 to {TERMS_MAX}")));
    }
    let weight = |(term, _, place): &(String, _, Node)| match options.vocabulary[term] {
        weight if weight.is_finite() => Ok(weight),
        _ => Err(Problem::new(place.at, place.kind()).expected("a finite number")),
    };
    let weights = terms.iter().map(weight).collect::<Result<Vec<f64>, _>>()?;
    let prefix = options.prefix.as_ref().unwrap_or(&options.column);
    let field = |term: &String| Field::new(format!("{prefix}_{term}"), DataType::Float64, false);
    let fields = terms.iter().map(|(term, ..)| Arc::new(field(term))).collect();
    let outputs = terms.iter().map(|(term, ..)| term.clone()).zip(0..).collect();
    let Options { binary, sublinear_tf, norm, .. } = options;
    Ok(Box::new(Tfidf { column, analyzer, outputs, weights, binary, sublinear_tf, norm, fields }))
}

#[derive(Debug)]
struct Tfidf {
    column: usize,
    analyzer: Analyzer,
    /// The output of each term; only ever asked for one.
    outputs: HashMap<String, usize>,
    /// By output.
    weights: Vec<f64>,
    binary: bool,
    sublinear_tf: bool,
    norm: Norm,
    fields: Vec<FieldRef>,
}

impl Tfidf {
    fn weigh(&self, output: usize, count: f64) -> f64 {
        let count = if self.binary { 1.0 } else { count };
        let count = if self.sublinear_tf { 1.0 + count.ln() } else { count };
        count * self.weights[output]
    }
}

impl Feature for Tfidf {
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
            self.analyzer.each(text, &mut room, |term| {
                if let Some(output) = self.outputs.get(term) {
                    counts.add(*output, 1.0);
                }
            });
            counts.finish(row, self.norm, |output, count| self.weigh(output, count));
        }
        out.extend(counts.into_arrays());
    }
}
