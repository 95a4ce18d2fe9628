//! Raw values of one key or partition in order of (event time, offset), and their statistics.

use std::collections::VecDeque;

/// Number, mean and standard deviation of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    pub(super) count: usize,
    /// Arithmetic mean; NaN without values.
    pub(super) mean: f64,
    /// Sample standard deviation (ddof 1); NaN for fewer than two values, 0 for equal ones.
    pub(super) std: f64,
}

/// Values of one key or partition, oldest first; behind each other where times are equal.
#[derive(Debug, Clone, Default)]
pub(super) struct History(VecDeque<(i64, f64)>);

impl History {
    /// Bytes of one value.
    pub(super) const VALUE_BYTES: usize = size_of::<(i64, f64)>();

    /// Inserts a value at its event time, behind those of the same time.
    pub(super) fn insert(&mut self, time: i64, value: f64) {
        let place = self.place(time);
        self.0.insert(place, (time, value));
    }

    /// Forgets the values up to `time`, itself included, and gives their number.
    pub(super) fn forget_until(&mut self, time: i64) -> usize {
        let mut forgotten = 0;
        while self.0.front().is_some_and(|(oldest, _)| *oldest <= time) {
            self.0.pop_front();
            forgotten += 1;
        }
        forgotten
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Statistics of the values in `(after, until]`, in two passes.
    pub(super) fn statistics(&self, after: i64, until: i64) -> Statistics {
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
        assert_eq!(history.len(), 1);
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
