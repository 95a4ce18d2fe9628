//! `time_since_first`: how long ago the first event in the window was.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, floats, no_options,
    seconds_of_events,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "time_since_first",
    summary: "Seconds since the first event in the window, 0 where that is the record itself.",
    example: "{}",
    details: "Seconds. Null for an empty window. With `of`, of events whose value is not null.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(TimeSinceFirst)),
};

#[derive(Debug)]
struct TimeSinceFirst;

impl OfSummary for TimeSinceFirst {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        seconds_of_events(input)
    }

    fn needs(&self) -> Needs {
        Needs::NONE
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        floats(frame, |s| (s.n > 0).then(|| s.time.saturating_sub(s.first_time) as f64 / 1e6))
    }
}
