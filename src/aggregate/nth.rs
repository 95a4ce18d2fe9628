//! `nth`: the value at a place of the window.

use super::{Aggregate, Build, OF_WINDOW, OfEvents, Output, Scan, same, scan::pick_each};
use crate::registry::{self, Component, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "nth",
    summary: "The value at place `n` by event time and offset, from 0, or from the end with -1.",
    example: "{ n: 1 }",
    details: "By event time, then offset. Null where there are not so many values.",
    state: OF_WINDOW,
    schema: schema_of::<Nth>,
    build: |node| registry::options::<Nth>(node).map(Aggregate::events),
};

/// Options of `nth`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nth {
    /// 0 is the first value, 1 the second, -1 the last, -2 the one before it.
    n: i32,
}

impl OfEvents for Nth {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same(input)
    }

    fn scan(&self, input: Option<&DataType>) -> Box<dyn Scan> {
        let (from_end, n) = (self.n < 0, self.n.unsigned_abs() as usize);
        pick_each(input.expect("it takes values"), move |content| {
            let index = if from_end { content.events.len().checked_sub(n)? } else { n };
            content.events.get(index).map(|event| event.key)
        })
    }
}
