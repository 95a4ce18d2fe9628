//! `median`: the value in the middle.

use super::{
    Aggregate, Build, NoOptions, OF_WINDOW, OfEvents, Output, Scan, float_of_numbers, no_options,
    rank_statistics::{Interpolation, quantile},
    scan::float_each,
};
use crate::registry::{Component, schema_of};
use arrow::datatypes::DataType;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "median",
    summary: "The value in the middle, of an even number the mean of both, exact.",
    example: "{}",
    details: "The quantile at 0.5, of an even number of values the mean of the two in the middle. \
              Null for an empty window; NaN is greater than any other value.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::events(Median)),
};

#[derive(Debug)]
struct Median;

impl OfEvents for Median {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        let mut keys = Vec::new();
        float_each(move |content| {
            content.keys_into(&mut keys);
            quantile(&mut keys, content.kind, 0.5, Interpolation::Midpoint)
        })
    }
}
