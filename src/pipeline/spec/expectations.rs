//! The section of expectations: everything but the expectations, which are read by `window`.

use crate::registry::Span;
use schemars::JsonSchema;
use serde::{Deserialize, de::IgnoredAny};

/// What the records of a partition should be like, judged in tumbling windows of event time over
/// all keys, behind `clean`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectationsSpec {
    /// Length of the windows, which are aligned to 1970; each is judged when the watermark reaches
    /// its end.
    pub every: Span,
    /// Topic of the verdicts, as JSON; none are written without it.
    #[serde(default)]
    pub quality_topic: Option<String>,
    /// Values of a window, per expectation, up to which numbers of different values and quantiles
    /// are exact, and beyond which they are taken from a sample of so many; 10000 by default,
    /// 100 to 1000000.
    #[serde(default = "exact")]
    pub exact: u32,
    /// The expectations, each read by its measure.
    #[schemars(skip)]
    #[expect(dead_code, reason = "a key that has to be there")]
    expect: Vec<IgnoredAny>,
}

fn exact() -> u32 {
    10_000
}
