//! Raw values of one key or partition in order of (event time, offset), and their statistics.

use super::options::Per;
use crate::{batch::Slot, state::Paged};
use std::{collections::VecDeque, mem};

/// The values of all keys, or of the partition as one.
#[derive(Debug)]
pub(super) struct Histories {
    per: Per,
    by_slot: Paged<History>,
    values: usize,
}

impl Histories {
    pub(super) fn new(per: Per) -> Self {
        Self { per, by_slot: Paged::default(), values: 0 }
    }

    /// Whose values they are.
    pub(super) fn per(&self) -> Per {
        self.per
    }

    /// Inserts a value at its event time, behind those of the same time.
    pub(super) fn insert(&mut self, slot: Slot, time: i64, value: f64) {
        self.values += 1;
        self.by_slot.get_mut(self.home(slot)).insert(time, value);
    }

    /// Forgets the values up to `time`, itself included.
    pub(super) fn expire(&mut self, slot: Slot, time: i64) {
        self.values -= self.by_slot.get_mut(self.home(slot)).forget_until(time);
    }

    /// Statistics of the values in `(after, until]`.
    pub(super) fn statistics(&self, slot: Slot, after: i64, until: i64) -> Statistics {
        let history = self.by_slot.get(self.home(slot));
        history.map_or(Statistics::NONE, |history| history.statistics(after, until))
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.per == Per::Key && self.by_slot.get(slot).is_some() {
            self.values -= mem::take(self.by_slot.get_mut(slot)).0.len();
        }
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> usize {
        self.values * size_of::<(i64, f64)>()
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

/// Values of one key or partition, oldest first; behind each other where times are equal.
#[derive(Debug, Clone, Default)]
struct History(VecDeque<(i64, f64)>);

impl History {
    fn insert(&mut self, time: i64, value: f64) {
        let place = self.place(time);
        self.0.insert(place, (time, value));
    }

    /// Forgets the values up to `time` and gives their number.
    fn forget_until(&mut self, time: i64) -> usize {
        let mut forgotten = 0;
        while self.0.front().is_some_and(|(oldest, _)| *oldest <= time) {
            self.0.pop_front();
            forgotten += 1;
        }
        forgotten
    }

    /// Statistics of the values in `(after, until]`, in two passes.
    fn statistics(&self, after: i64, until: i64) -> Statistics {
        let (first, last) = (self.place(after), self.place(until));
        let values = || self.0.range(first.min(last)..last).map(|(_, value)| *value);
        let count = last.saturating_sub(first);
        let n = count as f64;
        // Differences to one of the values: equal values then have exactly no spread.
        let origin = values().next().unwrap_or(f64::NAN);
        let mean = origin + values().map(|x| x - origin).sum::<f64>() / n;
        let squares: f64 = values().map(|x| (x - mean) * (x - mean)).sum();
        let std = if count < 2 { f64::NAN } else { (squares / (n - 1.0)).sqrt() };
        Statistics { count, mean, std }
    }

    /// Where a value of that time belongs that came after all others.
    fn place(&self, time: i64) -> usize {
        match self.0.back() {
            Some((newest, _)) if *newest <= time => self.0.len(),
            _ => self.0.partition_point(|(earlier, _)| *earlier <= time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_a_part() {
        let mut history = History::default();
        for (time, value) in [(10, 1.0), (30, 5.0), (20, 2.0), (20, 3.0)] {
            history.insert(time, value);
        }
        let all = history.statistics(0, 30);
        assert_eq!((all.count, all.mean), (4, 2.75));
        assert!((all.std - 1.707_825_127_659_933).abs() < 1e-15);
        assert_eq!(history.statistics(10, 20).count, 2);
        assert_eq!(history.statistics(30, 20).count, 0);
        assert!(history.statistics(20, 30).std.is_nan());
        assert_eq!(history.forget_until(20), 3);
        assert_eq!(history.0.len(), 1);
    }

    #[test]
    fn equal_values_have_exactly_no_spread() {
        let mut history = History::default();
        for time in 0..7 {
            history.insert(time, 0.1);
        }
        let Statistics { count, mean, std } = history.statistics(-1, 6);
        assert_eq!((count, mean.to_bits(), std.to_bits()), (7, 0.1f64.to_bits(), 0));
    }
}
