//! `kurt`: how heavy the tails are.

use super::{
    Aggregate, Build, OF_WINDOW, OfEvents, Output, Scan, float_of_numbers,
    scan::float_each,
    shape::{Bias, powers},
};
use crate::registry::{self, Component, schema_of};
use arrow::datatypes::DataType;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "kurt",
    summary: "The excess kurtosis (normal: 0), null where they are all equal or too few.",
    example: "{ bias: true }",
    details: "`g2 = m4 / m2^2 - 3` with the central moments `mk`, and without bias `(n - 1) ((n + \
              1) g2 + 6) / ((n - 2) (n - 3))` (Joanes and Gill 1998). Null where all values are \
              equal, and below four values unless `bias` is set; NaN if a value is NaN or \
              infinite.",
    state: OF_WINDOW,
    schema: schema_of::<Bias>,
    build: |node| registry::options(node).map(|bias| Aggregate::events(Kurt(bias))),
};

/// With `mk` the mean of the deviations to the power of k, g2 = m4 / m2^2 - 3, and without bias
/// G2 = (n - 1) ((n + 1) g2 + 6) / ((n - 2) (n - 3)). Joanes and Gill, "Comparing measures of sample
/// skewness and kurtosis" (1998).
#[derive(Debug)]
struct Kurt(Bias);

impl OfEvents for Kurt {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn scan(&self, _input: Option<&DataType>) -> Box<dyn Scan> {
        let Bias { bias } = self.0;
        float_each(move |content| {
            let (n, [squares, _, fourths]) = powers(content)?;
            let biased = n * fourths / (squares * squares) - 3.0;
            if bias {
                return Some(biased);
            }
            (n > 3.0).then(|| (n - 1.0) * ((n + 1.0) * biased + 6.0) / ((n - 2.0) * (n - 3.0)))
        })
    }
}
