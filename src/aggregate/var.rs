//! `var`: the variance.

use super::{
    Aggregate, Build, Ddof, Frame, Needs, OF_WINDOW, OfSummary, Output, float_of_numbers, floats,
};
use crate::registry::{self, Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "var",
    summary: "The variance of the values, null unless there are more than `ddof`.",
    example: "{ ddof: 0 }",
    details: "`sum (x - mean)^2 / (n - ddof)`, kept as deviations from a number near the values \
              (Chan, Golub and LeVeque 1983). Exactly 0 where all values are equal. Null unless \
              there are more than `ddof` values; NaN if a value is NaN or infinite.",
    state: OF_WINDOW,
    schema: schema_of::<Ddof>,
    build: |node| registry::options(node).map(|ddof| Aggregate::summary(Var(ddof))),
};

#[derive(Debug)]
struct Var(Ddof);

impl OfSummary for Var {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn needs(&self) -> Needs {
        Needs { moments: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        floats(frame, |s| self.0.variance(s.n, s.m2))
    }
}
