//! `skew`: how far to one side the values lean.

use super::{
    Aggregate, Build, OF_WINDOW, OfEvents, Output, Scan, float_of_numbers,
    scan::float_each,
    shape::{Bias, powers},
};
use crate::registry::{self, Component, schema_of};
use arrow::datatypes::DataType;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "skew",
    summary: "The skewness of the values, null where they are all equal or too few.",
    example: "{ bias: true }",
    details: "`g1 = m3 / m2^1.5` with the central moments `mk`, and without bias `g1 sqrt(n (n - \
              1)) / (n - 2)` (Joanes and Gill 1998). Null where all values are equal, and below \
              three values unless `bias` is set; NaN if a value is NaN or infinite.",
    state: OF_WINDOW,
    schema: schema_of::<Bias>,
    build: |node| registry::options(node).map(|bias| Aggregate::events(Skew(bias))),
};

/// With `mk` the mean of the deviations to the power of k, g1 = m3 / m2^1.5, and without bias
/// G1 = g1 sqrt(n (n - 1)) / (n - 2). Joanes and Gill, "Comparing measures of sample skewness and
/// kurtosis" (1998).
#[derive(Debug)]
struct Skew(Bias);

impl OfEvents for Skew {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        let Bias { bias } = self.0;
        float_each(move |content| {
            let (n, [squares, cubes, _]) = powers(content)?;
            let biased = n.sqrt() * cubes / (squares * squares.sqrt());
            if bias {
                return Some(biased);
            }
            (n > 2.0).then(|| biased * (n * (n - 1.0)).sqrt() / (n - 2.0))
        })
    }
}
