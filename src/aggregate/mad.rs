//! `mad`: the median absolute deviation.

use super::{
    Aggregate, Build, Kind, OF_WINDOW, OfEvents, Output, Scan, float_key, float_of_numbers,
    rank_statistics::{Interpolation, quantile},
    scan::float_each,
};
use crate::registry::{self, Component, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "mad",
    summary: "The median of the distances from the median, a spread that outliers do not move.",
    example: "{ normal: true }",
    details: "`median |x - median x|`, with `normal` divided by 0.67449, the upper quartile of \
              the standard normal distribution. Null for an empty window; NaN is greater than any \
              other value.",
    state: OF_WINDOW,
    schema: schema_of::<Mad>,
    build: |node| registry::options::<Mad>(node).map(Aggregate::events),
};

/// The upper quartile of the standard normal distribution: its `mad`.
const NORMAL: f64 = 0.674_489_750_196_081_7;

/// Options of `mad`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mad {
    /// Divided by 0.6745, so that it estimates the standard deviation of normal values.
    #[serde(default)]
    normal: bool,
}

impl OfEvents for Mad {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        let scale = if self.normal { NORMAL } else { 1.0 };
        let mut keys = Vec::new();
        float_each(move |content| {
            content.keys_into(&mut keys);
            let median = quantile(&mut keys, content.kind, 0.5, Interpolation::Midpoint)?;
            let distance = |key: i64| float_key((content.kind.number(key) - median).abs());
            for key in &mut keys {
                *key = distance(*key);
            }
            Some(quantile(&mut keys, Kind::Float, 0.5, Interpolation::Midpoint)? / scale)
        })
    }
}
