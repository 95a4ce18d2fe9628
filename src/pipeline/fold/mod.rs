//! Decode, validate, clean, window: everything that holds state, for one partition.

mod ahead;
mod build;
mod digest;
mod evict;
mod folded;
mod hold;
mod reach;
mod state;

use crate::{
    batch::{Expectation, Outcomes, Policy, RawBatch, Rejected, Rejections, Rows, Slot},
    clean::Clean,
    decode::Decode,
    state::{BATCH_ROWS_MAX, Keys},
    validate::{Rules, gates::Gates},
    window::{Expectations, Judged, WindowPlan, Windows},
};
use arrow::{
    array::{Array, ArrayRef, TimestampMicrosecondArray},
    datatypes::{FieldRef, Schema, SchemaRef},
};
use digest::Digest;
use hold::{Hold, Leaving};
use std::{mem, sync::Arc};

use folded::Departed;
pub use folded::Folded;
pub(super) use folded::settle;
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
    /// The records that wait for the watermark; none where they do not wait.
    hold: Option<Hold>,
    /// The field of event time, if the record has no column of that name.
    event_time: Option<FieldRef>,
    key: Vec<usize>,
    keys: Keys,
    clean: Vec<Box<dyn Clean>>,
    expectations: Option<Expectations>,
    /// The watermark of the record behind which it has stopped, if it has.
    halted: Option<i64>,
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
    /// Expectations, windows, and the digest over what they made.
    Window,
}

/// A batch on its way through the steps that keep state by key.
struct Batch<'a> {
    raw: &'a RawBatch,
    /// Records that make a key be forgotten, of those that the rows at hand lie between.
    tombstones: &'a [u32],
    left: Rejections,
    halts: Halts,
    judged: Judged,
}

/// What an expectation that halts does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halts {
    /// It ends the fold behind the record that brought it about.
    Heed,
    /// Nothing: it is past, or only outcomes are asked for.
    Pass,
}

impl Fold {
    /// Takes in the next records of the partition, at most [`BATCH_ROWS_MAX`] at once. In order of
    /// event time it gives those that leave with them, see [`Folded::batch`].
    pub fn advance(&mut self, raw: &RawBatch) -> Folded {
        self.advance_timed(raw, Halts::Heed, &mut |_| {})
    }

    /// Lets go all records that wait for the watermark, as if it had passed them; it then stands
    /// right behind the highest event time. `log` is a batch of the partition. Where nothing waits
    /// it changes nothing.
    pub fn tick(&mut self, log: &RawBatch) -> Folded {
        let schema = self.windows.schema();
        let Some(hold) = self.hold.as_mut().filter(|hold| hold.len() > 0) else {
            let nothing = RawBatch::new(Arc::clone(log.topic()), log.partition());
            let rows = Rows::empty(Arc::clone(&schema));
            let (rejected, verdicts) = (Vec::new(), Vec::new());
            let nothing = Departed { raw: nothing, rows, rejected, verdicts };
            return Folded::leaving(vec![nothing], 0, &schema);
        };
        self.gates.tick();
        let leaving = hold.tick(log, &self.gates);
        self.leave(leaving, 0, &mut |_| {})
    }

    /// The same; `done` is called after each part, so that a caller with a clock can time it.
    pub fn advance_timed(
        &mut self,
        raw: &RawBatch,
        halts: Halts,
        done: &mut dyn FnMut(Part),
    ) -> Folded {
        assert!(self.halted.is_none(), "the fold has seen records that do not count");
        assert!(raw.len() <= BATCH_ROWS_MAX, "a batch has at most {BATCH_ROWS_MAX} records");
        let mut left = Rejections::default();
        let decoded = self.decode.decode(raw, &mut left);
        done(Part::Decode);
        let decoded = self.rules.apply(raw, decoded, &mut left);
        let rows = self.gates.advance(raw, decoded, &mut left);
        self.tell_of_waiting(&rows);
        let Some(hold) = &mut self.hold else {
            let (rows, rejected, judged) = self.go_on(raw, rows, (left, halts), done);
            return Folded::new(raw, rows, rejected, judged);
        };
        let leaving = hold.advance(raw, &rows, &self.gates, left);
        self.leave(leaving, raw.len(), done)
    }

    /// Takes what leaves the hold on; `consumed` records have come.
    fn leave(
        &mut self,
        leaving: Vec<Leaving>,
        consumed: usize,
        done: &mut dyn FnMut(Part),
    ) -> Folded {
        let on = |Leaving { raw, rows, seen, left }| {
            self.tell_of_coming(&rows, &seen);
            // Expectations that halt are refused in this order.
            let (rows, rejected, judged) = self.go_on(&raw, rows, (left, Halts::Pass), done);
            Departed { raw, rows, rejected, verdicts: judged.verdicts }
        };
        let batches = leaving.into_iter().map(on).collect();
        Folded::leaving(batches, consumed, &self.windows.schema())
    }

    /// What follows the gates, and the hold.
    fn go_on(
        &mut self,
        raw: &RawBatch,
        rows: Rows,
        (left, halts): (Rejections, Halts),
        done: &mut dyn FnMut(Part),
    ) -> (Rows, Vec<Rejected>, Judged) {
        let rows = self.with_event_time(rows);
        let tombstones = self.tombstones(&left.0);
        let judged = Judged::default();
        let mut batch = Batch { raw, tombstones: &tombstones, left, halts, judged };
        let rows = match self.state_bytes_max {
            Some(most) => self.in_pieces(rows, most, &mut batch, done),
            None => self.by_key(rows, &mut batch, done),
        };
        let Batch { mut left, judged, .. } = batch;
        if let Some(halt) = judged.halt {
            // What came behind is not of this fold any more: neither in outcomes nor in digests.
            left.0.retain(|gone| gone.record <= halt.record);
            self.halted = Some(halt.watermark);
        }
        let rejected = settle(left, &self.outcomes);
        self.digest.advance(raw, &rows, &rejected);
        done(Part::Window);
        (rows, rejected, judged)
    }

    /// The steps behind the gates: key slots, `clean`, expectations, `window`.
    fn by_key(&mut self, rows: Rows, batch: &mut Batch<'_>, done: &mut dyn FnMut(Part)) -> Rows {
        let mut rows = self.with_slots(rows, batch);
        done(Part::Validate);
        let closings = self.expectations.as_ref().map(|expectations| expectations.closings(&rows));
        for step in &mut self.clean {
            rows = step.advance(rows, &mut batch.left);
        }
        done(Part::Clean);
        if let (Some(expectations), Some(closings)) = (&mut self.expectations, closings) {
            let heeds = batch.halts == Halts::Heed;
            let judged;
            (rows, judged) = expectations.advance(rows, &closings, heeds, &mut batch.left);
            batch.judged.append(judged);
        }
        let rows = self.windows.advance(rows, &mut batch.left);
        let mut expired = mem::take(&mut self.expired);
        expired.drain(..).for_each(|slot| self.forget(slot));
        self.expired = expired;
        rows
    }

    /// True once an expectation has halted it. Its state is then that of no position: another fold
    /// has to be made from the log or a snapshot.
    pub fn is_halted(&self) -> bool {
        self.halted.is_some()
    }

    /// The expectations, in the order of the pipeline file.
    pub(super) fn expectations(&self) -> Vec<Expectation> {
        self.expectations.as_ref().map(Expectations::describe).unwrap_or_default()
    }

    /// The watermark in microseconds, once a record has set it.
    pub fn watermark(&self) -> Option<i64> {
        self.halted.or(self.gates.watermark())
    }

    /// Rolling hash of what became of every record so far; equal after equal records.
    pub fn digest(&self) -> u64 {
        let value = match &self.expectations {
            None => self.digest.value(),
            Some(expectations) => self.digest.with(expectations.digest()),
        };
        self.hold.as_ref().map_or(value, |hold| hold.digest(value))
    }

    /// Records that wait for the watermark.
    pub fn held(&self) -> usize {
        self.hold.as_ref().map_or(0, Hold::len)
    }

    /// How often since this fold was built records went before their time, by a tick or because there
    /// were too many: then the state depends on more of the log than [`Fold::reach`] says.
    pub fn early_releases(&self) -> u64 {
        self.gates.early_releases()
    }

    /// The lowest offset of a record that waits for the watermark.
    pub fn lowest_held(&self) -> Option<i64> {
        self.hold.as_ref().and_then(Hold::lowest)
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
        let held = self.hold.as_ref().map_or(0, Hold::bytes);
        let expectations = self.expectations.as_ref().map_or(0, Expectations::state_bytes);
        self.keys.bytes() + held + clean + expectations + self.windows.state_bytes()
    }

    /// Records that left the fast path of decoding or validation so far.
    pub fn slow_path_records(&self) -> u64 {
        self.decode.slow_path_records() + self.rules.slow_path_records()
    }

    /// How far the watermark has to be past records that wait, in microseconds: for steps that look
    /// ahead.
    pub(super) fn wait_us(&self) -> i64 {
        self.gates.wait_us()
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
    /// between the rows: in order of event time, before the rows that later records release.
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
