//! `sum`: all values added up.

use super::{
    Aggregate, Build, Frame, Needs, OF_WINDOW, OfSummary, Output, float_of_numbers, floats,
};
use crate::registry::{self, Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "sum",
    summary: "The sum of the values, 0 for an empty window unless `null_when_empty` is set.",
    example: "{ null_when_empty: true }",
    details: "`sum x`. 0 for an empty window, null with `null_when_empty`. NaN if a value is NaN, \
              or if both infinities are there; exact for integers up to 2^53.",
    state: OF_WINDOW,
    schema: schema_of::<Sum>,
    build: |node| registry::options::<Sum>(node).map(Aggregate::summary),
};

/// Options of `sum`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sum {
    /// Null instead of 0 for an empty window.
    #[serde(default)]
    null_when_empty: bool,
}

impl OfSummary for Sum {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, self.null_when_empty)
    }

    fn needs(&self) -> Needs {
        Needs { moments: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        floats(frame, |s| match s.n {
            0 => (!self.null_when_empty).then_some(0.0),
            _ => Some(s.sum),
        })
    }
}
