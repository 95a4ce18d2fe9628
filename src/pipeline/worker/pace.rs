//! How much of the log a replay folds before the live partitions have their turn again.
//!
//! What a record costs depends on the pipeline and on its windows, so it is measured: as many
//! records as the last slices say fit, shared among the partitions that replay.

use std::time::Duration;

/// Longest time that the replays of a worker together take between two turns of its live
/// partitions.
const TURN: Duration = Duration::from_millis(20);

/// Records of a turn before anything was measured.
const FIRST: usize = 256;

/// Learns how many records fit into [`TURN`].
#[derive(Debug)]
pub(super) struct Pace {
    turn: usize,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { turn: FIRST }
    }

    /// Records of the next slice of each of `replays` partitions, `most` at most.
    pub(super) fn slice(&self, replays: usize, most: usize) -> usize {
        (self.turn / replays.max(1)).clamp(1, most)
    }

    /// Learns from a slice. A fast one may be chance: the next turn has twice the records at most. A
    /// slow one counts at once.
    pub(super) fn took(&mut self, records: usize, time: Duration) {
        let fitting = records as u128 * TURN.as_nanos() / time.as_nanos().max(1);
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        self.turn = fitting.clamp(1, self.turn.saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slices of a pace that folds records of a constant cost, until it no longer changes.
    fn settled(cost: Duration, replays: usize) -> usize {
        let mut pace = Pace::new();
        for _ in 0..64 {
            let slice = pace.slice(replays, 8_192);
            pace.took(slice, cost * u32::try_from(slice).expect("a few thousand"));
        }
        pace.slice(replays, 8_192)
    }

    #[test]
    fn a_turn_takes_its_time_whatever_a_record_costs() {
        assert_eq!(settled(Duration::from_micros(5), 1), 4_000);
        assert_eq!(settled(Duration::from_micros(5), 8), 500);
        assert_eq!(settled(Duration::from_millis(1), 4), 5);
        assert_eq!(settled(Duration::from_nanos(100), 1), 8_192, "a batch is the most");
        assert_eq!(settled(Duration::from_millis(30), 3), 1, "one record is the least");
    }

    #[test]
    fn slows_down_at_once_and_speeds_up_by_and_by() {
        let mut pace = Pace::new();
        pace.took(FIRST, Duration::from_micros(1));
        assert_eq!(pace.slice(1, usize::MAX), 2 * FIRST);
        pace.took(2 * FIRST, 64 * TURN);
        assert_eq!(pace.slice(1, usize::MAX), FIRST / 32);
    }

    #[test]
    fn a_slice_without_records_or_time_is_no_division_by_zero() {
        let mut pace = Pace::new();
        pace.took(0, Duration::ZERO);
        assert_eq!(pace.slice(0, 8_192), 1);
        pace.took(1, Duration::ZERO);
        assert_eq!(pace.slice(1, 8_192), 2);
    }
}
