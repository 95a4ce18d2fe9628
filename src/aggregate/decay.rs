//! How the weight of a value goes down: by half in a time, or by a share with every record.
//!
//! Options are named as in pandas' `ewm`, of which this is the arithmetic.

use crate::{
    registry::{Node, Problem, Span},
    state::Horizon,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Half-lives after which a value counts for nothing: it weighs less than 2^-64 of a new one.
const HALF_LIVES: i64 = 64;

/// A half-life, as the options of a component say it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub(super) struct HalfLife(String);

/// What pandas' `ewm` takes, one of four.
#[derive(Debug, Default)]
pub(super) struct Stated<'a> {
    pub(super) half_life: Option<&'a HalfLife>,
    pub(super) alpha: Option<f64>,
    pub(super) span: Option<f64>,
    pub(super) com: Option<f64>,
    /// True if records without value are no steps.
    pub(super) ignore_na: bool,
}

/// How weights go down.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decay {
    /// By half in that time, in microseconds.
    Time { half_life_us: i64, written: String },
    /// To the share `keep` with each record, those without value too unless `ignore_na`.
    Rows { keep: f64, ignore_na: bool, written: String },
}

const ONE: &str = "one of `half_life: 1h`, `half_life: 10 rows`, `alpha`, `span`, `com`";

impl Stated<'_> {
    /// The decay, or what is wrong with how it is said in `node`.
    pub(super) fn read(&self, node: &Node) -> Result<Decay, Problem> {
        let wrong = |key: &str, x: f64, takes: &str| {
            Problem::new(node.at(key), format!("`{key}` is {x}")).expected(takes)
        };
        let ignore_na = self.ignore_na;
        let rows = |key: &str, x: f64, keep: f64| {
            let written = format!("{key}_{x}").replace(['.', '-'], "_");
            Ok(Decay::Rows { keep, ignore_na, written })
        };
        match (self.half_life, self.alpha, self.span, self.com) {
            (Some(half_life), None, None, None) => self.half_life(half_life, node),
            (None, Some(x), None, None) if x > 0.0 && x <= 1.0 => rows("alpha", x, 1.0 - x),
            (None, Some(x), None, None) => Err(wrong("alpha", x, "above 0 and at most 1")),
            (None, None, Some(x), None) if x >= 1.0 && x.is_finite() => {
                rows("span", x, 1.0 - 2.0 / (x + 1.0))
            }
            (None, None, Some(x), None) => Err(wrong("span", x, "a number of at least 1")),
            (None, None, None, Some(x)) if x >= 0.0 && x.is_finite() => {
                rows("com", x, x / (1.0 + x))
            }
            (None, None, None, Some(x)) => Err(wrong("com", x, "a number of at least 0")),
            (None, None, None, None) => {
                Err(Problem::new(node.at, "no decay is given").expected(ONE))
            }
            _ => Err(Problem::new(node.at, "a decay that is given twice").expected(ONE)),
        }
    }

    fn half_life(&self, half_life: &HalfLife, node: &Node) -> Result<Decay, Problem> {
        let text = half_life.0.trim();
        let at = node.at("half_life");
        let wrong = || {
            Problem::new(at, format!("`{text}` is no half-life"))
                .expected("a duration such as 1h, or a number of rows such as 10 rows")
        };
        if let Some(number) = text.strip_suffix("rows").or_else(|| text.strip_suffix("row")) {
            let rows: f64 = number.trim().parse().map_err(|_| wrong())?;
            if !(rows > 0.0 && rows.is_finite()) {
                return Err(wrong());
            }
            let written = format!("{rows}r").replace('.', "_");
            return Ok(Decay::Rows {
                keep: (-1.0 / rows).exp2(),
                ignore_na: self.ignore_na,
                written,
            });
        }
        let span = Span::parse(text).filter(|span| span.us > 0).ok_or_else(wrong)?;
        if self.ignore_na {
            return Err(Problem::new(node.at("ignore_na"), "`ignore_na` beside a time")
                .expected("a decay by rows; time passes whether there is a value or not"));
        }
        let written = text.split_whitespace().collect();
        Ok(Decay::Time { half_life_us: span.us, written })
    }
}

impl Decay {
    /// How the name of a column ends.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Time { written, .. } | Self::Rows { written, .. } => written.clone(),
        }
    }

    /// For `check`.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Time { half_life_us, .. } => {
                format!("weights halved in {}", Span { us: *half_life_us })
            }
            Self::Rows { keep, .. } => format!("weights times {keep} with each row"),
        }
    }

    /// How long a value is felt.
    pub(super) fn depth(&self) -> Horizon {
        match self {
            Self::Time { half_life_us, .. } => {
                Horizon::For(half_life_us.saturating_mul(HALF_LIVES))
            }
            Self::Rows { .. } => Horizon::Forever,
        }
    }

    /// What a record that passes leaves of earlier weights, other than by its time.
    pub(super) fn by_row(&self, has_value: bool) -> f64 {
        match self {
            Self::Rows { keep, ignore_na, .. } if has_value || !ignore_na => *keep,
            _ => 1.0,
        }
    }

    /// What the time from the newest value on leaves of earlier weights, and what a value at `time`
    /// weighs against a new one: one that is behind was decayed already.
    pub(super) fn by_time(&self, newest: i64, time: i64) -> Weights {
        match self {
            Self::Time { half_life_us, .. } => {
                let halved = |us: i64| (-(us as f64) / *half_life_us as f64).exp2();
                Weights {
                    before: halved(time.saturating_sub(newest).max(0)),
                    own: halved(newest.saturating_sub(time).max(0)),
                }
            }
            Self::Rows { .. } => Weights { before: 1.0, own: 1.0 },
        }
    }
}

/// Factors from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weights {
    /// Of all that came before.
    pub(super) before: f64,
    /// Of the value at hand.
    pub(super) own: f64,
}
