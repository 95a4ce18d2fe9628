//! `last`: the last value in event order.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, no_options, own_type,
    same,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "last",
    summary: "The last value that is not null, by event time and offset, in the column's type.",
    example: "{}",
    details: "By event time, then offset. Null for an empty window.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(Last)),
};

#[derive(Debug)]
struct Last;

impl OfSummary for Last {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same(input)
    }

    fn needs(&self) -> Needs {
        Needs { last: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        own_type(frame, |s| s.last)
    }
}
