//! `gap_std`: how regular events are.

use super::{
    Aggregate, Build, Content, Ddof, OF_WINDOW, OfEvents, Output, Scan, scan::float_each,
    seconds_of_events,
};
use crate::registry::{self, Component, schema_of};
use arrow::datatypes::DataType;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "gap_std",
    summary: "The standard deviation of the seconds from each event to the next, `ddof` of gaps.",
    example: "{ ddof: 0 }",
    details: "The root of `sum (gap - mean gap)^2 / (n - 1 - ddof)` over the `n - 1` gaps, in \
              seconds. Null unless there are more than `ddof` gaps. With `of`, of events whose \
              value is not null.",
    state: OF_WINDOW,
    schema: schema_of::<Ddof>,
    build: |node| registry::options(node).map(|ddof| Aggregate::events(GapStd(ddof))),
};

#[derive(Debug)]
struct GapStd(Ddof);

impl OfEvents for GapStd {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        seconds_of_events(input)
    }

    fn reads_values(&self) -> bool {
        false
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        let ddof = self.0;
        float_each(move |content| deviation(content, ddof))
    }
}

/// Null unless there are more than `ddof` gaps.
fn deviation(content: &Content<'_>, ddof: Ddof) -> Option<f64> {
    let gaps = content.events.len().checked_sub(1)?;
    let span_us = content.events[gaps].time - content.events[0].time;
    let mean_us = span_us as f64 / gaps as f64;
    let squares = content.events.windows(2).map(|pair| {
        let off_us = (pair[1].time - pair[0].time) as f64 - mean_us;
        off_us * off_us
    });
    Some(ddof.variance(gaps as u64, squares.sum())?.sqrt() / 1e6)
}
