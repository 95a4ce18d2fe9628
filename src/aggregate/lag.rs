//! `lag`: an earlier value.

use super::{Aggregate, Build, OF_WINDOW, OfEvents, Output, Scan, same, scan::pick_each};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "lag",
    summary: "The n-th value before the record's own, of those in the window.",
    example: "{ n: 2 }",
    details: "SQL's `lag(x, n) ignore nulls`, among the values of the window before the record's \
              own place. Null where there are not so many.",
    state: OF_WINDOW,
    schema: schema_of::<Lag>,
    build: |node| Lag::build(node).map(Aggregate::events),
};

/// Options of `lag`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Lag {
    /// How many values back: 1, the default, is the one before the record's own.
    #[serde(default = "one")]
    n: u32,
}

fn one() -> u32 {
    1
}

impl Lag {
    fn build(node: &Node) -> Result<Self, Problem> {
        let options: Self = registry::options(node)?;
        if options.n == 0 {
            return Err(Problem::new(node.at("n"), "`0` is the record's own value")
                .expected("how many values back, from 1"));
        }
        Ok(options)
    }
}

/// Nulls, and records that `where` does not hold for, are no values: SQL's
/// `lag(x, n) IGNORE NULLS`.
impl OfEvents for Lag {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        same(input)
    }

    fn scan(&self, input: Option<&DataType>) -> Box<dyn Scan> {
        let n = self.n as usize;
        pick_each(input.expect("it takes values"), move |content| {
            let before = content.before();
            before.len().checked_sub(n).map(|index| before[index].key)
        })
    }
}
