//! Options of `outlier`.

use super::{
    judge::Judge,
    previous::{Previous, Rule},
    ranks::Ranks,
    rolling::{Fence, Rolling},
};
use crate::{
    aggregate::{Needs, Per},
    clean::{
        clip::Range,
        history::{Histories, MOMENTS},
    },
    registry::{self, Node, Problem, Span},
};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// Values before the one that is judged, where `min_count` is not given.
const MIN_COUNT: usize = 20;

/// Modified z-scores that are too many, where `threshold` is not given: Iglewicz and Hoaglin (1993).
const THRESHOLD: f64 = 3.5;

/// Interquartile ranges outside the quartiles, where `k` is not given: Tukey (1977).
const K: f64 = 1.5;

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
    /// `zscore`, `modified_zscore`, `iqr`, `quantile`: how far back the statistics go.
    over: Option<Span>,
    /// `zscore`: standard deviations from the mean that are too many; `modified_zscore`: modified
    /// z-scores that are, 3.5 where not given.
    threshold: Option<f64>,
    /// `iqr`: interquartile ranges outside the quartiles that are too many.
    #[schemars(extend("default" = 1.5))]
    k: Option<f64>,
    /// `quantile`: share of the values that lie below the lower limit, 0 to 1; no lower limit where
    /// not given.
    lower: Option<f64>,
    /// `quantile`: share of the values that lie below the upper limit, 0 to 1; no upper limit where
    /// not given.
    upper: Option<f64>,
    /// `zscore`, `modified_zscore`, `iqr`, `quantile`: values that the statistics need.
    #[schemars(extend("default" = 20))]
    min_count: Option<usize>,
    /// `rate_of_change`: how much the value may change in a second of event time.
    max_per_second: Option<f64>,
    /// `stuck`: equal values in a row that are too many.
    count: Option<u32>,
    /// `rate_of_change`, `stuck`: how far away in event time the value before may be; without it, any
    /// time, and keys are kept for ever.
    within: Option<Span>,
    /// Of all but `range`: whose values.
    #[schemars(extend("default" = "key"))]
    per: Option<Per>,
    /// `zscore`, `modified_zscore`, `iqr`, `quantile`: true if the value under test counts in its own
    /// statistics.
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
    /// By its distance from the median of the values before it, in median absolute deviations.
    ModifiedZscore,
    /// By its distance from the quartiles of the values before it, in interquartile ranges.
    Iqr,
    /// By quantiles of the values before it.
    Quantile,
    /// By its distance from the value before it, per second.
    RateOfChange,
    /// By how often it came in a row.
    Stuck,
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

/// Keys that belong to statistics of values before.
const ROLLING: [&str; 4] = ["over", "min_count", "per", "include_self"];

impl Options {
    pub(super) fn read(node: &Node) -> Result<Self, Problem> {
        registry::options(node)
    }

    /// The judge that the options describe, and why it finds an outlier, in words.
    pub(super) fn judge(&self, node: &Node) -> Result<(Judge, String), Problem> {
        let (judge, why) = match self.method {
            Method::Range => {
                only(node, "range", &["min", "max"], &[])?;
                let range = Range::build(self.min, self.max, node)?;
                (Judge::Range(range), "lies outside its range".to_owned())
            }
            Method::Zscore => {
                only(node, "zscore", &["threshold"], &ROLLING)?;
                let threshold = positive(self.threshold, "threshold", node)?;
                let why = format!("lies over {threshold} standard deviations from the mean");
                self.rolling(Fence::ZScore { threshold }, &why, node)?
            }
            Method::ModifiedZscore => {
                only(node, "modified_zscore", &["threshold"], &ROLLING)?;
                let threshold = positive(self.threshold.or(Some(THRESHOLD)), "threshold", node)?;
                let why = format!("lies over {threshold} modified z-scores from the median");
                self.rolling(Fence::Ranks(Ranks::ModifiedZScore { threshold }), &why, node)?
            }
            Method::Iqr => {
                only(node, "iqr", &["k"], &ROLLING)?;
                let k = positive(self.k.or(Some(K)), "k", node)?;
                let why = format!("lies over {k} interquartile ranges outside the quartiles");
                self.rolling(Fence::Ranks(Ranks::Iqr { k }), &why, node)?
            }
            Method::Quantile => {
                only(node, "quantile", &["lower", "upper"], &ROLLING)?;
                let fence = Fence::Ranks(self.quantiles(node)?);
                self.rolling(fence, "lies outside the quantiles", node)?
            }
            Method::RateOfChange => {
                only(node, "rate_of_change", &["max_per_second", "within", "per"], &[])?;
                let max = positive(self.max_per_second, "max_per_second", node)?;
                let why = format!("changed by over {max} a second");
                (self.previous(Rule::Rate { max }, node)?, why)
            }
            Method::Stuck => {
                only(node, "stuck", &["count", "within", "per"], &[])?;
                let count = self.stuck(node)?;
                let why = format!("holds the same value for the {count}th time or more");
                (self.previous(Rule::Stuck { count }, node)?, why)
            }
        };
        Ok((judge, format!("column `{}` {why}", self.column)))
    }

    fn rolling(&self, fence: Fence, why: &str, node: &Node) -> Result<(Judge, String), Problem> {
        let over = self.over.ok_or_else(|| missing("over", node))?;
        if over.us == 0 {
            let expected = "a duration above 0: no value lies in an empty window";
            return Err(Problem::new(node.at("over"), "wrong value: 0").expected(expected));
        }
        let min_count = self.min_count.unwrap_or(MIN_COUNT);
        if min_count < 2 {
            let what = format!("wrong value: {min_count}");
            let expected = "at least 2: one value has no spread";
            return Err(Problem::new(node.at("min_count"), what).expected(expected));
        }
        let needs = if matches!(fence, Fence::ZScore { .. }) { MOMENTS } else { Needs::NONE };
        let per = self.per.unwrap_or_default();
        let rolling = Rolling {
            over_us: over.us,
            min_count,
            include_self: self.include_self.unwrap_or(false),
            fence,
            histories: Histories::new(per, over.us, &DataType::Float64, needs),
            keys: Vec::new(),
        };
        Ok((Judge::Rolling(Box::new(rolling)), format!("{why} of {over}")))
    }

    fn quantiles(&self, node: &Node) -> Result<Ranks, Problem> {
        let (lower, upper) = (self.lower, self.upper);
        if lower.is_none() && upper.is_none() {
            return Err(Problem::new(node.at, "no limit").expected("`lower`, `upper` or both"));
        }
        for (key, q) in [("lower", lower), ("upper", upper)] {
            if let Some(q) = q.filter(|q| !(0.0..=1.0).contains(q)) {
                return Err(Problem::new(node.at(key), format!("wrong value: {q}"))
                    .expected("a share from 0 to 1"));
            }
        }
        if let (Some(lower), Some(upper)) = (lower, upper)
            && lower >= upper
        {
            let what = format!("`upper` {upper} is not above `lower` {lower}");
            return Err(Problem::new(node.at("upper"), what));
        }
        Ok(Ranks::Quantile { lower, upper })
    }

    fn previous(&self, rule: Rule, node: &Node) -> Result<Judge, Problem> {
        if let Some(within) = self.within.filter(|within| within.us == 0) {
            return Err(Problem::new(node.at("within"), format!("wrong value: {within}"))
                .expected("a duration above 0"));
        }
        let within_us = self.within.map(|within| within.us);
        Ok(Judge::Previous(Previous::new(rule, self.per.unwrap_or_default(), within_us)))
    }

    fn stuck(&self, node: &Node) -> Result<u32, Problem> {
        let count = self.count.ok_or_else(|| missing("count", node))?;
        if count < 2 {
            return Err(Problem::new(node.at("count"), format!("wrong value: {count}"))
                .expected("at least 2: one value is no repetition"));
        }
        if self.action == Action::Clip {
            let what = "a value that is stuck has no limit to be clipped to";
            return Err(Problem::new(node.at("action"), what).expected("another action"));
        }
        Ok(count)
    }
}

fn missing(key: &str, node: &Node) -> Problem {
    Problem::new(node.at, format!("missing key `{key}`"))
}

fn positive(value: Option<f64>, key: &str, node: &Node) -> Result<f64, Problem> {
    let value = value.ok_or_else(|| missing(key, node))?;
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Problem::new(node.at(key), format!("wrong value: {value}")).expected("a positive number"))
}

/// Complains about keys that belong to other methods.
fn only(node: &Node, method: &str, own: &[&str], more: &[&str]) -> Result<(), Problem> {
    let belongs = |key: &str| {
        ["column", "method", "action", "name"].iter().chain(own).chain(more).any(|k| *k == key)
    };
    let entries = node.as_map().unwrap_or_default();
    match entries.iter().find(|(key, ..)| !belongs(key)) {
        Some((key, at, _)) => {
            Err(Problem::new(*at, format!("key `{key}` does not belong to method `{method}`")))
        }
        None => Ok(()),
    }
}
