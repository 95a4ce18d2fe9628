//! Raw values of one key or partition in order of (event time, offset), and their statistics.

use crate::{
    aggregate::{
        Event, EventBuffer, Held, Interned, Kind, Needs, Per, Pool, Retention, SavedBuffers,
        key_range, restore_buffers,
    },
    batch::Slot,
    state::{
        Paged,
        snapshot::{Section, SnapshotError},
    },
};
use arrow::datatypes::DataType;
use std::ops::RangeInclusive;

/// What [`Histories::statistics`] asks of a buffer.
pub(super) const MOMENTS: Needs = Needs { moments: true, ..Needs::NONE };

/// The values of all keys, or of the partition as one.
#[derive(Debug)]
pub(super) struct Histories {
    per: Per,
    retention: Retention,
    needs: Needs,
    /// Keys that a value can have.
    range: RangeInclusive<i64>,
    by_slot: Paged<EventBuffer>,
    pool: Pool,
    /// What the keys of texts stand for.
    interned: Interned,
    scanned: Vec<Held>,
}

impl Histories {
    /// No values yet; those of a column of type `values` will be kept for `over_us` before the
    /// watermark.
    pub(super) fn new(per: Per, over_us: i64, values: &DataType, needs: Needs) -> Self {
        // A value exactly that old is outside: the windows are open on the left.
        let retention = Retention { time_us: Some(over_us.saturating_sub(1)), rows: None };
        let kind = Kind::of(values).expect("the type has been checked");
        Self {
            per,
            retention,
            needs,
            range: key_range(values),
            by_slot: Paged::default(),
            pool: Pool::new(kind, needs),
            interned: Interned::new([kind, Kind::Nothing]),
            scanned: Vec::new(),
        }
    }

    /// Whose values they are.
    pub(super) fn per(&self) -> Per {
        self.per
    }

    /// The key of a text, for a value that is inserted next.
    pub(super) fn intern(&mut self, text: &str) -> i64 {
        self.interned.text(text)
    }

    /// The text of a key that a value has.
    pub(super) fn text(&self, key: i64) -> &str {
        self.interned.symbols().text(key)
    }

    /// Inserts the ordering key of a value at its event time, behind those of the same time.
    pub(super) fn insert(&mut self, slot: Slot, time: i64, key: i64) {
        let event = Event { time, key, valid: true };
        self.by_slot.get_mut(self.per.home(slot)).insert(event, &mut self.pool);
    }

    /// Forgets the values that no record at or after `watermark` looks back to.
    pub(super) fn expire(&mut self, slot: Slot, watermark: i64) {
        let buffer = self.by_slot.get_mut(self.per.home(slot));
        buffer.expire(watermark, self.retention, &mut self.pool);
        self.release();
    }

    /// Statistics of the values in `(after, until]`.
    pub(super) fn statistics(&self, slot: Slot, after: i64, until: i64) -> Statistics {
        let Some(buffer) = self.by_slot.get(self.per.home(slot)) else { return Statistics::NONE };
        let [from, to] = [after, until].map(|time| buffer.seek(time.saturating_add(1)));
        let summary = buffer.summary([from, to], to, MOMENTS, &self.pool);
        let n = summary.n as f64;
        match usize::try_from(summary.n).expect("values fit memory") {
            0 => Statistics::NONE,
            1 => Statistics { count: 1, mean: summary.mean, std: f64::NAN },
            count => Statistics { count, mean: summary.mean, std: (summary.m2 / (n - 1.0)).sqrt() },
        }
    }

    /// Replaces `keys` by those of the values in `(after, until]`, in order. Costs a look at each.
    pub(super) fn keys_in(&mut self, slot: Slot, after: i64, until: i64, keys: &mut Vec<i64>) {
        keys.clear();
        let Some(buffer) = self.by_slot.get(self.per.home(slot)) else { return };
        let range = [after, until].map(|time| buffer.seek(time.saturating_add(1)));
        buffer.collect(range, &mut self.scanned);
        keys.extend(self.scanned.iter().map(|held| held.key));
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.per == Per::Key {
            self.clear(slot);
        }
    }

    /// Forgets the values of a key, or of the partition.
    pub(super) fn clear(&mut self, slot: Slot) {
        let home = self.per.home(slot);
        if self.by_slot.get(home).is_some_and(|buffer| !buffer.is_vacant()) {
            self.by_slot.get_mut(home).clear(&mut self.pool);
            self.release();
        }
    }

    /// Time of the last value in a slot.
    pub(super) fn newest(&self, home: Slot) -> Option<i64> {
        let buffer = self.by_slot.get(home)?;
        let end = buffer.seek(i64::MAX);
        buffer.last_time_before(buffer.back(end, 1), end)
    }

    /// Number of slots with values.
    pub(super) fn slots(&self) -> usize {
        self.by_slot.iter().filter(|buffer| !buffer.is_empty()).count()
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> usize {
        self.pool.events() * size_of::<(i64, i64)>() + self.interned.bytes()
    }

    /// Bytes of so many keys' buffers; those of a partition do not become less with them.
    pub(super) fn key_bytes(&self, keys: usize) -> usize {
        match self.per {
            Per::Key => keys * size_of::<EventBuffer>() + self.pool.bytes() + self.interned.bytes(),
            Per::Partition => 0,
        }
    }

    /// Holds on to the values as they are.
    pub(super) fn capture(&self) -> SavedBuffers {
        SavedBuffers::capture(&self.by_slot, &self.pool, &self.interned)
    }

    /// Takes over the values that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        let (slots, kind) = (self.per.homes(slots), self.pool.kind());
        // Of the column beside there is nothing.
        let ranges = [self.range.clone(), i64::MIN..=i64::MAX];
        self.interned = Interned::new([kind, Kind::Nothing]);
        self.pool = Pool::new(kind, self.needs);
        let (pool, interned) = (&mut self.pool, &mut self.interned);
        self.by_slot = restore_buffers(section, slots, ranges, pool, interned)?;
        Ok(())
    }

    fn release(&mut self) {
        let kind = self.pool.kind();
        if kind.is_interned() {
            self.pool.released().for_each(|key| self.interned.release(kind, key));
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
    use crate::aggregate::float_key;

    fn floats(per: Per, over_us: i64) -> Histories {
        Histories::new(per, over_us, &DataType::Float64, MOMENTS)
    }

    #[test]
    fn statistics_of_a_part() {
        let mut history = floats(Per::Partition, 10);
        for (time, value) in [(10, 1.0), (30, 5.0), (20, 2.0), (20, 3.0)] {
            history.insert(9, time, float_key(value));
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
        let mut history = floats(Per::Key, 1_000);
        for time in 0..7 {
            history.insert(0, time, float_key(0.1));
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
        let mut history = floats(Per::Partition, OVER);
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
            history.insert(0, time, float_key(value));
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
