//! `rate`: how fast the value has changed over the window.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, float_of_numbers,
    floats, no_options,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "rate",
    summary: "Change per second from the first value to the last, null if both have one time.",
    example: "{}",
    details: "`(last - first) / (t_last - t_first)`, t in seconds; nothing is extrapolated to the \
              ends of the window. Null where all values have one time and for an empty window.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(Rate)),
};

/// (last - first) / (seconds between them). Nothing is extrapolated to the ends of the window.
#[derive(Debug)]
struct Rate;

impl OfSummary for Rate {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn needs(&self) -> Needs {
        Needs { first: true, last: true, span: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        let kind = frame.kind();
        floats(frame, |s| {
            let seconds = s.seconds().filter(|seconds| *seconds > 0.0)?;
            Some(kind.difference(s.last, s.first) / seconds)
        })
    }
}
