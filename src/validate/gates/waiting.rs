//! Which records wait for the watermark, and when each of them goes: `order: event_time`.
//!
//! A record that passed the gates waits until its event time is before the watermark, strictly. It
//! then goes in (event time, offset) order, with the record whose coming raised the watermark: its
//! trigger. All that have one event time go with one trigger, so that those that come later with
//! that event time are late. A late record that the policy keeps waits for nothing.
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
        Self { max_records, records, row_watermark: i64::MIN, released, early: 0 }
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
        let watermark = progress.watermark(lateness_us);
        if passed.late {
            self.release(trigger, (event_time, offset), watermark, true);
            return watermark;
        }
        self.records.push(Reverse((event_time, offset)));
        self.release_before(watermark, trigger, watermark);
        let oldest = self.records.peek().filter(|_| self.records.len() > self.max_records);
        let Some(Reverse((oldest, _))) = oldest.copied() else { return watermark };
        self.early += 1;
        progress.raise_behind(oldest);
        let watermark = progress.watermark(lateness_us);
        self.release_before(oldest + 1, trigger, watermark);
        watermark
    }

    /// Lets all records go.
    pub(super) fn tick(&mut self, progress: &mut Progress, lateness_us: i64) {
        self.begin();
        self.early += 1;
        progress.raise_behind(i64::MAX);
        self.release_before(i64::MAX, 0, progress.watermark(lateness_us));
    }

    fn release_before(&mut self, event_time: i64, trigger: u32, watermark: i64) {
        while let Some(Reverse(first)) = self.records.peek().copied()
            && first.0 < event_time
        {
            self.records.pop();
            self.release(trigger, first, watermark, false);
        }
    }

    /// `watermark` is that of the partition: records of the future, which did not move it, may go
    /// while it is before their event time.
    fn release(&mut self, trigger: u32, record: (i64, i64), watermark: i64, late: bool) {
        let (event_time, offset) = record;
        self.row_watermark = self.row_watermark.max(event_time.min(watermark));
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
