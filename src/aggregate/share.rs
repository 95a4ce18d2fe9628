//! `share`: for how many of the records a condition holds.

use super::{Aggregate, Build, Frame, Needs, OfSummary, Output, float_of_numbers, floats};
use crate::registry::{self, Component, Node, Problem, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "share",
    summary: "The share of the records that a condition holds for.",
    example: r#"{ where: "channel = 'web'" }"#,
    details: "Of the records of the window that `where` beside `compute` holds for and that have a value, \
              where `of` names a column: how many of them the condition holds for, divided by how many \
              they are. A condition that is null does not hold, as in `(x > 1).fillna(False).mean()` of \
              pandas; SQL's `avg` would skip that record. Null for an empty window.",
    state: "none of a key beyond its buffer; some 18 bytes an event, for each condition",
    schema: schema_of::<Share>,
    build: |node| Share::build(node),
};

/// Options of `share`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Share {
    /// The condition, in SQL; where it is null it does not hold.
    #[serde(rename = "where")]
    _condition: String,
}

impl Share {
    fn build(node: &Node) -> Result<Aggregate, Problem> {
        let options: Self = registry::options(node)?;
        let condition = node.get("where").expect("its presence was checked").clone();
        Ok(Aggregate::Holding(condition, Box::new(options)))
    }
}

/// What it is shown is 1 where the condition holds, 0 where it does not.
impl OfSummary for Share {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn needs(&self) -> Needs {
        Needs { moments: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        // The sum is a whole number, and so exact.
        floats(frame, |s| (s.n > 0).then(|| s.sum / s.n as f64))
    }
}
