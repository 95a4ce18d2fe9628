//! Which records wait for the watermark, and when each of them goes: `order: event_time`.
//!
//! A record that passed the gates waits until its event time is before the watermark, strictly. It
//! then goes in (event time, offset) order, with the record whose coming raised the watermark: its
//! trigger. All that have one event time go with one trigger, so that those that come later with
//! that event time are late. A late record that the policy keeps waits for nothing.
//!
//! Where what follows looks ahead, records wait longer: until their event time is before the watermark
//! by as much.
//!
//! Where more wait than `max_records`, those of the lowest event time go before their time, and the
//! watermark is raised right behind them. A tick lets all go.

use super::{Passed, progress::Progress};
use std::{cmp::Reverse, collections::BinaryHeap};

/// A record that goes on to the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Index of the record in its batch whose coming released it; it may be the record itself. 0
    /// for a tick.
    pub trigger: u32,
    /// Offset.
    pub offset: i64,
    /// Event time, microseconds.
    pub event_time: i64,
    /// No record that follows and is not late has an event time before this, microseconds.
    pub watermark: i64,
    /// True for a late record that the policy keeps: it was not held.
    pub late: bool,
}

/// The records of a partition that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    max_records: usize,
    /// How far the watermark must be past an event time.
    wait_us: i64,
    /// By event time and offset.
    records: BinaryHeap<Reverse<(i64, i64)>>,
    /// The newest [`Released::watermark`].
    row_watermark: i64,
    released: Vec<Released>,
    /// How often records went before their time.
    early: u64,
}

impl Waiting {
    pub(super) fn new(max_records: usize) -> Self {
        let (records, released) = (BinaryHeap::new(), Vec::new());
        Self { max_records, wait_us: 0, records, row_watermark: i64::MIN, released, early: 0 }
    }

    /// Lets records wait for so much more, in microseconds.
    pub(super) fn wait_longer(&mut self, us: i64) {
        self.wait_us = us;
    }

    pub(super) fn wait_us(&self) -> i64 {
        self.wait_us
    }

    /// All before this event time have gone, and what comes before it is late.
    pub(super) fn frontier(&self, progress: &Progress, lateness_us: i64) -> i64 {
        progress.watermark(lateness_us.saturating_add(self.wait_us))
    }

    /// A new batch begins.
    pub(super) fn begin(&mut self) {
        self.released.clear();
    }

    /// Takes in a record that passed, after it has moved `progress`, and lets go what it releases.
    /// Gives the watermark after it.
    pub(super) fn take(
        &mut self,
        (trigger, offset): (u32, i64),
        passed: &Passed,
        progress: &mut Progress,
        lateness_us: i64,
    ) -> i64 {
        let event_time = passed.event_time;
        let frontier = self.frontier(progress, lateness_us);
        if passed.late {
            self.release(trigger, (event_time, offset), frontier, true);
            return progress.watermark(lateness_us);
        }
        self.records.push(Reverse((event_time, offset)));
        self.release_before(frontier, trigger, frontier);
        let oldest = self.records.peek().filter(|_| self.records.len() > self.max_records);
        if let Some(Reverse((oldest, _))) = oldest.copied() {
            self.early += 1;
            progress.raise_behind(oldest);
            self.release_before(oldest + 1, trigger, self.frontier(progress, lateness_us));
        }
        progress.watermark(lateness_us)
    }

    /// Lets all records go.
    pub(super) fn tick(&mut self, progress: &mut Progress, lateness_us: i64) {
        self.begin();
        self.early += 1;
        progress.raise_behind(i64::MAX);
        self.release_before(i64::MAX, 0, self.frontier(progress, lateness_us));
    }

    fn release_before(&mut self, event_time: i64, trigger: u32, frontier: i64) {
        while let Some(Reverse(first)) = self.records.peek().copied()
            && first.0 < event_time
        {
            self.records.pop();
            self.release(trigger, first, frontier, false);
        }
    }

    /// Records of the future, which did not move the watermark, may go while the frontier is before
    /// their event time.
    fn release(&mut self, trigger: u32, record: (i64, i64), frontier: i64, late: bool) {
        let (event_time, offset) = record;
        self.row_watermark = self.row_watermark.max(event_time.min(frontier));
        let watermark = self.row_watermark;
        self.released.push(Released { trigger, offset, event_time, watermark, late });
    }

    /// What the batch, or the tick, let go, in order.
    pub(super) fn released(&self) -> &[Released] {
        &self.released
    }

    /// How many records wait.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn early(&self) -> u64 {
        self.early
    }

    pub(super) fn row_watermark(&self) -> i64 {
        self.row_watermark
    }

    /// Goes on from where others stood: the event times and offsets that wait.
    pub(super) fn resume(&mut self, records: impl Iterator<Item = (i64, i64)>, row_watermark: i64) {
        self.records = records.map(Reverse).collect();
        self.row_watermark = row_watermark;
    }
}
