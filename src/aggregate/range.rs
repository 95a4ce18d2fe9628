//! `range`: how far the values lie apart.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, float_of_numbers,
    floats, no_options,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "range",
    summary: "The greatest value less the least one.",
    example: "{}",
    details: "`max - min`, of integers without loss before it is rounded once. Null for an empty \
              window; NaN if a value is NaN.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(Range)),
};

#[derive(Debug)]
struct Range;

impl OfSummary for Range {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn needs(&self) -> Needs {
        Needs { extremes: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        let kind = frame.kind();
        floats(frame, |s| (s.n > 0).then(|| kind.difference(s.max, s.min)))
    }
}
