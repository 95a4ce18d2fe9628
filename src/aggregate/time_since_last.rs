//! `time_since_last`: how long ago the event before was.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, floats, no_options,
    seconds_of_events,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "time_since_last",
    summary: "Seconds since the last earlier event in the window, not counting the record itself.",
    example: "{}",
    details: "Seconds, 0 after one of the same time. Null if no event came before the record in \
              the window. With `of`, of events whose value is not null.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(TimeSinceLast)),
};

/// Earlier means before the record in (event time, offset) order: after a tie it is 0 seconds.
#[derive(Debug)]
struct TimeSinceLast;

impl OfSummary for TimeSinceLast {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        seconds_of_events(input)
    }

    fn needs(&self) -> Needs {
        Needs { previous: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        floats(frame, |s| {
            let since_us = s.time.saturating_sub(s.previous_time?);
            Some(since_us as f64 / 1e6)
        })
    }
}
