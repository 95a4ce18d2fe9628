//! Judges a value by its distance from the mean of the values before it, in standard deviations.
//!
//! The statistics are those of the raw values in `(t - over, t]` that came before the record, of
//! its key or of the whole partition. Every value that reaches the step enters them afterwards,
//! outlier or not: a new level is an outlier for a while and not for ever. NaN and infinity enter
//! too, and as long as one is in the window nothing is judged.

use super::{
    history::{Histories, Statistics},
    options::Per,
};
use crate::{batch::Slot, clean::clip::Range, state::Horizon};

/// A rolling z-score.
#[derive(Debug)]
pub(super) struct ZScore {
    /// How far back the statistics go, microseconds.
    pub(super) over_us: i64,
    /// Standard deviations from the mean that are too many.
    pub(super) threshold: f64,
    /// Values that the statistics need.
    pub(super) min_count: usize,
    /// True if the value under test counts in its own statistics.
    pub(super) include_self: bool,
    /// The values so far.
    pub(super) histories: Histories,
}

/// Where in time a row stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: Slot,
    pub(super) time: i64,
    pub(super) watermark: i64,
}

impl ZScore {
    /// The range that `value` would have had to lie in, if it is an outlier; then it enters.
    pub(super) fn judge(&mut self, place: Place, value: f64) -> Option<Range> {
        let Place { slot, time, watermark } = place;
        // No record from now on, unless it is late, looks further back.
        self.histories.expire(slot, watermark);
        if self.include_self {
            self.histories.insert(slot, time, value);
        }
        let after = time.saturating_sub(self.over_us);
        let statistics = self.histories.statistics(slot, after, time);
        if !self.include_self {
            self.histories.insert(slot, time, value);
        }
        self.compare(statistics, value)
    }

    fn compare(&self, statistics: Statistics, value: f64) -> Option<Range> {
        let Statistics { count, mean, std } = statistics;
        let is_judged = count >= self.min_count && std > 0.0 && std.is_finite();
        let is_outlier = is_judged && (value - mean).abs() / std > self.threshold;
        let reach = self.threshold * std;
        is_outlier.then(|| Range::new(mean - reach, mean + reach))
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        match self.histories.per() {
            Per::Key => Horizon::For(self.over_us),
            Per::Partition => Horizon::Stateless,
        }
    }
}
