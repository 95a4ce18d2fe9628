//! `order: event_time`: records wait, as bytes, between the gates and the rest of the fold.
//!
//! When a record goes is decided by the gates ([`Gates::released`]); this module keeps its bytes and
//! puts together what leaves. A batch that comes in gives batches that go out: records that were
//! rejected at a gate and records that were released, in the order of their triggers, those of one
//! trigger by (event time, offset). Where the batches that come in were cut does not show in that
//! order, so that messages, digest and state are the same bytes.
//!
//! What waits is bytes: a tenth of the size of their columns, and the same in memory and in a snapshot.
//! They are decoded to be judged, and once more when they leave unless that was a moment ago.

mod recent;
mod records;
mod saved;

use super::digest::mix;
use crate::{
    batch::{Decoded, RawBatch, Rejected, Rejections, Rows},
    decode::Decode,
    state::BATCH_ROWS_MAX,
    validate::gates::{Gates, Released},
};
use arrow::{array::RecordBatch, compute::interleave_record_batch};
use recent::Recent;
use records::Held;
use std::sync::Arc;

/// The records of a partition that wait, and what makes rows of them.
#[derive(Debug)]
pub(super) struct Hold {
    held: Held,
    decode: Box<dyn Decode>,
    recent: Recent,
    /// Rolling hash over the records that were held, and the ticks between them.
    digest: u64,
}

/// Records that leave, in the order of their triggers; the records of one event time are together.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) raw: RawBatch,
    /// Those that go on, without slots.
    pub(super) rows: Rows,
    /// Of each row, the highest offset that had come when it was let go.
    pub(super) seen: Vec<i64>,
    /// Those that were rejected at a gate, in order.
    pub(super) left: Rejections,
}

/// Where the hash of a record that is held begins.
const HELD_RECORD: u64 = 0xa409_3822_299f_31d0;

/// Stands for a tick.
const TICK: u64 = 0x082e_fa98_ec4e_6c89;

impl Hold {
    /// Nothing waits yet.
    pub(super) fn new(decode: Box<dyn Decode>) -> Self {
        Self { held: Held::default(), decode, recent: Recent::default(), digest: 0 }
    }

    /// Takes in the records that passed the gates, and gives out what leaves with this batch.
    pub(super) fn advance(
        &mut self,
        raw: &RawBatch,
        passed: &Rows,
        gates: &Gates,
        left: Rejections,
    ) -> Vec<Leaving> {
        let rows = passed.records.iter().zip(&passed.event_times).zip(&passed.late);
        for ((record, event_time), _) in rows.filter(|(_, late)| !**late) {
            let record = raw.record(*record as usize);
            self.held.push(&record, *event_time, raw);
            let word = mix(HELD_RECORD, record.offset.cast_unsigned());
            self.digest = mix(self.digest, mix(word, event_time.cast_unsigned()));
        }
        self.recent.keep(passed);
        self.leave(raw, gates.released(), left, |trigger| raw.offset(trigger as usize))
    }

    /// Gives out all records; the gates have let them go. `log` is a batch of their log.
    pub(super) fn tick(&mut self, log: &RawBatch, gates: &Gates) -> Vec<Leaving> {
        self.digest = mix(self.digest, TICK);
        self.leave(log, gates.released(), Rejections::default(), |_| i64::MAX)
    }

    /// Takes the held part into the hash over what left.
    pub(super) fn digest(&self, left: u64) -> u64 {
        mix(self.digest, left)
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Bytes of state.
    pub(super) fn bytes(&self) -> usize {
        self.held.bytes()
    }

    /// The lowest offset that waits.
    pub(super) fn lowest(&self) -> Option<i64> {
        self.held.lowest()
    }

    fn leave(
        &mut self,
        raw: &RawBatch,
        released: &[Released],
        mut left: Rejections,
        seen: impl Fn(u32) -> i64,
    ) -> Vec<Leaving> {
        left.0.sort_by_key(|gone| gone.record);
        let mut left = left.0.into_iter().peekable();
        let mut staging = Staging { log: raw, open: Staged::new(raw), full: Vec::new() };
        // In the order of triggers a rejected record is its own.
        for run in runs(released) {
            while let Some(gone) = left.next_if(|gone| gone.record < run[0].trigger) {
                staging.reject(gone);
            }
            staging.make_room(run.len());
            for record in run {
                staging.release(record, seen(record.trigger), &mut self.held);
            }
        }
        left.for_each(|gone| staging.reject(gone));
        self.held.tidy();
        let staged = staging.end();
        let leaving = staged.into_iter().map(|staged| self.decode(staged)).collect();
        if self.held.len() == 0 {
            self.recent.clear();
        }
        leaving
    }

    fn decode(&mut self, staged: Staged) -> Leaving {
        let columns = self.columns(&staged);
        let Staged { raw, released, records, seen, left } = staged;
        assert_eq!(columns.num_rows(), records.len(), "what passed once is decoded again");
        let rows = Rows {
            columns,
            records,
            offsets: released.iter().map(|r| r.offset).collect(),
            event_times: released.iter().map(|r| r.event_time).collect(),
            watermarks: released.iter().map(|r| r.watermark).collect(),
            slots: Vec::new(),
            late: released.iter().map(|r| r.late).collect(),
        };
        Leaving { raw, rows, seen, left }
    }

    /// The columns of the records that go on: of those that came a moment ago as they were decoded
    /// then.
    fn columns(&mut self, staged: &Staged) -> RecordBatch {
        let Staged { raw, released, records, .. } = staged;
        let mut again = RawBatch::new(Arc::clone(raw.topic()), raw.partition());
        let behind = self.recent.batches().count();
        let place = |(released, record): (&Released, &u32)| {
            self.recent.find(released.offset).unwrap_or_else(|| {
                again.push_released(&raw.record(*record as usize));
                (behind, again.len() - 1)
            })
        };
        let places: Vec<(usize, usize)> = released.iter().zip(records).map(place).collect();
        let Decoded { columns, .. } = self.decode.decode(&again, &mut Rejections::default());
        if again.len() == places.len() {
            return columns;
        }
        assert_eq!(columns.num_rows(), again.len(), "what passed once is decoded again");
        let batches: Vec<&RecordBatch> = self.recent.batches().chain([&columns]).collect();
        interleave_record_batch(&batches, &places).expect("batches of one schema")
    }
}

/// Records of one event time that one trigger released, at most as many as a batch has room for.
fn runs(released: &[Released]) -> impl Iterator<Item = &[Released]> {
    let same = |a: &Released, b: &Released| {
        (a.trigger, a.event_time, a.late) == (b.trigger, b.event_time, b.late)
    };
    released.chunk_by(same).flat_map(|run| run.chunks(BATCH_ROWS_MAX))
}

/// Batches in the making.
struct Staging<'a> {
    log: &'a RawBatch,
    open: Staged,
    full: Vec<Staged>,
}

/// A batch in the making.
struct Staged {
    raw: RawBatch,
    /// What there is to say of the records that go on.
    released: Vec<Released>,
    /// Which records those are.
    records: Vec<u32>,
    seen: Vec<i64>,
    left: Rejections,
}

impl Staging<'_> {
    /// Begins another batch where the open one has no room for so many more.
    fn make_room(&mut self, records: usize) {
        if self.open.raw.len() + records > BATCH_ROWS_MAX {
            self.full.push(std::mem::replace(&mut self.open, Staged::new(self.log)));
        }
    }

    fn reject(&mut self, gone: Rejected) {
        self.make_room(1);
        let record = self.open.next();
        self.open.raw.push_released(&self.log.record(gone.record as usize));
        self.open.left.0.push(Rejected { record, ..gone });
    }

    fn release(&mut self, record: &Released, seen: i64, held: &mut Held) {
        self.open.records.push(self.open.next());
        self.open.seen.push(seen);
        self.open.released.push(*record);
        if record.late {
            self.open.raw.push_released(&self.log.record(record.trigger as usize));
        } else {
            held.release(record.offset, &mut self.open.raw);
        }
    }

    fn end(mut self) -> Vec<Staged> {
        self.full.push(self.open);
        self.full
    }
}

impl Staged {
    fn new(log: &RawBatch) -> Self {
        let raw = RawBatch::new(Arc::clone(log.topic()), log.partition());
        let (released, records, seen) = (Vec::new(), Vec::new(), Vec::new());
        Self { raw, released, records, seen, left: Rejections::default() }
    }

    fn next(&self) -> u32 {
        u32::try_from(self.raw.len()).expect("a batch has few records")
    }
}
