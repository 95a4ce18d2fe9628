//! The same pipeline over JSON lines: what `millstream replay` does.

mod record;

pub(super) use record::Record;

use super::{Definition, Emitter, Fold, Totals};
use crate::batch::{Message, Outbox, RawBatch};
use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read},
    sync::Arc,
};
use thiserror::Error;

/// Longest line: above any limit of a record, so that `oversize` is the pipeline's to judge.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// How a line is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The line is the record's value; key and timestamp are absent.
    Bare,
    /// The line is an object: `value` (any JSON, null is a tombstone) or `raw` (text taken as it
    /// is), and `key`, `timestamp` (ms), `headers`, `offset`, `partition`.
    Envelope,
}

/// Why a replay stopped.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// Input or output failed.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    /// A line is no record.
    #[error("line {number}: {reason}")]
    Line {
        /// Counted from 1.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Appends the record of one line to a batch, at its own offset or at `next_offset`; its partition
/// is the batch's. Returns the offset after it.
pub fn push_line(
    raw: &mut RawBatch,
    line: &[u8],
    form: Form,
    next_offset: i64,
) -> Result<i64, String> {
    Record::parse(line, form)?.push_to(raw, next_offset)
}

/// Takes the messages, in order.
pub type Write<'w> = dyn FnMut(&Message<'_>) -> io::Result<()> + 'w;

/// Runs a pipeline over JSON lines.
#[derive(Debug)]
pub struct Replay<'d> {
    definition: &'d Definition,
    form: Form,
    batch_records: usize,
    lanes: BTreeMap<i32, Lane>,
    emitter: Emitter,
    outbox: Outbox,
    totals: Totals,
}

/// One partition.
#[derive(Debug)]
struct Lane {
    fold: Fold,
    raw: RawBatch,
    next_offset: i64,
    /// What has halted it.
    halted: Option<Halted>,
}

/// A partition that an expectation has halted: nothing behind the record was folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halted {
    /// The partition.
    pub partition: i32,
    /// Offset of the last record that was folded.
    pub offset: i64,
    /// Name of the expectation.
    pub expectation: String,
}

impl<'d> Replay<'d> {
    /// A replay in batches of `batch_records`.
    pub fn new(definition: &'d Definition, form: Form, batch_records: usize) -> Self {
        let mut emitter = definition.emitter(None);
        emitter.tell_verdicts();
        Self {
            definition,
            form,
            batch_records,
            lanes: BTreeMap::new(),
            emitter,
            outbox: Outbox::default(),
            totals: Totals::default(),
        }
    }

    /// Runs all lines; blank ones are no records. Returns what became of the records, and which
    /// partitions were halted before their end.
    pub fn run(
        mut self,
        input: &mut dyn BufRead,
        write: &mut Write<'_>,
    ) -> Result<(Totals, Vec<Halted>), ReplayError> {
        let mut line = Vec::new();
        for number in 1.. {
            let refuse = |reason| ReplayError::Line { number, reason };
            line.clear();
            if input.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
                return Err(refuse(format!("longer than {LINE_BYTES_MAX} bytes")));
            }
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let record = Record::parse(text, self.form).map_err(refuse)?;
            self.push(&record, write)?.map_err(refuse)?;
        }
        self.finish(write)
    }

    /// Adds a record to its partition's batch and folds the batch when it is full.
    fn push(
        &mut self,
        record: &Record,
        write: &mut Write<'_>,
    ) -> Result<Result<(), String>, ReplayError> {
        let definition = self.definition;
        let lane =
            self.lanes.entry(record.partition).or_insert_with(|| Lane::new(definition, record));
        match record.push_to(&mut lane.raw, lane.next_offset) {
            Ok(next) => lane.next_offset = next,
            Err(reason) => return Ok(Err(reason)),
        }
        if lane.raw.len() >= self.batch_records {
            self.totals += &lane.fold(&mut self.emitter, &mut self.outbox);
            drain(&mut self.outbox, write)?;
        }
        Ok(Ok(()))
    }

    /// Folds what is left of every partition, then lets go what waits for the watermark.
    fn finish(mut self, write: &mut Write<'_>) -> Result<(Totals, Vec<Halted>), ReplayError> {
        for lane in self.lanes.values_mut() {
            self.totals += &lane.fold(&mut self.emitter, &mut self.outbox);
            self.totals += &lane.tick(&mut self.emitter, &mut self.outbox);
        }
        self.emitter.flush(&mut self.outbox);
        drain(&mut self.outbox, write)?;
        let halted = self.lanes.into_values().filter_map(|lane| lane.halted).collect();
        Ok((self.totals, halted))
    }
}

impl Lane {
    fn new(definition: &Definition, first: &Record) -> Self {
        let topic: Arc<str> = definition.spec().source.topics[0].as_str().into();
        Self {
            fold: definition.fold(None),
            raw: RawBatch::new(topic, first.partition),
            next_offset: 0,
            halted: None,
        }
    }

    fn fold(&mut self, emitter: &mut Emitter, outbox: &mut Outbox) -> Totals {
        if self.halted.is_some() {
            self.raw.clear();
            return Totals::default();
        }
        let mut folded = self.fold.advance(&self.raw);
        emitter.emit(&self.raw, &mut folded, outbox);
        self.halted = folded.halt.map(|halt| Halted {
            partition: self.raw.partition(),
            offset: self.raw.offset(halt.record as usize),
            expectation: emitter.expectations()[halt.expectation].name.clone(),
        });
        self.raw.clear();
        folded.totals
    }

    fn tick(&mut self, emitter: &mut Emitter, outbox: &mut Outbox) -> Totals {
        let mut folded = self.fold.tick(&self.raw);
        emitter.emit(&self.raw, &mut folded, outbox);
        folded.totals
    }
}

fn drain(outbox: &mut Outbox, write: &mut Write<'_>) -> io::Result<()> {
    for message in outbox.iter() {
        write(&message)?;
    }
    outbox.clear();
    Ok(())
}
