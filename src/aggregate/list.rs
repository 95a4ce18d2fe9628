//! `list`: the values themselves.

use super::{Aggregate, Build, OF_WINDOW, OfEvents, Output, Scan, VALUES, lists, same};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "list",
    summary: "The last `max` values in order, the oldest first.",
    example: "{ max: 10 }",
    details: "Null for an empty window. Fewer than `max` if there are no more.",
    state: OF_WINDOW,
    schema: schema_of::<List>,
    build: |node| List::build(node).map(Aggregate::events),
};

/// Options of `list`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    /// How many values at most; older ones are left out.
    max: u32,
}

impl List {
    fn build(node: &Node) -> Result<Self, Problem> {
        let options: Self = registry::options(node)?;
        if options.max == 0 {
            return Err(Problem::new(node.at("max"), "`0` values").expected("at least 1"));
        }
        Ok(options)
    }
}

impl OfEvents for List {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same(input)?;
        Ok(lists::list_of(input.ok_or(VALUES)?))
    }

    fn scan(&self, input: Option<&DataType>) -> Box<dyn Scan> {
        let max = self.max as usize;
        lists::list_each(input.expect("it takes values"), move |content, picked| {
            let first = content.events.len().saturating_sub(max);
            picked.extend(content.events[first..].iter().map(|event| event.key));
        })
    }
}
