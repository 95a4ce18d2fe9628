//! `top_k`: the most frequent values.

use super::{
    Aggregate, Build, Content, Kind, OF_WINDOW, OfEvents, Output, Scan, VALUES, lists, same,
    scan::runs,
};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;
use std::cmp::{Ordering, Reverse};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "top_k",
    summary: "The `k` most frequent values, the most frequent first, of equal ones the least.",
    example: "{ k: 3 }",
    details: "Fewer than `k` if there are no more. Null for an empty window. NaN is equal to \
              itself, -0 and 0 are one.",
    state: OF_WINDOW,
    schema: schema_of::<TopK>,
    build: |node| TopK::build(node).map(Aggregate::events),
};

/// Options of `top_k`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TopK {
    /// How many values.
    k: u32,
}

impl TopK {
    fn build(node: &Node) -> Result<Self, Problem> {
        let options: Self = registry::options(node)?;
        if options.k == 0 {
            return Err(Problem::new(node.at("k"), "`0` values").expected("at least 1"));
        }
        Ok(options)
    }
}

impl OfEvents for TopK {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same(input)?;
        Ok(lists::list_of(input.ok_or(VALUES)?))
    }

    fn scan(&self, input: Option<&DataType>) -> Box<dyn Scan> {
        let k = self.k as usize;
        let (mut keys, mut counts) = (Vec::new(), Vec::new());
        lists::list_each(input.expect("it takes values"), move |content, picked| {
            content.keys_into(&mut keys);
            keys.sort_unstable();
            counts.clear();
            counts.extend(runs(&keys));
            counts.sort_unstable_by(|a, b| more_frequent(content, *a, *b));
            picked.extend(counts.iter().take(k).map(|(key, _)| *key));
        })
    }
}

/// Numbers of texts have no order, texts do.
pub(super) fn more_frequent(
    content: &Content<'_>,
    (a, a_count): (i64, usize),
    (b, b_count): (i64, usize),
) -> Ordering {
    let by_value = match content.kind {
        Kind::Text => content.symbols.text(a).cmp(content.symbols.text(b)),
        _ => a.cmp(&b),
    };
    Reverse(a_count).cmp(&Reverse(b_count)).then(by_value)
}
