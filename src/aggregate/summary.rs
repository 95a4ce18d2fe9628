//! What the events in one window at one record amount to: the input of every aggregate.

use super::moments::Moments;

/// The valid events of a window, summed up. With `n` = 0 the other numbers mean nothing; a field
/// whose need no aggregate of the window declares means nothing either.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Number of events.
    pub n: u64,
    /// Sum of the values.
    pub sum: f64,
    /// Mean of the values.
    pub mean: f64,
    /// A number near the values, and how far the mean lies from it: together more digits than the
    /// mean has.
    pub centre: f64,
    /// The mean less the centre.
    pub off_centre: f64,
    /// Sum of squared deviations from the mean.
    pub m2: f64,
    /// Ordering key of the least value.
    pub min: i64,
    /// Ordering key of the greatest value.
    pub max: i64,
    /// Ordering key of the first value in (event time, offset) order.
    pub first: i64,
    /// Ordering key of the last value.
    pub last: i64,
    /// Time of the first event.
    pub first_time: i64,
    /// Time of the last event.
    pub last_time: i64,
    /// Time of the last event before the record itself.
    pub previous_time: Option<i64>,
    /// Ordering key of the record's own value, if it has one that counts; in or out of the window.
    pub own: Option<i64>,
    /// Event time of the record itself.
    pub time: i64,
}

impl Summary {
    pub(super) fn set_moments(&mut self, moments: &Moments) {
        self.n = moments.n;
        self.sum = moments.sum;
        self.mean = moments.mean();
        self.centre = moments.centre;
        self.off_centre = moments.d1 / moments.n as f64;
        self.m2 = moments.m2();
        self.min = moments.min;
        self.max = moments.max;
    }

    /// Seconds from the first event to the last, if there are events.
    pub(super) fn seconds(&self) -> Option<f64> {
        (self.n > 0).then(|| self.last_time.saturating_sub(self.first_time) as f64 / 1e6)
    }

    /// `key` if the window has events.
    pub(super) fn present(&self, key: i64) -> Option<i64> {
        (self.n > 0).then_some(key)
    }
}

/// What the aggregates of a window need to know, so that nothing else is computed or kept. The
/// number of events is always known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent flags")]
pub struct Needs {
    /// Sum, mean and squared deviations.
    pub moments: bool,
    /// Least and greatest value.
    pub extremes: bool,
    /// First value.
    pub first: bool,
    /// Last value.
    pub last: bool,
    /// Time of the last event.
    pub span: bool,
    /// Time of the event before the record.
    pub previous: bool,
    /// All values, for a scan.
    pub scan: bool,
    /// Pauses between events, for sessions.
    pub pauses: bool,
}

impl Needs {
    /// Nothing but the number of events.
    pub const NONE: Self = Self {
        moments: false,
        extremes: false,
        first: false,
        last: false,
        span: false,
        previous: false,
        scan: false,
        pauses: false,
    };

    /// Everything.
    #[cfg(test)]
    pub(super) const ALL: Self = Self {
        moments: true,
        extremes: true,
        first: true,
        last: true,
        span: true,
        previous: true,
        scan: true,
        pauses: true,
    };

    /// True if values have to be kept, not only the times of events.
    pub fn values(self) -> bool {
        self.moments || self.extremes || self.first || self.last || self.scan
    }

    /// What either needs.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            moments: self.moments || other.moments,
            extremes: self.extremes || other.extremes,
            first: self.first || other.first,
            last: self.last || other.last,
            span: self.span || other.span,
            previous: self.previous || other.previous,
            scan: self.scan || other.scan,
            pauses: self.pauses || other.pauses,
        }
    }
}
