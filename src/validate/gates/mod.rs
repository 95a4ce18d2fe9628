//! The gates between a readable record and the fold, in this order: `no_event_time`, `null_key`,
//! `misplaced`, `future`, `late`.
//!
//! The watermark of a partition is its highest event time - lateness, taken over the records that
//! passed `future`; a record is late if its event time is before the watermark as it stood when
//! the record came. A future record that the policy keeps goes on as a row and does not move the
//! watermark: one wrong clock must not make everybody else late.
//!
//! A dead letter that was sent again is usually late by then. Its header says so, and unless the
//! pipeline file names a policy for late records it is kept; the header lies in the log with the
//! record, so that a replay decides the same.

mod event_time;
mod partitioner;
mod pattern;
mod progress;
mod waiting;

pub use event_time::{EventTime, TimeUnitSpec};
pub use partitioner::Partitioner;
pub use progress::Progress;
pub use waiting::Released;

use crate::{
    batch::{Decoded, Policy, REPLAYED, RawBatch, RawRecord, Reason, Rejections, Rows},
    registry::{Problem, Span},
};
use arrow::{
    array::{Array, AsArray},
    compute::filter_record_batch,
    datatypes::SchemaRef,
};
use event_time::Reader;
use waiting::Waiting;

/// What the gates have to know; durations in microseconds.
#[derive(Debug, Clone)]
pub struct GateOptions {
    /// Where the event time comes from.
    pub event_time: EventTime,
    /// How far behind the highest event time a record may be.
    pub lateness_us: i64,
    /// How far the event time may be ahead of the Kafka timestamp.
    pub max_ahead_us: Option<i64>,
    /// How far the event time may be ahead of the watermark.
    pub max_jump_us: Option<i64>,
    /// Columns of the entity key.
    pub key: Vec<usize>,
    /// True if the record key has to be the entity's text: a tombstone then clears whom it names.
    pub own_key: bool,
    /// How the producers place a key; none is no check.
    pub partitioner: Option<Partitioner>,
    /// Partitions of the topic; none, as in a replay from a file, is no check.
    pub partitions: Option<i32>,
    /// What happens to late records.
    pub late: Policy,
    /// What happens to late records that were dead letters and were sent again: those with the
    /// header [`REPLAYED`].
    pub late_replayed: Policy,
    /// What happens to records of the future.
    pub future: Policy,
    /// How many records may wait for the watermark; none where they do not wait.
    pub max_held: Option<usize>,
}

/// The gates of one partition, and its watermark.
#[derive(Debug)]
pub struct Gates {
    options: GateOptions,
    reader: Reader,
    /// Names of the key columns, for messages.
    key_names: Vec<String>,
    progress: Progress,
    waiting: Option<Waiting>,
    times: Vec<Option<i64>>,
}

/// Why a record does not pass.
type Refusal = (Reason, String);

/// A record that passes.
struct Passed {
    event_time: i64,
    late: bool,
}

impl Gates {
    /// Checks that the event time column can be read as the options say.
    pub fn build(options: GateOptions, schema: &SchemaRef) -> Result<Self, Problem> {
        let reader = Reader::build(options.event_time.clone(), schema)?;
        let key_names = options.key.iter().map(|i| schema.field(*i).name().clone()).collect();
        let waiting = options.max_held.map(Waiting::new);
        let (progress, times) = (Progress::default(), Vec::new());
        Ok(Self { options, reader, key_names, progress, waiting, times })
    }

    /// The watermark in microseconds, once a record has set it or a tick.
    pub fn watermark(&self) -> Option<i64> {
        self.progress.highest.map(|_| self.progress.watermark(self.options.lateness_us))
    }

    /// How far event times of what was let through may be beyond the watermark, or have been when it
    /// went on, microseconds; none where records pass
    /// whatever their event time is, or by what passed before.
    pub fn reach(&self) -> Option<i64> {
        let GateOptions { lateness_us, max_jump_us, .. } = self.options;
        let GateOptions { late, late_replayed, future, .. } = &self.options;
        let keeps = [late, late_replayed, future].contains(&&Policy::Keep);
        (max_jump_us.is_none() && !keeps).then_some(lateness_us.saturating_add(self.wait_us()))
    }

    /// How far the watermark has to be past records that wait, in microseconds.
    pub fn wait_us(&self) -> i64 {
        self.waiting.as_ref().map_or(0, Waiting::wait_us)
    }

    /// Lets records, where they wait, do so until the watermark is past them by `us` microseconds.
    pub fn wait_longer(&mut self, us: i64) {
        self.waiting.iter_mut().for_each(|waiting| waiting.wait_longer(us));
    }

    /// No record that waits has an event time before this: the watermark, or as much before it as
    /// they wait longer.
    pub fn frontier(&self) -> i64 {
        let frontier =
            |waiting: &Waiting| waiting.frontier(&self.progress, self.options.lateness_us);
        self.waiting.as_ref().map_or(i64::MIN, frontier)
    }

    /// All the state that the gates have beside the records that wait.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Goes on from where other gates stood.
    pub fn resume(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// The newest [`Released::watermark`].
    pub fn row_watermark(&self) -> i64 {
        self.waiting.as_ref().map_or(i64::MIN, Waiting::row_watermark)
    }

    /// Goes on from where other gates stood: the event times and offsets of the records that wait,
    /// and [`Gates::row_watermark`].
    pub fn resume_waiting(
        &mut self,
        records: impl Iterator<Item = (i64, i64)>,
        row_watermark: i64,
    ) {
        if let Some(waiting) = &mut self.waiting {
            waiting.resume(records, row_watermark);
        }
    }

    /// How many records wait.
    pub fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, Waiting::len)
    }

    /// How often since these gates were built records went before their time: by a tick, or because
    /// there were too many.
    pub fn early_releases(&self) -> u64 {
        self.waiting.as_ref().map_or(0, Waiting::early)
    }

    /// The records that the last batch, or a tick, let go, in order; of gates at which they wait.
    pub fn released(&self) -> &[Released] {
        self.waiting.as_ref().map_or(&[], Waiting::released)
    }

    /// Lets all records go that wait; the watermark is right behind the highest event time then.
    pub fn tick(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.tick(&mut self.progress, self.options.lateness_us);
        }
    }

    /// True if these rows have passed before, with these event times: what a snapshot holds.
    pub fn have_passed(&mut self, raw: &RawBatch, decoded: &Decoded, event_times: &[i64]) -> bool {
        let mut times = std::mem::take(&mut self.times);
        self.reader.read(raw, decoded, &mut times);
        let same = times.iter().copied().eq(event_times.iter().map(|time| Some(*time)));
        self.times = times;
        let has_null = |index: &usize| decoded.columns.column(*index).null_count() > 0;
        same && !self.options.key.iter().any(has_null)
    }

    /// Judges the rows in offset order. Those that pass come out with event times and watermarks;
    /// `slots` stays empty. Where records wait, [`Gates::released`] says which go on.
    pub fn advance(&mut self, raw: &RawBatch, decoded: Decoded, rejected: &mut Rejections) -> Rows {
        self.waiting.iter_mut().for_each(Waiting::begin);
        let mut times = std::mem::take(&mut self.times);
        self.reader.read(raw, &decoded, &mut times);
        let count = decoded.records.len();
        let mut keep = Vec::with_capacity(count);
        let mut rows = Rows {
            columns: decoded.columns,
            records: Vec::with_capacity(count),
            offsets: Vec::with_capacity(count),
            event_times: Vec::with_capacity(count),
            watermarks: Vec::with_capacity(count),
            slots: Vec::new(),
            late: Vec::with_capacity(count),
        };
        let looks_at_keys = self.looks_at_keys(&rows);
        for (row, record_index) in decoded.records.into_iter().enumerate() {
            let index = record_index as usize;
            let verdict = match times[row] {
                Some(time) if !looks_at_keys => self.time(time, raw, index),
                time => self
                    .keyed(time, raw, (row, index), &rows)
                    .and_then(|t| self.time(t, raw, index)),
            };
            keep.push(verdict.is_ok());
            match verdict {
                Ok(passed) => {
                    let offset = raw.offset(index);
                    rows.records.push(record_index);
                    rows.offsets.push(offset);
                    rows.event_times.push(passed.event_time);
                    rows.watermarks.push(self.pass((record_index, offset), &passed));
                    rows.late.push(passed.late);
                }
                Err((reason, detail)) => rejected.push(record_index, reason, detail),
            }
        }
        self.times = times;
        if rows.records.len() < count {
            rows.columns =
                filter_record_batch(&rows.columns, &keep.into()).expect("mask has a flag per row");
        }
        rows
    }

    /// Notes a record that has passed, and gives the watermark after it.
    #[inline]
    fn pass(&mut self, record: (u32, i64), passed: &Passed) -> i64 {
        let Self { options, progress, waiting, .. } = self;
        match waiting {
            None => progress.watermark(options.lateness_us),
            Some(waiting) => waiting.take(record, passed, progress, options.lateness_us),
        }
    }

    /// True if a gate before `future` asks more of a row of the batch than an event time.
    fn looks_at_keys(&self, rows: &Rows) -> bool {
        let GateOptions { key, own_key, partitioner, .. } = &self.options;
        let has_nulls = |index: &usize| rows.columns.column(*index).null_count() > 0;
        *own_key || partitioner.is_some() || key.iter().any(has_nulls)
    }

    /// The gates before `future`.
    fn keyed(
        &self,
        time: Option<i64>,
        raw: &RawBatch,
        (row, index): (usize, usize),
        rows: &Rows,
    ) -> Result<i64, Refusal> {
        let record = raw.record(index);
        let time = self.present(time, row, rows)?;
        self.own(&record, row, rows)?;
        self.place(&record, raw.partition())?;
        Ok(time)
    }

    /// `no_event_time` and `null_key`.
    fn present(&self, time: Option<i64>, row: usize, rows: &Rows) -> Result<i64, Refusal> {
        let time =
            time.ok_or_else(|| (Reason::NoEventTime, self.reader.unreadable().to_owned()))?;
        for (index, name) in self.options.key.iter().zip(&self.key_names) {
            if rows.columns.column(*index).is_null(row) {
                return Err((Reason::NullKey, format!("key column `{name}` is null")));
            }
        }
        Ok(time)
    }

    /// `misplaced`: the record is under a key whose tombstone would clear somebody else.
    fn own(&self, record: &RawRecord<'_>, row: usize, rows: &Rows) -> Result<(), Refusal> {
        let ([entity], [name], true) =
            (self.options.key.as_slice(), self.key_names.as_slice(), self.options.own_key)
        else {
            return Ok(());
        };
        let entity = rows.columns.column(*entity).as_string::<i32>().value(row);
        if record.key == Some(entity.as_bytes()) {
            return Ok(());
        }
        Err((Reason::Misplaced, format!("the record key is not the text of `{name}`")))
    }

    /// `misplaced`: the record lies in another partition than its key says.
    fn place(&self, record: &RawRecord<'_>, partition: i32) -> Result<(), Refusal> {
        let (Some(partitioner), Some(count)) = (self.options.partitioner, self.options.partitions)
        else {
            return Ok(());
        };
        match partitioner.partition(record.key, count) {
            Some(expected) if expected != partition => Err((
                Reason::Misplaced,
                format!(
                    "by {partitioner} the record key belongs to partition {expected} of {count}"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// `future` and `late`; moves the watermark.
    #[inline]
    fn time(&mut self, event_time: i64, raw: &RawBatch, index: usize) -> Result<Passed, Refusal> {
        let watermark = self.progress.watermark(self.options.lateness_us);
        match self.future(event_time, watermark, raw.timestamp_ms(index)) {
            None => self.progress.advance(event_time),
            Some(_) if self.options.future == Policy::Keep => {}
            Some(detail) => return Err((Reason::Future, detail)),
        }
        let late = event_time < watermark;
        if late && self.late_policy(&raw.record(index)) != Policy::Keep {
            return Err((Reason::Late, "the event time is before the watermark".to_owned()));
        }
        Ok(Passed { event_time, late })
    }

    /// Headers are looked at for late records only, so that nobody else pays for them.
    fn late_policy(&self, record: &RawRecord<'_>) -> Policy {
        if self.options.late == self.options.late_replayed {
            return self.options.late;
        }
        let replayed = record.headers.last(REPLAYED).is_some();
        if replayed { self.options.late_replayed } else { self.options.late }
    }

    fn future(&mut self, event_time: i64, watermark: i64, ms: Option<i64>) -> Option<String> {
        let beyond = |from: i64, limit_us: i64| from.saturating_add(limit_us);
        if let (Some(limit_us), Some(ms)) = (self.options.max_ahead_us, ms)
            && event_time > beyond(ms.saturating_mul(1_000), limit_us)
        {
            let limit = Span { us: limit_us };
            return Some(format!("the event time is over {limit} after the Kafka timestamp"));
        }
        if let (Some(limit_us), Some(_)) = (self.options.max_jump_us, self.progress.highest)
            && self.progress.is_jump(event_time, beyond(watermark, limit_us))
        {
            let limit = Span { us: limit_us };
            return Some(format!("the event time is over {limit} after the watermark"));
        }
        None
    }
}

#[cfg(test)]
mod tests;
