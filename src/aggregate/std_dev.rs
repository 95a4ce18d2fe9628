//! `std`: the standard deviation.

use super::{Aggregate, Build, Frame, Needs, Output, float_of_numbers, floats};
use crate::registry::{self, Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "std",
    summary: "The standard deviation of the values, null unless there are more than `ddof`.",
    example: "{ ddof: 0 }",
    schema: schema_of::<Std>,
    build: |node| Ok(Box::new(registry::options::<Std>(node)?)),
};

/// Options of `std`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Std {
    /// What is taken off the number of values: 1 for a sample, 0 for a population.
    #[serde(default = "sample")]
    ddof: u32,
}

fn sample() -> u32 {
    1
}

impl Aggregate for Std {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn needs(&self) -> Needs {
        Needs { moments: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        let ddof = u64::from(self.ddof);
        floats(frame, |s| (s.n > ddof).then(|| (s.m2 / (s.n - ddof) as f64).sqrt()))
    }
}
