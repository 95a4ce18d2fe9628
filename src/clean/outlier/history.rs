//! Raw values of one key or partition in order of (event time, offset), and their statistics.

use super::options::Per;
use crate::{
    aggregate::{Event, EventBuffer, Kind, Needs, Pool, Retention, float_key},
    batch::Slot,
    state::Paged,
};

/// Mean and spread, and nothing else.
const NEEDS: Needs = Needs { moments: true, ..Needs::NONE };

/// The values of all keys, or of the partition as one: in the buffers that windows are made of, so
/// that a long history costs no more per record than a short one.
#[derive(Debug)]
pub(super) struct Histories {
    per: Per,
    retention: Retention,
    by_slot: Paged<EventBuffer>,
    /// One more than the highest home seen.
    slots: usize,
    pool: Pool,
}

impl Histories {
    /// No values yet; they are looked at for `over_us`, which is above 0.
    pub(super) fn new(per: Per, over_us: i64) -> Self {
        Self {
            per,
            // A buffer keeps what lies at its end; a history begins behind it.
            retention: Retention { time_us: Some(over_us - 1), rows: None },
            by_slot: Paged::default(),
            slots: 0,
            pool: Pool::new(Kind::Float, NEEDS),
        }
    }

    /// Whose values they are.
    pub(super) fn per(&self) -> Per {
        self.per
    }

    /// Inserts a value at its event time, behind those of the same time.
    pub(super) fn insert(&mut self, slot: Slot, time: i64, value: f64) {
        let home = self.home(slot);
        self.slots = self.slots.max(home as usize + 1);
        let event = Event { time, key: float_key(value), valid: true };
        self.by_slot.get_mut(home).insert(event, &mut self.pool);
    }

    /// Forgets the values that no record at or after `watermark` looks back to.
    pub(super) fn expire(&mut self, slot: Slot, watermark: i64) {
        let buffer = self.by_slot.get_mut(self.home(slot));
        buffer.expire(watermark, self.retention, &mut self.pool);
    }

    /// Statistics of the values with event time in `(after, until]`.
    pub(super) fn statistics(&self, slot: Slot, after: i64, until: i64) -> Statistics {
        let Some(buffer) = self.by_slot.get(self.home(slot)) else { return Statistics::NONE };
        let [from, to] = [after, until].map(|time| buffer.seek(time.saturating_add(1)));
        let summary = buffer.summary([from, to], to, NEEDS, &self.pool);
        let n = summary.n as f64;
        match summary.n {
            0 => Statistics::NONE,
            1 => Statistics { count: 1, mean: summary.mean, std: f64::NAN },
            count => Statistics { count, mean: summary.mean, std: (summary.m2 / (n - 1.0)).sqrt() },
        }
    }

    /// Forgets the values of a key; a partition's belong to no key.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.per == Per::Key && self.by_slot.get(slot).is_some_and(|b| !b.is_empty()) {
            self.by_slot.get_mut(slot).clear(&mut self.pool);
        }
    }

    /// Bytes of state.
    pub(super) fn bytes(&self) -> usize {
        self.slots * size_of::<EventBuffer>() + self.pool.bytes()
    }

    fn home(&self, slot: Slot) -> Slot {
        match self.per {
            Per::Key => slot,
            Per::Partition => 0,
        }
    }
}

/// What is known of the values in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    /// Number of values.
    pub(super) count: u64,
    /// NaN without values.
    pub(super) mean: f64,
    /// Standard deviation with ddof 1, NaN with fewer than two values.
    pub(super) std: f64,
}

impl Statistics {
    const NONE: Self = Self { count: 0, mean: f64::NAN, std: f64::NAN };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_a_part() {
        let mut history = Histories::new(Per::Partition, 20);
        for (time, value) in [(10, 1.0), (30, 5.0), (20, 2.0), (20, 3.0)] {
            history.insert(0, time, value);
        }
        let all = history.statistics(0, 0, 30);
        assert_eq!((all.count, all.mean), (4, 2.75));
        assert!((all.std - 1.707_825_127_659_933).abs() < 1e-15);
        assert_eq!(history.statistics(0, 10, 20).count, 2);
        assert_eq!(history.statistics(0, 30, 30).count, 0);
        assert!(history.statistics(0, 20, 30).std.is_nan());
        history.expire(0, 39);
        assert_eq!(history.statistics(0, 0, 30).count, 3);
        history.expire(0, 40);
        assert_eq!(history.statistics(0, 0, 30).count, 1);
    }

    #[test]
    fn equal_values_have_exactly_no_spread() {
        let mut history = Histories::new(Per::Key, 100);
        for time in 0..70 {
            history.insert(3, time, 0.1);
        }
        let Statistics { count, mean, std } = history.statistics(3, -1, 69);
        assert_eq!((count, mean.to_bits(), std.to_bits()), (70, 0.1f64.to_bits(), 0));
    }
}
