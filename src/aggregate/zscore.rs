//! `zscore`: how far the record's own value lies off the mean.

use super::{
    Aggregate, Build, Ddof, Frame, Needs, OF_WINDOW, OfSummary, Output, float_of_numbers, floats,
};
use crate::registry::{self, Component, schema_of};
use arrow::{array::ArrayRef, datatypes::DataType};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "zscore",
    summary: "Standard deviations from the window's mean to the record's own value.",
    example: "{ ddof: 0 }",
    details: "`(x - mean) / std` of the record's own value. Null if the record has no value that \
              counts, unless there are more than `ddof` values, and where all are equal; NaN if a \
              value is NaN or infinite. An own value that the window leaves out is compared with \
              the others.",
    state: OF_WINDOW,
    schema: schema_of::<Ddof>,
    build: |node| registry::options(node).map(|ddof| Aggregate::summary(Zscore(ddof))),
};

/// (x - mean) / std. Null where the record has no value that counts, and without a spread. Whether
/// the value itself is among the others is said by the ends of the window.
#[derive(Debug)]
struct Zscore(Ddof);

impl OfSummary for Zscore {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn needs(&self) -> Needs {
        Needs { moments: true, ..Needs::NONE }
    }

    fn column(&self, frame: &Frame<'_>) -> ArrayRef {
        let kind = frame.kind();
        floats(frame, |s| {
            let variance = self.0.variance(s.n, s.m2).filter(|variance| *variance != 0.0)?;
            Some((kind.number(s.own?) - s.centre - s.off_centre) / variance.sqrt())
        })
    }
}
