//! `count`: how many.

use super::{
    Aggregate, Build, Frame, Kind, Needs, NoOptions, OF_WINDOW, OfSummary, Output, VALUES,
    no_options,
};
use crate::registry::{Component, schema_of};
use arrow::{
    array::{ArrayRef, Int64Array},
    datatypes::DataType,
};
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "count",
    summary: "The number of values that are not null, or of records where no column is named.",
    example: "{}",
    details: "`n`. 0 for an empty window, never null. NaN is a value and counts.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(Count)),
};

#[derive(Debug)]
struct Count;

impl OfSummary for Count {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        match input {
            Some(data_type) if Kind::of(data_type).is_none() => Err(VALUES),
            _ => Ok(Output { data_type: DataType::Int64, nullable: false }),
        }
    }

    fn needs(&self) -> Needs {
        Needs::NONE
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        let counts = frame.summaries.iter().map(|s| s.n.cast_signed());
        Arc::new(Int64Array::from_iter_values(counts))
    }
}
