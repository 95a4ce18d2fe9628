//! Raw values of one key or partition in order of (event time, offset), and their statistics.

use super::options::Per;
use crate::{
    aggregate::{
        Event, EventBuffer, Interned, Kind, Needs, Pool, Retention, SavedBuffers, float_key,
        restore_buffers,
    },
    batch::Slot,
    state::{
        Paged,
        snapshot::{Section, SnapshotError},
    },
};

/// What the statistics ask of a buffer.
const NEEDS: Needs = Needs { moments: true, ..Needs::NONE };

/// The values of all keys, or of the partition as one.
#[derive(Debug)]
pub(super) struct Histories {
    per: Per,
    retention: Retention,
    by_slot: Paged<EventBuffer>,
    pool: Pool,
}

impl Histories {
    /// No values yet; they will be kept for `over_us` before the watermark.
    pub(super) fn new(per: Per, over_us: i64) -> Self {
        // A value exactly that old is outside: the windows are open on the left.
        let retention = Retention { time_us: Some(over_us.saturating_sub(1)), rows: None };
        let pool = Pool::new(Kind::Float, NEEDS);
        Self { per, retention, by_slot: Paged::default(), pool }
    }

    /// Whose values they are.
    pub(super) fn per(&self) -> Per {
        self.per
    }

    /// Inserts a value at its event time, behind those of the same time.
    pub(super) fn insert(&mut self, slot: Slot, time: i64, value: f64) {
        let event = Event { time, key: float_key(value), valid: true };
        self.by_slot.get_mut(self.home(slot)).insert(event, &mut self.pool);
    }

    /// Forgets the values that no record at or after `watermark` looks back to.
    pub(super) fn expire(&mut self, slot: Slot, watermark: i64) {
        let buffer = self.by_slot.get_mut(self.home(slot));
        buffer.expire(watermark, self.retention, &mut self.pool);
    }

    /// Statistics of the values in `(after, until]`.
    pub(super) fn statistics(&self, slot: Slot, after: i64, until: i64) -> Statistics {
        let Some(buffer) = self.by_slot.get(self.home(slot)) else { return Statistics::NONE };
        let [from, to] = [after, until].map(|time| buffer.seek(time.saturating_add(1)));
        let summary = buffer.summary([from, to], to, NEEDS, &self.pool);
        let n = summary.n as f64;
        match usize::try_from(summary.n).expect("values fit memory") {
            0 => Statistics::NONE,
            1 => Statistics { count: 1, mean: summary.mean, std: f64::NAN },
            count => Statistics { count, mean: summary.mean, std: (summary.m2 / (n - 1.0)).sqrt() },
        }
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.per == Per::Key && self.by_slot.get(slot).is_some_and(|b| !b.is_vacant()) {
            self.by_slot.get_mut(slot).clear(&mut self.pool);
        }
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> usize {
        self.pool.events() * size_of::<(i64, f64)>()
    }

    /// Bytes of so many keys' buffers; those of a partition do not become less with them.
    pub(super) fn key_bytes(&self, keys: usize) -> usize {
        match self.per {
            Per::Key => keys * size_of::<EventBuffer>() + self.pool.bytes(),
            Per::Partition => 0,
        }
    }

    /// Holds on to the values as they are.
    pub(super) fn capture(&self) -> SavedBuffers {
        SavedBuffers::capture(&self.by_slot, &self.pool, &Interned::default())
    }

    /// Takes over the values that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        let slots = if self.per == Per::Key { slots } else { 1 };
        let (pool, any) = (&mut self.pool, [i64::MIN..=i64::MAX, i64::MIN..=i64::MAX]);
        *pool = Pool::new(Kind::Float, NEEDS);
        self.by_slot = restore_buffers(section, slots, any, pool, &mut Interned::default())?;
        Ok(())
    }

    /// Where the values of a key are kept.
    fn home(&self, slot: Slot) -> Slot {
        match self.per {
            Per::Key => slot,
            Per::Partition => 0,
        }
    }
}

/// Number, mean and standard deviation of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    pub(super) count: usize,
    /// Arithmetic mean; NaN without values.
    pub(super) mean: f64,
    /// Sample standard deviation (ddof 1); NaN for fewer than two values, 0 for equal ones.
    pub(super) std: f64,
}

impl Statistics {
    /// Those of no values.
    const NONE: Self = Self { count: 0, mean: f64::NAN, std: f64::NAN };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_a_part() {
        let mut history = Histories::new(Per::Partition, 10);
        for (time, value) in [(10, 1.0), (30, 5.0), (20, 2.0), (20, 3.0)] {
            history.insert(9, time, value);
        }
        let all = history.statistics(3, 0, 30);
        assert_eq!((all.count, all.mean), (4, 2.75));
        assert!((all.std - 1.707_825_127_659_933).abs() < 1e-15);
        assert_eq!(history.statistics(3, 10, 20).count, 2);
        assert_eq!(history.statistics(3, 30, 20).count, 0);
        assert!(history.statistics(3, 20, 30).std.is_nan());
        history.expire(3, 29);
        assert_eq!(history.bytes(), 3 * 16, "of (19, 29] on");
        history.expire(3, 30);
        assert_eq!(history.bytes(), 16, "of (20, 30] on");
    }

    #[test]
    fn equal_values_have_exactly_no_spread() {
        let mut history = Histories::new(Per::Key, 1_000);
        for time in 0..7 {
            history.insert(0, time, 0.1);
        }
        let Statistics { count, mean, std } = history.statistics(0, -1, 6);
        assert_eq!((count, mean.to_bits(), std.to_bits()), (7, 0.1f64.to_bits(), 0));
    }

    /// Two passes over the values themselves, off an offset first so that this is exact.
    fn two_pass(values: &[f64], offset: f64) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| v - offset).sum::<f64>() / n;
        let m2: f64 = values.iter().map(|v| (v - offset - mean) * (v - offset - mean)).sum();
        (offset + mean, (m2 / (n - 1.0)).sqrt())
    }

    #[test]
    fn long_histories_are_exact_and_nothing_is_left_of_what_has_passed() {
        const OVER: i64 = 5_000;
        let mut history = Histories::new(Per::Partition, OVER);
        let mut values: Vec<(i64, f64)> = Vec::new();
        let (mut finite, mut constant) = (0, 0);
        for i in 0..40_000_i64 {
            // A constant stretch, odd values, and numbers a million spreads off zero.
            let noise = (i.wrapping_mul(0x9E37_79B9) >> 7).rem_euclid(1_009) as f64 / 1_009.0;
            let value = match i {
                9_000..21_000 => 0.1,
                30_000 => f64::NAN,
                30_001 => f64::INFINITY,
                _ => 3e5 + noise,
            };
            let time = i - if i % 5 < 3 { i * 7_919 % 2_000 } else { 0 };
            history.expire(0, i - 2_000);
            history.insert(0, time, value);
            values.push((time, value));
            if i % 397 != 0 {
                continue;
            }
            let inside = values.iter().filter(|v| time - OVER < v.0 && v.0 <= time);
            let held: Vec<f64> = inside.map(|v| v.1).collect();
            let Statistics { count, mean, std } = history.statistics(0, time - OVER, time);
            assert_eq!(count, held.len(), "at {i}");
            if held.iter().any(|v| !v.is_finite()) {
                assert!(!std.is_finite(), "at {i}");
            } else if held.len() > 1 {
                finite += 1;
                let (expected_mean, expected_std) = two_pass(&held, held[0]);
                assert!((mean / expected_mean - 1.0).abs() <= 1e-9, "{mean} {expected_mean}");
                if expected_std == 0.0 {
                    constant += 1;
                    assert_eq!((mean.to_bits(), std.to_bits()), (held[0].to_bits(), 0), "at {i}");
                } else {
                    assert!((std / expected_std - 1.0).abs() <= 1e-9, "{std} {expected_std}");
                }
            }
        }
        assert!(finite > 60 && constant > 10, "{finite} {constant}");
        assert!(history.bytes() <= 7_200 * 16, "{}", history.bytes());
    }
}
