//! `mode`: the most frequent value.

use super::{
    Aggregate, Build, NoOptions, OF_WINDOW, OfEvents, Output, Scan, no_options, same,
    scan::{pick_each, runs},
    top_k::more_frequent,
};
use crate::registry::{Component, schema_of};
use arrow::datatypes::DataType;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "mode",
    summary: "The most frequent value, of several the least, in the column's type.",
    example: "{}",
    details: "Null for an empty window. NaN is equal to itself and greater than any other value, \
              -0 and 0 are one.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::events(Mode)),
};

#[derive(Debug)]
struct Mode;

impl OfEvents for Mode {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same(input)
    }

    fn scan(&self, input: Option<&DataType>) -> Box<dyn Scan> {
        let mut keys = Vec::new();
        pick_each(input.expect("it takes values"), move |content| {
            content.keys_into(&mut keys);
            keys.sort_unstable();
            let first = runs(&keys).min_by(|a, b| more_frequent(content, *a, *b));
            first.map(|(key, _)| key)
        })
    }
}
