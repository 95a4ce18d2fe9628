//! How the divisor of a variance is chosen.

use schemars::JsonSchema;
use serde::Deserialize;

/// Options of what is made of a variance.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ddof {
    /// What is taken off the number of values: 1 for a sample, 0 for a population.
    #[serde(default = "sample")]
    ddof: u32,
}

fn sample() -> u32 {
    1
}

impl Ddof {
    /// The variance of `n` values whose squared deviations from their mean add up to `m2`; none
    /// unless there are more than `ddof`.
    pub(super) fn variance(self, n: u64, m2: f64) -> Option<f64> {
        let ddof = u64::from(self.ddof);
        (n > ddof).then(|| m2 / (n - ddof) as f64)
    }
}
