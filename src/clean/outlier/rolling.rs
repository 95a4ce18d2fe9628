//! Judges a value by statistics of the values before it.
//!
//! The statistics are those of the raw values in `(t - over, t]` that came before the record, of
//! its key or of the whole partition. Every value that reaches the step enters them afterwards,
//! outlier or not: a new level is an outlier for a while and not for ever. NaN and infinity enter
//! too, and as long as one is in the window a z-score judges nothing.

use super::{judge::Place, ranks::Ranks};
use crate::{
    aggregate::float_key,
    clean::{
        clip::Range,
        history::{Histories, Statistics},
    },
    state::Horizon,
};

/// Rolling statistics, and what they make of a value.
#[derive(Debug)]
pub(super) struct Rolling {
    /// How far back the statistics go, microseconds.
    pub(super) over_us: i64,
    /// Values that the statistics need.
    pub(super) min_count: usize,
    /// True if the value under test counts in its own statistics.
    pub(super) include_self: bool,
    /// Where an outlier begins.
    pub(super) fence: Fence,
    /// The values so far.
    pub(super) histories: Histories,
    /// Those in the window of the current record.
    pub(super) keys: Vec<i64>,
}

/// Where an outlier begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fence {
    /// So many standard deviations from the mean.
    ZScore {
        /// Standard deviations.
        threshold: f64,
    },
    /// By order statistics.
    Ranks(Ranks),
}

impl Rolling {
    /// The range that `value` would have had to lie in, if it is an outlier; then it enters.
    pub(super) fn judge(&mut self, place: Place, value: f64) -> Option<Range> {
        let Place { slot, time, watermark } = place;
        // No record from now on, unless it is late, looks further back.
        self.histories.expire(slot, watermark);
        if self.include_self {
            self.histories.insert(slot, time, float_key(value));
        }
        let range = self.outlier(place, value);
        if !self.include_self {
            self.histories.insert(slot, time, float_key(value));
        }
        range
    }

    fn outlier(&mut self, place: Place, value: f64) -> Option<Range> {
        let Place { slot, time, .. } = place;
        let after = time.saturating_sub(self.over_us);
        match self.fence {
            Fence::ZScore { threshold } => {
                let statistics = self.histories.statistics(slot, after, time);
                self.compare(statistics, threshold, value)
            }
            Fence::Ranks(ranks) => {
                self.histories.keys_in(slot, after, time, &mut self.keys);
                let range = ranks.range(&mut self.keys, self.min_count)?;
                (value < range.min || value > range.max).then_some(range)
            }
        }
    }

    fn compare(&self, statistics: Statistics, threshold: f64, value: f64) -> Option<Range> {
        let Statistics { count, mean, std } = statistics;
        let is_judged = count >= self.min_count && std > 0.0 && std.is_finite();
        let is_outlier = is_judged && (value - mean).abs() / std > threshold;
        let reach = threshold * std;
        is_outlier.then(|| Range::new(mean - reach, mean + reach))
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        self.histories.per().horizon(Horizon::For(self.over_us))
    }
}
