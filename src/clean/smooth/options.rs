//! Options of `smooth`.

use super::{
    Smoother,
    level::{Levels, Step},
    moving::{Center, Extent, Moving},
};
use crate::{
    aggregate::Per,
    registry::{Node, Problem, Span},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Longest window by rows.
const ROWS_MAX: i64 = 100_000;

/// Options of `smooth`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// A numeric column.
    pub(super) column: String,
    /// How it is smoothed.
    method: Method,
    /// `mean`, `median`: the window, a duration such as `1h` or a number of rows such as `5 rows`.
    over: Option<String>,
    /// `exponential`: the share of the distance to each value that the level moves, above 0 to 1.
    alpha: Option<f64>,
    /// `exponential`: `alpha` is `2 / (span + 1)`; at least 1.
    span: Option<f64>,
    /// `exponential`: records after which a weight is half, or a duration such as `10m` of event time.
    half_life: Option<HalfLife>,
    /// `exponential` by records: true if weights are divided by their sum, so that the first value
    /// has no more than its own.
    #[schemars(extend("default" = false))]
    adjust: Option<bool>,
    /// `kalman`: variance that the level gains with each record; at least 0.
    process_noise: Option<f64>,
    /// `kalman`: variance of a value around the level; above 0.
    measurement_noise: Option<f64>,
    /// Of all but windows by time: after a pause of more than this much event time it begins anew;
    /// without it, never, and keys are kept for ever.
    within: Option<Span>,
    /// Whose values.
    #[serde(default)]
    per: Per,
    /// Name of a new column; without it the column itself is smoothed.
    #[serde(rename = "as")]
    pub(super) name: Option<String>,
}

/// How a column is smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// The mean of a window.
    Mean,
    /// The median of a window.
    Median,
    /// By weights that grow smaller with each record or with time.
    Exponential,
    /// A one-dimensional Kalman filter.
    Kalman,
}

/// Records or a time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "wrong type; expected a number of records or a duration such as 10m")]
enum HalfLife {
    Records(f64),
    Time(String),
}

const DURATION: &str = "a duration above 0, such as 10m";

impl Options {
    /// The smoother that they describe.
    pub(super) fn smoother(&self, node: &Node) -> Result<Smoother, Problem> {
        let within_us = match self.within {
            Some(within) if within.us == 0 => {
                return Err(wrong("within", &within, node).expected(DURATION));
            }
            within => within.map(|within| within.us),
        };
        match self.method {
            Method::Mean => self.moving(Center::Mean, within_us, node),
            Method::Median => self.moving(Center::Median, within_us, node),
            Method::Exponential => {
                only(node, "exponential", &["alpha", "span", "half_life", "adjust", "within"])?;
                let step = self.exponential(node)?;
                Ok(Smoother::Levels(Levels::new(step, self.per, within_us)))
            }
            Method::Kalman => {
                only(node, "kalman", &["process_noise", "measurement_noise", "within"])?;
                let process = self.process_noise.ok_or_else(|| missing("process_noise", node))?;
                let measurement =
                    self.measurement_noise.ok_or_else(|| missing("measurement_noise", node))?;
                if !(process >= 0.0 && process.is_finite()) {
                    return Err(
                        wrong("process_noise", &process, node).expected("a variance, at least 0")
                    );
                }
                if !(measurement > 0.0 && measurement.is_finite()) {
                    return Err(wrong("measurement_noise", &measurement, node)
                        .expected("a variance above 0"));
                }
                let step = Step::Kalman { process, measurement };
                Ok(Smoother::Levels(Levels::new(step, self.per, within_us)))
            }
        }
    }

    fn moving(
        &self,
        center: Center,
        within_us: Option<i64>,
        node: &Node,
    ) -> Result<Smoother, Problem> {
        let name = if center == Center::Mean { "mean" } else { "median" };
        only(node, name, &["over", "within"])?;
        let over = self.over.as_deref().ok_or_else(|| missing("over", node))?.trim();
        let rows = over.strip_suffix("rows").or_else(|| over.strip_suffix("row"));
        let extent = if let Some(rows) = rows {
            let rows = rows.trim().parse().ok().filter(|rows| (1..=ROWS_MAX).contains(rows));
            let expected = format!("1 to {ROWS_MAX} rows");
            let rows = rows.ok_or_else(|| wrong("over", &over, node).expected(expected))?;
            Extent::Rows(rows, within_us)
        } else {
            let span = Span::parse(over).filter(|span| span.us > 0);
            let expected = "a duration such as 1h, or a number of rows such as 5 rows";
            let span = span.ok_or_else(|| wrong("over", &over, node).expected(expected))?;
            if within_us.is_some() {
                let what = "`within` beside a window by time";
                return Err(Problem::new(node.at("within"), what)
                    .expected("`within` with windows by rows only"));
            }
            Extent::Time(span.us)
        };
        Ok(Smoother::Moving(Box::new(Moving::new(center, extent, self.per))))
    }

    fn exponential(&self, node: &Node) -> Result<Step, Problem> {
        let alpha = match (self.alpha, self.span, &self.half_life) {
            (Some(alpha), None, None) if alpha > 0.0 && alpha <= 1.0 => alpha,
            (Some(alpha), None, None) => {
                return Err(wrong("alpha", &alpha, node).expected("a share above 0, at most 1"));
            }
            (None, Some(span), None) if span >= 1.0 && span.is_finite() => 2.0 / (span + 1.0),
            (None, Some(span), None) => {
                return Err(wrong("span", &span, node).expected("a number of records, at least 1"));
            }
            (None, None, Some(HalfLife::Records(records)))
                if *records > 0.0 && records.is_finite() =>
            {
                -(-std::f64::consts::LN_2 / records).exp_m1()
            }
            (None, None, Some(HalfLife::Records(records))) => {
                let expected = "a number of records above 0";
                return Err(wrong("half_life", records, node).expected(expected));
            }
            (None, None, Some(HalfLife::Time(text))) => return self.aged(text, node),
            _ => {
                return Err(Problem::new(node.at, "how fast it forgets is not said once")
                    .expected("one of `alpha`, `span`, `half_life`"));
            }
        };
        Ok(Step::Exponential { alpha, adjust: self.adjust.unwrap_or(false) })
    }

    fn aged(&self, text: &str, node: &Node) -> Result<Step, Problem> {
        let half_life = Span::parse(text).filter(|span| span.us > 0);
        let half_life =
            half_life.ok_or_else(|| wrong("half_life", &text, node).expected(DURATION))?;
        if self.adjust == Some(false) {
            let what = "`adjust: false` beside a half-life by time";
            return Err(Problem::new(node.at("adjust"), what)
                .expected("no `adjust`: weights by time are divided by their sum"));
        }
        Ok(Step::Aged { half_life_us: half_life.us })
    }
}

fn missing(key: &str, node: &Node) -> Problem {
    Problem::new(node.at, format!("missing key `{key}`"))
}

fn wrong(key: &str, value: &dyn std::fmt::Display, node: &Node) -> Problem {
    Problem::new(node.at(key), format!("wrong value: {value}"))
}

/// Complains about keys that belong to other methods.
fn only(node: &Node, method: &str, own: &[&str]) -> Result<(), Problem> {
    let belongs =
        |key: &str| ["column", "method", "per", "as"].iter().chain(own).any(|k| *k == key);
    let entries = node.as_map().unwrap_or_default();
    match entries.iter().find(|(key, ..)| !belongs(key)) {
        Some((key, at, _)) => {
            Err(Problem::new(*at, format!("key `{key}` does not belong to method `{method}`")))
        }
        None => Ok(()),
    }
}
