//! Judges a value by its distance from the mean of the values before it, in standard deviations.
//!
//! The statistics are those of the raw values in `(t - over, t]` that came before the record, of
//! its key or of the whole partition. Every value that reaches the step enters them afterwards,
//! outlier or not: a new level is an outlier for a while and not for ever. NaN and infinity enter
//! too, and as long as one is in the window nothing is judged.

use super::{
    history::{History, Statistics},
    options::Per,
};
use crate::{
    batch::Slot,
    clean::clip::Range,
    state::{Horizon, Paged},
};

/// A rolling z-score.
#[derive(Debug)]
pub(super) struct ZScore {
    pub(super) over_us: i64,
    pub(super) threshold: f64,
    pub(super) min_count: usize,
    pub(super) include_self: bool,
    histories: Histories,
    values: usize,
}

#[derive(Debug)]
enum Histories {
    Key(Paged<History>),
    Partition(History),
}

/// Where in time a row stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: Slot,
    pub(super) time: i64,
    pub(super) watermark: i64,
}

impl ZScore {
    pub(super) fn new(over_us: i64, threshold: f64, min_count: usize, per: Per) -> Self {
        let histories = match per {
            Per::Key => Histories::Key(Paged::default()),
            Per::Partition => Histories::Partition(History::default()),
        };
        Self { over_us, threshold, min_count, include_self: false, histories, values: 0 }
    }

    /// The range that `value` would have had to lie in, if it is an outlier; then it enters.
    pub(super) fn judge(&mut self, place: Place, value: f64) -> Option<Range> {
        let Place { slot, time, watermark } = place;
        let (over_us, include_self) = (self.over_us, self.include_self);
        let history = match &mut self.histories {
            Histories::Key(histories) => histories.get_mut(slot),
            Histories::Partition(history) => history,
        };
        // No record from now on, unless it is late, looks further back.
        self.values -= history.forget_until(watermark.saturating_sub(over_us));
        self.values += 1;
        if include_self {
            history.insert(time, value);
        }
        let statistics = history.statistics(time.saturating_sub(over_us), time);
        if !include_self {
            history.insert(time, value);
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

    pub(super) fn horizon(&self) -> Horizon {
        match self.histories {
            Histories::Key(_) => Horizon::For(self.over_us),
            Histories::Partition(_) => Horizon::Stateless,
        }
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        if let Histories::Key(histories) = &mut self.histories
            && histories.get(slot).is_some()
        {
            let forgotten = std::mem::take(histories.get_mut(slot));
            self.values -= forgotten.len();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.values * History::VALUE_BYTES
    }
}
