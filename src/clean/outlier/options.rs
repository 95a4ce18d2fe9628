//! Options of `outlier`.

use super::{history::Histories, zscore::ZScore};
use crate::{
    clean::clip::Range,
    registry::{self, Node, Problem, Span},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// Values before the one that is judged, where `min_count` is not given.
const MIN_COUNT: usize = 20;

/// Options of `outlier`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// A numeric column.
    pub(super) column: String,
    /// How a value is judged.
    method: Method,
    /// What happens to an outlier.
    #[serde(default, deserialize_with = "Action::read")]
    #[schemars(with = "Option<Action>", extend("default" = "flag"))]
    pub(super) action: Action,
    /// Name of the column that says what is an outlier, instead of `{column}_is_outlier`.
    pub(super) name: Option<String>,
    /// `range`: lowest value.
    min: Option<f64>,
    /// `range`: highest value.
    max: Option<f64>,
    /// `zscore`: how far back the statistics go.
    over: Option<Span>,
    /// `zscore`: standard deviations from the mean that are too many.
    threshold: Option<f64>,
    /// `zscore`: values that the statistics need.
    #[schemars(extend("default" = 20))]
    min_count: Option<usize>,
    /// `zscore`: whose values.
    #[schemars(extend("default" = "key"))]
    per: Option<Per>,
    /// `zscore`: true if the value under test counts in its own statistics.
    #[schemars(extend("default" = false))]
    include_self: Option<bool>,
}

/// How a value is judged.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// By fixed limits.
    Range,
    /// By its distance from the mean of the values before it, in standard deviations.
    Zscore,
}

/// What happens to an outlier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    /// It is only flagged.
    #[default]
    Flag,
    /// It becomes null.
    Null,
    /// It becomes the nearest value that is no outlier.
    Clip,
    /// The record is dropped.
    Drop,
    /// The record goes where the outcome `outlier` says: the dead-letter topic by default.
    Reject,
}

impl Action {
    /// In YAML a plain `null` is nothing and not a text.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(Self::Null))
    }
}

/// Whose values make the statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Per {
    /// Those of the entity key.
    Key,
    /// Those of all keys of the partition.
    Partition,
}

/// A judge of values.
#[derive(Debug)]
pub(super) enum Judge {
    Range(Range),
    ZScore(ZScore),
}

impl Options {
    pub(super) fn read(node: &Node) -> Result<Self, Problem> {
        registry::options(node)
    }

    /// The judge that the options describe, and why it finds an outlier, in words.
    pub(super) fn judge(&self, node: &Node) -> Result<(Judge, String), Problem> {
        let column = &self.column;
        match self.method {
            Method::Range => {
                only(node, "range", &["over", "threshold", "min_count", "per", "include_self"])?;
                let range = Range::build(self.min, self.max, node)?;
                Ok((Judge::Range(range), format!("column `{column}` lies outside its range")))
            }
            Method::Zscore => {
                only(node, "zscore", &["min", "max"])?;
                let zscore = self.zscore(node)?;
                let detail = format!(
                    "column `{column}` lies over {} standard deviations from the mean of {}",
                    zscore.threshold,
                    Span { us: zscore.over_us }
                );
                Ok((Judge::ZScore(zscore), detail))
            }
        }
    }

    fn zscore(&self, node: &Node) -> Result<ZScore, Problem> {
        let missing = |key| Problem::new(node.at, format!("missing key `{key}`"));
        let over = self.over.ok_or_else(|| missing("over"))?;
        if over.us == 0 {
            let expected = "a duration above 0: no value lies in an empty window";
            return Err(Problem::new(node.at("over"), "wrong value: 0").expected(expected));
        }
        let threshold = self.threshold.ok_or_else(|| missing("threshold"))?;
        if !(threshold > 0.0 && threshold.is_finite()) {
            let what = format!("wrong value: {threshold}");
            return Err(Problem::new(node.at("threshold"), what).expected("a positive number"));
        }
        let min_count = self.min_count.unwrap_or(MIN_COUNT);
        if min_count < 2 {
            let what = format!("wrong value: {min_count}");
            let expected = "at least 2: one value has no spread";
            return Err(Problem::new(node.at("min_count"), what).expected(expected));
        }
        Ok(ZScore {
            over_us: over.us,
            threshold,
            min_count,
            include_self: self.include_self.unwrap_or(false),
            histories: Histories::new(self.per.unwrap_or(Per::Key), over.us),
        })
    }
}

/// Complains about keys that belong to the other method.
fn only(node: &Node, method: &str, foreign: &[&str]) -> Result<(), Problem> {
    let entries = node.as_map().unwrap_or_default();
    match entries.iter().find(|(key, ..)| foreign.contains(&key.as_str())) {
        Some((key, at, _)) => {
            Err(Problem::new(*at, format!("key `{key}` does not belong to method `{method}`")))
        }
        None => Ok(()),
    }
}
