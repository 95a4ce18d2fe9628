//! Decode, validate, clean, window: everything that holds state, for one partition.

mod build;
mod digest;
mod evict;
mod reach;
mod state;

use super::Totals;
use crate::{
    batch::{Outcomes, Policy, RawBatch, Rejected, Rejections, Rows, Slot},
    clean::Clean,
    decode::Decode,
    state::{BATCH_ROWS_MAX, Keys},
    validate::{Rules, gates::Gates},
    window::{WindowPlan, Windows},
};
use arrow::{
    array::{Array, ArrayRef, TimestampMicrosecondArray},
    datatypes::{FieldRef, Schema, SchemaRef},
};
use digest::Digest;
use std::{mem, sync::Arc};

pub use state::FoldState;

/// The state of one (topic, partition) and the steps that change it.
///
/// What comes out is a function of the definition and of the records in offset order, never of
/// where a batch was cut. Reads no clock, no environment and nothing random.
#[derive(Debug)]
pub struct Fold {
    decode: Box<dyn Decode>,
    rules: Rules,
    gates: Gates,
    /// The field of event time, if the record has no column of that name.
    event_time: Option<FieldRef>,
    key: Vec<usize>,
    keys: Keys,
    clean: Vec<Box<dyn Clean>>,
    windows: Windows,
    outcomes: Outcomes,
    digest: Digest,
    expired: Vec<Slot>,
    /// What may be kept by key, in bytes.
    state_bytes_max: Option<usize>,
}

/// A part of the fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Bytes to columns.
    Decode,
    /// Rules, gates, event time and key slots.
    Validate,
    /// Cleaning steps.
    Clean,
    /// Windows, and the digest over what they made.
    Window,
}

/// A batch on its way through the steps that keep state by key.
struct Batch<'a> {
    raw: &'a RawBatch,
    /// Records that make a key be forgotten, of those that the rows at hand lie between.
    tombstones: &'a [u32],
    left: Rejections,
}

/// A batch after the fold: every record is either a row or has left.
#[derive(Debug)]
pub struct Folded {
    /// The records that go on, with the columns of `clean` and `window`.
    pub rows: Rows,
    /// The records that left, in offset order, each with its settled policy.
    pub rejected: Vec<Rejected>,
    /// What became of the records. [`Emitter::emit`](super::Emitter::emit) completes it.
    pub totals: Totals,
}

impl Fold {
    /// Takes in the next records of the partition, at most [`BATCH_ROWS_MAX`] at once.
    pub fn advance(&mut self, raw: &RawBatch) -> Folded {
        self.advance_timed(raw, &mut |_| {})
    }

    /// The same; `done` is called after each part, so that a caller with a clock can time it.
    pub fn advance_timed(&mut self, raw: &RawBatch, done: &mut dyn FnMut(Part)) -> Folded {
        assert!(raw.len() <= BATCH_ROWS_MAX, "a batch has at most {BATCH_ROWS_MAX} records");
        let mut left = Rejections::default();
        let decoded = self.decode.decode(raw, &mut left);
        done(Part::Decode);
        let decoded = self.rules.apply(raw, decoded, &mut left);
        let rows = self.gates.advance(raw, decoded, &mut left);
        let rows = self.with_event_time(rows);
        let tombstones = self.tombstones(&left.0);
        let mut batch = Batch { raw, tombstones: &tombstones, left };
        let rows = match self.state_bytes_max {
            Some(most) => self.in_pieces(rows, most, &mut batch, done),
            None => self.by_key(rows, &mut batch, done),
        };
        let Batch { left, .. } = batch;
        let rejected = settle(left, &self.outcomes);
        self.digest.advance(raw, &rows, &rejected);
        let folded = Folded::new(raw, rows, rejected);
        done(Part::Window);
        folded
    }

    /// The steps behind the gates: key slots, `clean`, `window`.
    fn by_key(&mut self, rows: Rows, batch: &mut Batch<'_>, done: &mut dyn FnMut(Part)) -> Rows {
        let mut rows = self.with_slots(rows, batch);
        done(Part::Validate);
        for step in &mut self.clean {
            rows = step.advance(rows, &mut batch.left);
        }
        done(Part::Clean);
        let rows = self.windows.advance(rows, &mut batch.left);
        let mut expired = mem::take(&mut self.expired);
        expired.drain(..).for_each(|slot| self.forget(slot));
        self.expired = expired;
        rows
    }

    /// The watermark in microseconds, once a record has set it.
    pub fn watermark(&self) -> Option<i64> {
        self.gates.watermark()
    }

    /// Rolling hash of what became of every record so far; equal after equal records.
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// Keys with state.
    pub fn state_keys(&self) -> usize {
        self.keys.len()
    }

    /// Keys so far that gave way to others by `limits`.
    pub fn evicted_keys(&self) -> u64 {
        self.keys.evicted()
    }

    /// Bytes of state.
    pub fn state_bytes(&self) -> usize {
        let clean: usize = self.clean.iter().map(|step| step.state_bytes()).sum();
        self.keys.bytes() + clean + self.windows.state_bytes()
    }

    /// Records that left the fast path of decoding or validation so far.
    pub fn slow_path_records(&self) -> u64 {
        self.decode.slow_path_records() + self.rules.slow_path_records()
    }

    /// The columns that the first cleaning step sees.
    pub(super) fn input(&self) -> SchemaRef {
        with_field(&self.decode.schema(), self.event_time.as_ref())
    }

    /// The cleaning steps, in order.
    pub(super) fn clean(&self) -> &[Box<dyn Clean>] {
        &self.clean
    }

    /// What the windows compute and keep.
    pub(super) fn windows(&self) -> Vec<WindowPlan> {
        self.windows.describe()
    }

    /// The columns of the rows that [`Fold::advance`] gives.
    pub fn schema(&self) -> SchemaRef {
        self.windows.schema()
    }

    fn with_event_time(&self, rows: Rows) -> Rows {
        let Some(field) = &self.event_time else { return rows };
        let times = TimestampMicrosecondArray::from(rows.event_times.clone()).with_timezone("UTC");
        rows.with_column(Arc::clone(field), Arc::new(times))
    }

    /// The records that make a key be forgotten.
    fn tombstones(&self, left: &[Rejected]) -> Vec<u32> {
        let forget = |gone: &&Rejected| {
            gone.policy.unwrap_or(self.outcomes.policy(gone.reason)) == Policy::Forget
        };
        left.iter().filter(forget).map(|gone| gone.record).collect()
    }

    /// Gives each row the slot of its key. A tombstone that forgets takes effect at its own place
    /// between the rows.
    fn with_slots(&mut self, mut rows: Rows, batch: &Batch<'_>) -> Rows {
        let columns: Vec<ArrayRef> =
            self.key.iter().map(|index| Arc::clone(rows.columns.column(*index))).collect();
        let mut from = 0;
        for tombstone in batch.tombstones {
            let until = rows.records.partition_point(|record| record < tombstone);
            self.intern(&columns, &mut rows, from, until);
            from = until;
            let key = batch.raw.record(*tombstone as usize).key;
            self.expired.extend(key.and_then(|key| self.keys.forget(key)));
        }
        let until = rows.len();
        self.intern(&columns, &mut rows, from, until);
        rows
    }

    fn intern(&mut self, columns: &[ArrayRef], rows: &mut Rows, from: usize, until: usize) {
        let columns: Vec<ArrayRef> =
            columns.iter().map(|column| column.slice(from, until - from)).collect();
        self.keys.advance(
            &columns,
            &rows.event_times[from..until],
            &rows.watermarks[from..until],
            &mut rows.slots,
            &mut self.expired,
        );
    }

    /// Tells every component that a slot belongs to nobody any more.
    fn forget(&mut self, slot: Slot) {
        for step in &mut self.clean {
            step.forget(slot);
        }
        self.windows.forget(slot);
    }
}

fn with_field(schema: &SchemaRef, field: Option<&FieldRef>) -> SchemaRef {
    let fields = schema.fields().iter().chain(field).map(Arc::clone);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Puts the records that left in offset order, each with the policy that holds for it.
pub(super) fn settle(left: Rejections, outcomes: &Outcomes) -> Vec<Rejected> {
    let mut rejected = left.0;
    rejected.sort_by_key(|gone| gone.record);
    for gone in &mut rejected {
        gone.policy.get_or_insert(outcomes.policy(gone.reason));
    }
    rejected
}

impl Folded {
    fn new(raw: &RawBatch, rows: Rows, rejected: Vec<Rejected>) -> Self {
        let mut totals = Totals { consumed: raw.len() as u64, ..Totals::default() };
        for gone in &rejected {
            totals.count(gone);
        }
        let folded = Self { rows, rejected, totals };
        assert!(folded.accounts_for(raw.len()), "every record has exactly one outcome");
        folded
    }

    /// Completes the batch: `gone` are the rows that features and encoding gave up on, the rest is
    /// published.
    pub(super) fn complete(&mut self, records: usize, gone: Vec<Rejected>) {
        if !gone.is_empty() {
            let left = |record: &u32| gone.binary_search_by_key(record, |gone| gone.record).is_ok();
            let keep: Vec<bool> = self.rows.records.iter().map(|record| !left(record)).collect();
            self.rows = self.rows.clone().filter(&keep);
        }
        for gone in &gone {
            self.totals.count(gone);
        }
        self.totals.published += self.rows.len() as u64;
        self.rejected.extend(gone);
        self.rejected.sort_by_key(|gone| gone.record);
        assert!(self.accounts_for(records), "every record has exactly one outcome");
    }

    /// True if every record of the batch is either a row or has left, and none is both.
    fn accounts_for(&self, records: usize) -> bool {
        if self.rows.len() + self.rejected.len() != records {
            return false;
        }
        let mut rows = self.rows.records.iter().peekable();
        let mut rejected = self.rejected.iter().peekable();
        (0..records).all(|record| {
            let kept = rows.next_if(|row| **row as usize == record).is_some();
            let left = rejected.next_if(|gone| gone.record as usize == record).is_some();
            kept != left
        })
    }
}
