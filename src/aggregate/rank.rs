//! `rank`: where the record's own value stands among those of the window.

use super::{
    Aggregate, Build, Content, OF_WINDOW, OfEvents, Output, Scan, float_of_numbers,
    scan::float_each,
};
use crate::registry::{self, Component, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "rank",
    summary: "The rank of the record's own value among those of the window and itself, from 1.",
    example: "{ method: average, pct: true }",
    details: "1 and the number of values below the record's own, equal ones as `method` says; \
              with `pct` divided by the number of values, its own included. Null if the record \
              has no value that counts; NaN is greater than any other value and equal to itself.",
    state: OF_WINDOW,
    schema: schema_of::<Rank>,
    build: |node| registry::options::<Rank>(node).map(Aggregate::events),
};

/// What equal values get.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// The mean of their ranks: the default.
    #[default]
    Average,
    /// The least of their ranks.
    Min,
    /// The greatest of their ranks.
    Max,
}

/// Options of `rank`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rank {
    /// What equal values get: average, min or max, as in pandas.
    #[serde(default)]
    #[schemars(extend("default" = "average"))]
    method: Method,
    /// Divided by the number of values.
    #[serde(default)]
    pct: bool,
}

impl OfEvents for Rank {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        let options = *self;
        float_each(move |content| rank(content, options))
    }
}

/// Null where the record has no value that counts.
fn rank(content: &Content<'_>, options: Rank) -> Option<f64> {
    let own = content.comparable(content.own?);
    let (mut below, mut equal) = (0, usize::from(!content.has_own));
    for event in content.events {
        let key = content.comparable(event.key);
        below += usize::from(key < own);
        equal += usize::from(key == own);
    }
    let rank = below as f64
        + match options.method {
            Method::Average => f64::midpoint(equal as f64, 1.0),
            Method::Min => 1.0,
            Method::Max => equal as f64,
        };
    let n = content.events.len() + usize::from(!content.has_own);
    Some(if options.pct { rank / n as f64 } else { rank })
}
