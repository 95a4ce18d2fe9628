//! `count_null`: how many nulls.

use super::{Aggregate, Build, Frame, Needs, NoOptions, OfSummary, Output, Summary, no_options};
use crate::registry::{Component, schema_of};
use arrow::{
    array::{ArrayRef, Int64Array},
    datatypes::DataType,
};
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "count_null",
    summary: "The number of records whose value is null.",
    example: "{}",
    details: "Of the records of the window that `where` holds for, with a value or without: a session \
              is one of all of them here. NaN is no null. 0 for an empty window, whatever `min_count` \
              says.",
    state: "none of a key beyond its buffer; some 18 bytes an event, for each column whose nulls are \
            counted",
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::Nulls(Box::new(CountNull))),
};

#[derive(Debug)]
struct CountNull;

/// What it is shown is 1 of each record without a value, 0 of each other.
impl OfSummary for CountNull {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        match input {
            Some(_) => Ok(Output { data_type: DataType::Int64, nullable: false }),
            None => Err("the column whose nulls are counted"),
        }
    }

    fn needs(&self) -> Needs {
        Needs { moments: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        #[expect(clippy::cast_possible_truncation, reason = "a sum of ones")]
        let count = |s: &Summary| if s.n > 0 { s.sum as i64 } else { 0 };
        Arc::new(Int64Array::from_iter_values(frame.summaries.iter().map(count)))
    }
}
