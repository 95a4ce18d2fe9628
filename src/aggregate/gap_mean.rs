//! `gap_mean`: the mean time between events.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, floats, no_options,
    seconds_of_events,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "gap_mean",
    summary: "The mean of the seconds from each event to the next, null below two events.",
    example: "{}",
    details: "`(t_last - t_first) / (n - 1)` in seconds. Null below two events. With `of`, of \
              events whose value is not null.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(GapMean)),
};

/// The gaps add up to the time from the first event to the last.
#[derive(Debug)]
struct GapMean;

impl OfSummary for GapMean {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        seconds_of_events(input)
    }

    fn needs(&self) -> Needs {
        Needs { span: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        floats(frame, |s| Some(s.seconds().filter(|_| s.n > 1)? / (s.n - 1) as f64))
    }
}
