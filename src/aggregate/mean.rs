//! `mean`: the arithmetic mean.

use super::{
    Aggregate, Build, Frame, Needs, NoOptions, OF_WINDOW, OfSummary, Output, float_of_numbers,
    floats, no_options,
};
use crate::registry::{Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "mean",
    summary: "The arithmetic mean of the values, the share of true for a boolean column.",
    example: "{}",
    details: "`sum x / n`, kept as deviations from a number near the values (Chan, Golub and \
              LeVeque 1983), so that nothing drifts. Null for an empty window; NaN if a value is \
              NaN. An infinity that has left leaves no trace.",
    state: OF_WINDOW,
    schema: schema_of::<NoOptions>,
    build: |node| no_options(node).map(|()| Aggregate::summary(Mean)),
};

#[derive(Debug)]
struct Mean;

impl OfSummary for Mean {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn needs(&self) -> Needs {
        Needs { moments: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        floats(frame, |s| (s.n > 0).then_some(s.mean))
    }
}
