//! `delta`: how much the value has changed over the window.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, float_of_numbers,
    floats, no_options,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "delta",
    summary: "The last value less the first one, by event time and offset.",
    example: "{}",
    details: "`last - first`, 0 of one value, of integers without loss before it is rounded once. \
              Null for an empty window; NaN if either is NaN.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(Delta)),
};

#[derive(Debug)]
struct Delta;

impl OfSummary for Delta {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn needs(&self) -> Needs {
        Needs { first: true, last: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        let kind = frame.kind();
        floats(frame, |s| (s.n > 0).then(|| kind.difference(s.last, s.first)))
    }
}
