//! The open windows in snapshots.

use super::{Expectations, measure::Kind, spec::Expected, tally::Tally};
use crate::state::snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Table, Type};
use std::{collections::BTreeMap, io, sync::Arc};

const PROGRESS: &[Column] =
    &[("open_from", Type::Int), ("previous", Type::Int), ("digest", Type::Word)];

/// By begin of the window, then by expectation.
const TALLIES: &[Column] = &[
    ("begin", Type::Int),
    ("count", Type::Word),
    ("met", Type::Word),
    ("sum", Type::Float),
    ("lost", Type::Float),
    ("cut", Type::Word),
    ("kept", Type::Word),
];

/// What is kept, in the order of the tallies, then by hash.
const KEPT: &[Column] = &[("hash", Type::Word), ("number", Type::Word)];

/// Offsets are numbers with a sign: a window has fewer records.
const COUNT_MAX: u64 = i64::MAX.cast_unsigned();

struct Open {
    progress: [Cell<'static>; 3],
    windows: BTreeMap<i64, Arc<[Tally]>>,
}

impl Saved for Open {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut progress = out.table("progress", PROGRESS);
        progress.row(&self.progress)?;
        progress.finish()?;
        let mut rows = out.table("tallies", TALLIES);
        for (begin, tallies) in &self.windows {
            for tally in tallies.iter() {
                rows.row(&[
                    Cell::Int(*begin),
                    Cell::Word(tally.count),
                    Cell::Word(tally.met),
                    Cell::Float(tally.sum),
                    Cell::Float(tally.lost),
                    Cell::Word(tally.kept.is_cut().into()),
                    Cell::Word(tally.kept.len() as u64),
                ])?;
            }
        }
        rows.finish()?;
        let mut rows = out.table("kept", KEPT);
        for tally in self.windows.values().flat_map(|tallies| tallies.iter()) {
            for (hash, number) in tally.kept.entries() {
                rows.row(&[Cell::Word(hash), Cell::Word(number)])?;
            }
        }
        rows.finish()
    }
}

impl Expectations {
    /// Holds on to the open windows as they are: costs a reference each.
    pub fn capture(&self) -> Box<dyn Saved> {
        let optional = |time| if time == i64::MIN { Cell::Null } else { Cell::Int(time) };
        let progress = [optional(self.open_from), optional(self.previous), Cell::Word(self.digest)];
        Box::new(Open { progress, windows: self.windows.clone() })
    }

    /// Takes over what a snapshot holds. After an error, what is there is of no use.
    pub fn restore(&mut self, section: &Section<'_>) -> Result<(), SnapshotError> {
        let progress = section.single("progress", PROGRESS)?;
        self.open_from = progress.optional_int(0).unwrap_or(i64::MIN);
        self.previous = progress.optional_int(1).unwrap_or(i64::MIN);
        self.digest = progress.word(2)?;
        let is_begin = self.open_from == i64::MIN || self.begin(self.open_from) == self.open_from;
        progress.check(is_begin, "no window begins there")?;
        self.windows.clear();
        let mut rows = section.table("tallies", TALLIES)?;
        let mut kept = section.table("kept", KEPT)?;
        while rows.next_row() {
            let begin = rows.int(0)?;
            let is_open = begin >= self.open_from && self.begin(begin) == begin;
            rows.check(is_open, "no open window begins there")?;
            let mut tallies = Vec::with_capacity(self.expected.len());
            for (index, expected) in self.expected.iter().enumerate() {
                let is_next = index == 0 || (rows.next_row() && rows.int(0)? == begin);
                rows.check(is_next, "a window does not have all expectations")?;
                tallies.push(tally(&rows, &mut kept, expected, self.frame.exact)?);
            }
            let last = self.windows.last_key_value().map(|(begin, _)| *begin);
            rows.check(last.is_none_or(|last| last < begin), "the windows are not in order")?;
            self.windows.insert(begin, tallies.into());
        }
        let is_end = !kept.next_row();
        kept.check(is_end, "there is more than the windows have")
    }
}

fn tally(
    rows: &Table<'_>,
    kept: &mut Table<'_>,
    expected: &Expected,
    exact: usize,
) -> Result<Tally, SnapshotError> {
    let mut tally = Tally {
        count: rows.word(1)?,
        met: rows.word(2)?,
        sum: rows.float(3)?,
        lost: rows.float(4)?,
        ..Tally::default()
    };
    let is_cut: u64 = rows.word(5)?;
    let entries: usize = rows.word(6)?;
    rows.check(tally.met <= tally.count, "more values meet it than there are")?;
    rows.check(tally.count <= COUNT_MAX, "no log has so many records")?;
    rows.check(is_cut <= 1 && entries <= exact, "more is kept than there is room for")?;
    rows.check(is_cut == 0 || entries == exact, "something was cut while there was room")?;
    let mut last = None;
    let mut sum = 0_u64;
    for _ in 0..entries {
        let is_there = kept.next_row();
        kept.check(is_there, "there is less than the windows have")?;
        let (hash, number): (u64, u64) = (kept.word(0)?, kept.word(1)?);
        kept.check(last.is_none_or(|last| last < hash), "the hashes are not in order")?;
        last = Some(hash);
        if let Kind::Quantile { .. } = expected.kind {
            kept.check(!f64::from_bits(number).is_nan(), "NaN is not kept")?;
            sum += 1;
        } else {
            kept.check(number > 0, "a value that never occurred")?;
            sum = sum.saturating_add(number);
        }
        tally.kept.restore(hash, number);
    }
    tally.kept.restore_cut(is_cut == 1);
    let keeps = match expected.kind {
        Kind::Distinct { .. } | Kind::Unique { .. } => sum.cmp(&tally.count),
        Kind::Quantile { .. } => sum.cmp(&(tally.count - tally.met)),
        _ => 0.cmp(&entries),
    };
    let agrees = if is_cut == 1 { keeps.is_le() } else { keeps.is_eq() };
    rows.check(agrees, "what is kept does not fit the number of values")?;
    Ok(tally)
}
