//! `min`: the least value.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, no_options, own_type,
    same_if_ordered,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "min",
    summary: "The least value, in the column's type; NaN is greater than any other.",
    example: "{}",
    details: "Null for an empty window. NaN only if all values are NaN; -0 is below 0.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(Min)),
};

#[derive(Debug)]
struct Min;

impl OfSummary for Min {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same_if_ordered(input)
    }

    fn needs(&self) -> Needs {
        Needs { extremes: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        own_type(frame, |s| s.min)
    }
}
