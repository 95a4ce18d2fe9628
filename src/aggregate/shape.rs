//! Central moments of a window's values, in two passes.

use super::Content;
use schemars::JsonSchema;
use serde::Deserialize;

/// Options of what is made of the third and fourth moment.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bias {
    /// That of the values themselves, as scipy gives it, not an estimate for a population they are
    /// a sample of, as pandas and SQL do.
    #[serde(default)]
    pub(super) bias: bool,
}

/// Number of values, and the sums of their deviations from the mean to the powers of two, three and
/// four; none where they do not differ. Equal values differ by nothing at all: deviations are taken
/// from the first one first.
pub(super) fn powers(content: &Content<'_>) -> Option<(f64, [f64; 3])> {
    let n = content.events.len() as f64;
    let mean = content.distances().sum::<f64>() / n;
    let mut sums = [0.0; 3];
    for value in content.distances() {
        let deviation = value - mean;
        let square = deviation * deviation;
        sums[0] += square;
        sums[1] += square * deviation;
        sums[2] += square * square;
    }
    (n > 0.0 && sums[0] != 0.0).then_some((n, sums))
}
