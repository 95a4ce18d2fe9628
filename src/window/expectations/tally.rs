//! What a window knows of one expectation.

use super::{kept::Kept, measure::Kind};

/// Counts, a sum, and what is kept of the values: of each what the measure needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tally {
    /// Values, or records, that were looked at.
    pub(super) count: u64,
    /// Of these, those that meet what is asked of each; of numbers those that are NaN.
    pub(super) met: u64,
    /// Sum of the values.
    pub(super) sum: f64,
    /// What is lost of the sum by rounding (Neumaier).
    pub(super) lost: f64,
    /// Values by hash with how often they occurred, or numbers by the hash of their offset.
    pub(super) kept: Kept,
}

impl Tally {
    /// Takes in a record that either meets what is asked or does not.
    pub(super) fn judged(&mut self, met: bool) {
        self.count += 1;
        self.met += u64::from(met);
    }

    /// Adds a value to the sum.
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        let sum = self.sum + value;
        let lost = if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        // Beyond all numbers nothing is lost that could be given back.
        if sum.is_finite() {
            self.lost += lost;
        }
        self.sum = sum;
    }

    /// Takes in one of several values that may be equal.
    pub(super) fn occurs(&mut self, hash: u64, limit: usize) {
        self.count += 1;
        if let Some(times) = self.kept.entry(hash, 0, limit) {
            *times += 1;
        }
    }

    /// Takes in a number under the hash of its offset.
    pub(super) fn number(&mut self, hash: u64, value: f64, limit: usize) {
        self.count += 1;
        if value.is_nan() {
            self.met += 1;
        } else {
            self.kept.entry(hash, value.to_bits(), limit);
        }
    }

    /// What is measured; none without values, NaN where one of the numbers is.
    pub(super) fn observed(&self, kind: &Kind) -> Option<f64> {
        let count = self.count as f64;
        let some = self.count > 0;
        match kind {
            Kind::Records => Some(count),
            Kind::Distinct { .. } => Some(self.kept.distinct()),
            Kind::Unique { .. } => some.then(|| {
                let times: u64 = self.kept.numbers().sum();
                self.kept.len() as f64 / times as f64
            }),
            Kind::Mean { .. } => some.then(|| (self.sum + self.lost) / count),
            Kind::Quantile { q, .. } => some.then(|| self.quantile(*q)),
            Kind::NullRate { .. }
            | Kind::Allowed { .. }
            | Kind::Freshness { .. }
            | Kind::Monotonic
            | Kind::Row { .. } => some.then(|| self.met as f64 / count),
        }
    }

    /// Linear interpolation between the closest ranks, as numpy does by default.
    fn quantile(&self, q: f64) -> f64 {
        if self.met > 0 {
            return f64::NAN;
        }
        let mut values: Vec<f64> = self.kept.numbers().map(f64::from_bits).collect();
        values.sort_unstable_by(f64::total_cmp);
        let place = (values.len() - 1) as f64 * q;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let below = place as usize;
        let (low, share) = (values[below], place - below as f64);
        match values.get(below + 1) {
            Some(high) if share > 0.0 && low < *high => low + (high - low) * share,
            _ => low,
        }
    }

    /// Bytes that it takes, without what the allocator adds.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.kept.len() * size_of::<(u64, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_what_rounding_takes_and_infinities_are_no_numbers() {
        let mean = |values: &[f64]| {
            let mut tally = Tally::default();
            for value in values {
                tally.add(*value);
            }
            tally.observed(&Kind::Mean { column: 0 }).unwrap()
        };
        assert!((mean(&[1e16, 1.0, -1e16, 1.0]) - 0.5).abs() < 1e-15);
        assert!(mean(&[f64::INFINITY, 1.0]).is_infinite());
        assert!(mean(&[f64::INFINITY, f64::NEG_INFINITY, 1.0]).is_nan());
        assert!(mean(&[1.0, f64::NAN, 1.0]).is_nan());
    }
}
