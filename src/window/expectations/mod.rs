//! Expectations: what the records of a partition should be like, judged window by window.
//!
//! Windows are tumbling spans of event time, aligned to 1970, over all keys of the partition. They see
//! the rows as cleaning leaves them, before the windows per key do. A window closes with the first
//! record that brings the watermark to its end: its verdicts belong to that record. So they are a
//! function of the log, and where it is cut into batches does not show. A window without rows has no
//! verdict; a late row that is kept counts in no window that has closed.
//!
//! A condition that rejects takes its rows out here, and only conditions can: what a window as a whole
//! does not meet is known when its rows have left. Rows that are taken out count in conditions
//! alone.
//!
//! An expectation that halts ends the batch behind the record that closed the window, or behind the
//! one that does not meet a condition: nothing after it has been looked at.

mod kept;
mod measure;
mod part;
mod saved;
mod spec;
mod tally;
mod value;

pub use measure::{Build as MeasureBuild, MEASURES};
pub use spec::{schema, state_text, takes_out};

use crate::{
    batch::{Expectation, Halt, Judgement, Reason, Rejections, Rows, Severity, Verdict},
    registry::{Node, Position, Problem},
    state::Horizon,
};
use arrow::{
    array::{AsArray, BooleanArray},
    datatypes::SchemaRef,
};
use measure::Kind;
use part::{Batch, Part, holds};
use spec::Expected;
use std::{collections::BTreeMap, ops::Range, sync::Arc};
use tally::Tally;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Most windows that may be open at once: event time goes back by the lateness at most.
const OPEN_MAX: i64 = 1_000;

/// Most expectations of a pipeline: each is a series of metrics.
const EXPECTATIONS_MAX: usize = 200;

/// Seed of the hashes of values: part of the state.
const SEED: u64 = 0x6578_7065_6374_6564;

/// What the section says beside the expectations themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Length of the windows in microseconds.
    pub every_us: i64,
    /// Values of a window up to which counts of different values and quantiles are exact.
    pub exact: usize,
    /// How far event time may go back.
    pub lateness_us: i64,
    /// True if rows come in the order of the log: only then a record can be the last of a partition.
    pub may_halt: bool,
}

/// All expectations of a pipeline, with what the open windows hold.
#[derive(Debug)]
pub struct Expectations {
    frame: Frame,
    expected: Vec<Expected>,
    windows: BTreeMap<i64, Arc<[Tally]>>,
    /// Windows that begin before have closed.
    open_from: i64,
    /// Event time of the newest row.
    previous: i64,
    /// A rolling hash of what was observed.
    digest: u64,
}

/// A record that brings the watermark past the end of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    record: u32,
    watermark: i64,
    /// Windows that begin before it are over.
    open_from: i64,
}

/// What was found in a batch.
#[derive(Debug, Default)]
pub struct Judged {
    /// Verdicts on the windows that have closed, in the order in which they did.
    pub verdicts: Vec<Verdict>,
    /// Where the partition stops, if it does.
    pub halt: Option<Halt>,
}

impl Judged {
    /// Adds what was found in the rows behind.
    pub fn append(&mut self, behind: Self) {
        self.verdicts.extend(behind.verdicts);
        self.halt = self.halt.or(behind.halt);
    }
}

impl Expectations {
    /// Reads the expectations of columns of `schema`. Mistakes of the frame stand at `every`.
    pub fn build(
        nodes: &[Node],
        schema: &SchemaRef,
        frame: Frame,
        every: Position,
    ) -> Result<Self, Problem> {
        if frame.every_us < frame.lateness_us / OPEN_MAX {
            let what = format!("more than {OPEN_MAX} windows would be open within the lateness");
            return Err(Problem::new(every, what).expected("longer windows"));
        }
        if nodes.len() > EXPECTATIONS_MAX {
            let what = format!("{} expectations", nodes.len());
            let expected = format!("at most {EXPECTATIONS_MAX}");
            return Err(Problem::new(nodes[EXPECTATIONS_MAX].at, what).expected(expected));
        }
        let mut expected: Vec<Expected> = Vec::with_capacity(nodes.len());
        for node in nodes {
            let next = Expected::parse(node, schema)?;
            if next.told.severity == Severity::Halt && !frame.may_halt {
                let what = "`severity: halt` with `order: event_time`";
                let expected = "`order: arrival`: only there a record is the last one of the log \
                                that was looked at";
                return Err(Problem::new(node.at("severity"), what).expected(expected));
            }
            let name = &next.told.name;
            if expected.iter().any(|other| other.told.name == *name) {
                let what = format!("two expectations are called `{name}`");
                return Err(Problem::new(node.at, what).expected("another `name` for one of them"));
            }
            expected.push(next);
        }
        Ok(Self {
            frame,
            expected,
            windows: BTreeMap::new(),
            open_from: i64::MIN,
            previous: i64::MIN,
            digest: 0,
        })
    }

    /// The records of the batch that close windows. To be asked before cleaning: a record that
    /// cleaning lets fall moves the watermark as well.
    pub fn closings(&self, rows: &Rows) -> Vec<Closing> {
        let mut open_from = self.open_from;
        let mut closings = Vec::new();
        for (row, watermark) in rows.watermarks.iter().enumerate() {
            // A row that was held back can be behind the watermark that let it go.
            let begin = self.begin((*watermark).min(rows.event_times[row]));
            if begin > open_from {
                open_from = begin;
                let (record, watermark) = (rows.records[row], *watermark);
                closings.push(Closing { record, watermark, open_from });
            }
        }
        closings
    }

    /// Takes in the rows that cleaning has left, and closes windows where `closings` says. Rows that
    /// do not meet a condition that rejects leave. With `heeds_halts`, all behind a halt leave too,
    /// without an outcome.
    pub fn advance(
        &mut self,
        rows: Rows,
        closings: &[Closing],
        heeds_halts: bool,
        rejected: &mut Rejections,
    ) -> (Rows, Judged) {
        let conditions = self.conditions(&rows);
        let leaving = self.leaving(&conditions, rows.len());
        let halting = heeds_halts.then(|| self.halting_row(&leaving)).flatten();
        let batch = Batch { rows: &rows, conditions: &conditions, leaving: &leaving };
        let mut judged = Judged::default();
        let mut taken = 0;
        let end = halting.map_or(rows.len(), |row| row + 1);
        for closing in closings {
            let until = rows.records.partition_point(|record| *record < closing.record).min(end);
            self.take(&batch, taken..until);
            taken = until;
            if halting.is_some_and(|row| rows.records[row] < closing.record) {
                break;
            }
            let halt = self.close(*closing, &mut judged.verdicts).filter(|_| heeds_halts);
            if halt.is_some() {
                // The record itself counts: it is the last one.
                let own = rows.records.get(taken) == Some(&closing.record);
                self.take(&batch, taken..taken + usize::from(own));
                taken += usize::from(own);
                judged.halt = halt;
                break;
            }
        }
        if judged.halt.is_none() {
            self.take(&batch, taken..end);
            taken = end;
            judged.halt = halting.map(|row| batch.halt_at(row));
        }
        let stays = |row: usize| row < taken && leaving[row].is_none();
        for (row, expectation) in leaving[..taken].iter().enumerate() {
            if let Some(expectation) = expectation {
                let detail = format!("`{}` does not hold", self.expected[*expectation].told.name);
                rejected.push(rows.records[row], Reason::Expectation, detail);
            }
        }
        let keep: Vec<bool> = (0..rows.len()).map(stays).collect();
        (rows.filter(&keep), judged)
    }

    /// The expectations as they are told with verdicts, in the order of the pipeline file.
    pub fn describe(&self) -> Vec<Expectation> {
        self.expected.iter().map(|expected| expected.told.clone()).collect()
    }

    /// How far before the watermark records may lie that the state depends on.
    pub fn horizon(&self) -> Horizon {
        Horizon::For(self.frame.every_us)
    }

    /// A rolling hash of all that was observed so far.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Bytes of what the open windows hold.
    pub fn state_bytes(&self) -> usize {
        self.windows.values().flat_map(|tallies| tallies.iter()).map(Tally::bytes).sum()
    }

    /// Begin of the window that holds an event time.
    fn begin(&self, event_time: i64) -> i64 {
        let every = self.frame.every_us;
        event_time.div_euclid(every).saturating_mul(every)
    }

    /// What each condition says of each row, by expectation; null where it cannot be computed.
    fn conditions(&self, rows: &Rows) -> Vec<Option<BooleanArray>> {
        let evaluate = |expected: &Expected| match &expected.kind {
            Kind::Row { condition, .. } => {
                Some(condition.evaluate(&rows.columns).values.as_boolean().clone())
            }
            _ => None,
        };
        self.expected.iter().map(evaluate).collect()
    }

    /// For each row, the first expectation that takes it out.
    fn leaving(&self, conditions: &[Option<BooleanArray>], rows: usize) -> Vec<Option<usize>> {
        let mut leaving = vec![None; rows];
        for (index, (expected, values)) in self.expected.iter().zip(conditions).enumerate() {
            let Some(values) = values.as_ref().filter(|_| expected.takes_out()) else { continue };
            for (row, leaves) in leaving.iter_mut().enumerate() {
                if leaves.is_none() && !holds(values, row) {
                    *leaves = Some(index);
                }
            }
        }
        leaving
    }

    /// The first row that stops the partition.
    fn halting_row(&self, leaving: &[Option<usize>]) -> Option<usize> {
        let halts =
            |expectation: &usize| self.expected[*expectation].told.severity == Severity::Halt;
        leaving.iter().position(|expectation| expectation.as_ref().is_some_and(halts))
    }

    /// Takes rows into their windows: those of one window that follow each other at once.
    fn take(&mut self, batch: &Batch<'_>, rows: Range<usize>) {
        let mut from = rows.start;
        while from < rows.end {
            let begin = self.begin(batch.rows.event_times[from]);
            let others =
                (from..rows.end).find(|row| self.begin(batch.rows.event_times[*row]) != begin);
            let until = others.unwrap_or(rows.end);
            self.take_into(begin, batch, from..until);
            from = until;
        }
    }

    fn take_into(&mut self, begin: i64, batch: &Batch<'_>, rows: Range<usize>) {
        let before = self.previous;
        if let Some(newest) = rows.clone().rfind(|row| batch.leaving[*row].is_none()) {
            self.previous = batch.rows.event_times[newest];
        }
        if begin < self.open_from {
            return;
        }
        let Self { windows, expected, frame, .. } = self;
        let fresh = || Arc::from(vec![Tally::default(); expected.len()]);
        let tallies = Arc::make_mut(windows.entry(begin).or_insert_with(fresh));
        for (index, (expected, tally)) in expected.iter().zip(tallies).enumerate() {
            let part = Part { batch, rows: rows.clone(), before, exact: frame.exact };
            part.take_into(index, &expected.kind, tally);
        }
    }

    /// Closes the windows that end at or before the watermark. Gives the first halt, if any.
    fn close(&mut self, closing: Closing, verdicts: &mut Vec<Verdict>) -> Option<Halt> {
        let Closing { record, watermark, open_from } = closing;
        self.open_from = open_from;
        let mut halt = None;
        while let Some(over) = self.windows.first_entry().filter(|window| *window.key() < open_from)
        {
            let (begin, tallies) = over.remove_entry();
            let end = begin.saturating_add(self.frame.every_us);
            for (expectation, (expected, tally)) in
                self.expected.iter().zip(tallies.iter()).enumerate()
            {
                let observed = tally.observed(&expected.kind);
                let judgement = judge(expected, tally.count, observed);
                self.digest = rolled(self.digest, begin, expectation, tally.count, observed);
                if judgement == Judgement::Failed && expected.halts_windows() && halt.is_none() {
                    let window = Some((begin, end));
                    halt = Some(Halt { record, watermark, expectation, window });
                }
                let (window, count) = (begin..end, tally.count);
                verdicts.push(Verdict { record, expectation, window, count, observed, judgement });
            }
        }
        halt
    }
}

fn judge(expected: &Expected, count: u64, observed: Option<f64>) -> Judgement {
    match observed {
        Some(observed) if count >= expected.min_count => {
            if expected.told.threshold.hold(observed) {
                Judgement::Passed
            } else {
                Judgement::Failed
            }
        }
        _ => Judgement::Skipped,
    }
}

fn rolled(digest: u64, begin: i64, expectation: usize, count: u64, observed: Option<f64>) -> u64 {
    let mut bytes = [0; 33];
    bytes[..8].copy_from_slice(&begin.to_le_bytes());
    bytes[8..16].copy_from_slice(&(expectation as u64).to_le_bytes());
    bytes[16..24].copy_from_slice(&count.to_le_bytes());
    bytes[24..32].copy_from_slice(&observed.unwrap_or_default().to_bits().to_le_bytes());
    bytes[32] = u8::from(observed.is_some());
    xxh3_64_with_seed(&bytes, digest)
}

#[cfg(test)]
mod tests;
