//! Fences made of order statistics: a few values that are far off do not move them.
//!
//! NaN has no place in an order and is left out; infinity is the greatest or least value. Where all
//! values that count are equal there is no spread, and nothing is judged.

use crate::{
    aggregate::{Interpolation, Kind, float_key, quantile},
    clean::clip::Range,
};

/// What a median of absolute deviations is divided by to estimate the standard deviation of normal
/// values: 0.6745, as Iglewicz and Hoaglin (1993) write it.
const NORMAL: f64 = 0.6745;

/// Which order statistics.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ranks {
    /// `|0.6745 (x - median) / mad| > threshold`.
    ModifiedZScore {
        /// Modified z-scores.
        threshold: f64,
    },
    /// `x < q1 - k (q3 - q1)` or `x > q3 + k (q3 - q1)`.
    Iqr {
        /// Interquartile ranges.
        k: f64,
    },
    /// Below the one quantile or above the other.
    Quantile {
        /// Share of values below the lower fence.
        lower: Option<f64>,
        /// Share of values below the upper fence.
        upper: Option<f64>,
    },
}

impl Ranks {
    /// The range in which values are none, if there are `min_count` values and they have a spread.
    /// `keys` are those of floats; they are left in another order.
    pub(super) fn range(self, keys: &mut Vec<i64>, min_count: usize) -> Option<Range> {
        keys.retain(|key| !Kind::Float.number(*key).is_nan());
        if keys.len() < min_count {
            return None;
        }
        match self {
            Self::ModifiedZScore { threshold } => {
                let median = at(keys, 0.5)?;
                for key in &mut *keys {
                    *key = float_key((Kind::Float.number(*key) - median).abs());
                }
                around([median, median], at(keys, 0.5)?, threshold / NORMAL)
            }
            Self::Iqr { k } => {
                let quartiles = [at(keys, 0.25)?, at(keys, 0.75)?];
                around(quartiles, quartiles[1] - quartiles[0], k)
            }
            Self::Quantile { lower, upper } => {
                let ends = [at(keys, lower.unwrap_or(0.0))?, at(keys, upper.unwrap_or(1.0))?];
                let min = if lower.is_some() { ends[0] } else { f64::NEG_INFINITY };
                let max = if upper.is_some() { ends[1] } else { f64::INFINITY };
                (ends[0] < ends[1]).then(|| Range::new(min, max))
            }
        }
    }
}

/// The range that reaches `times` the spread beyond both ends; none without a finite spread.
fn around(ends: [f64; 2], spread: f64, times: f64) -> Option<Range> {
    let is_judged = spread > 0.0 && spread.is_finite();
    is_judged.then(|| Range::new(ends[0] - times * spread, ends[1] + times * spread))
}

fn at(keys: &mut [i64], q: f64) -> Option<f64> {
    quantile(keys, Kind::Float, q, Interpolation::Linear)
}
