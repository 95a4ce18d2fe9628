//! The records that wait, in a snapshot: their bytes in offset order, and how far those before them
//! have come.

use super::{super::Fold, Held, Hold};
use crate::{
    batch::{RawBatch, Rejections},
    state::{
        BATCH_ROWS_MAX,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Table, Type},
    },
};
use std::io;

const PROGRESS: &[Column] =
    &[("raised", Type::Int), ("row_watermark", Type::Int), ("digest", Type::Word)];

const RECORDS: &[Column] = &[
    ("offset", Type::Int),
    ("event_time", Type::Int),
    ("timestamp", Type::Int),
    ("key", Type::Bytes),
    ("value", Type::Bytes),
    ("headers", Type::Word),
];

/// The headers of all records, one after the other: each record says how many are its own.
const HEADERS: &[Column] = &[("name", Type::Bytes), ("value", Type::Bytes)];

/// What waits, as it was.
pub(in super::super) struct SavedHold {
    held: Held,
    raised: Option<i64>,
    row_watermark: i64,
    digest: u64,
}

impl Saved for SavedHold {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut progress = out.table("progress", PROGRESS);
        let raised = self.raised.map_or(Cell::Null, Cell::Int);
        progress.row(&[raised, Cell::Int(self.row_watermark), Cell::Word(self.digest)])?;
        progress.finish()?;
        let mut rows = out.table("records", RECORDS);
        for (record, event_time) in self.held.iter() {
            rows.row(&[
                Cell::Int(record.offset),
                Cell::Int(event_time),
                record.timestamp_ms.map_or(Cell::Null, Cell::Int),
                record.key.map_or(Cell::Null, Cell::Bytes),
                record.value.map_or(Cell::Null, Cell::Bytes),
                Cell::Word(record.headers.iter().count() as u64),
            ])?;
        }
        rows.finish()?;
        let mut headers = out.table("headers", HEADERS);
        for header in self.held.iter().flat_map(|(record, _)| record.headers.iter()) {
            let value = header.value.map_or(Cell::Null, Cell::Bytes);
            headers.row(&[Cell::Bytes(header.name), value])?;
        }
        headers.finish()
    }
}

impl Fold {
    /// Holds on to what waits as it is; none in order of arrival.
    pub(in super::super) fn capture_hold(&self) -> Option<SavedHold> {
        let Hold { held, digest, .. } = self.hold.as_ref()?;
        let (raised, row_watermark) = (self.gates.progress().raised, self.gates.row_watermark());
        Some(SavedHold { held: held.clone(), raised, row_watermark, digest: *digest })
    }

    /// Takes over what a snapshot says that waits; the gates stand where they stood. Every record
    /// must pass as it once did: what is not so here would be a panic when it leaves.
    pub(in super::super) fn restore_hold(
        &mut self,
        section: &Section<'_>,
    ) -> Result<(), SnapshotError> {
        let progress = section.single("progress", PROGRESS)?;
        let row_watermark = progress.int(1)?;
        let mut gates = self.gates.progress();
        gates.raised = progress.optional_int(0);
        let far =
            gates.raised.is_some_and(|r| gates.highest.is_none_or(|h| r > h.saturating_add(1)));
        progress.check(!far, "a watermark beyond the highest event time")?;
        self.gates.resume(gates);
        let frontier = self.gates.frontier();
        progress.check(row_watermark <= frontier, "rows ahead of the watermark")?;
        let digest = progress.word(2)?;

        let mut rows = section.table("records", RECORDS)?;
        let mut headers = section.table("headers", HEADERS)?;
        let (mut records, mut waiting) = (Held::default(), Vec::new());
        let mut batch = RawBatch::new("".into(), 0);
        while rows.next_row() {
            let (offset, event_time) = (rows.int(0)?, rows.int(1)?);
            rows.check(event_time >= frontier, "a record that does not wait")?;
            let in_order = waiting.last().is_none_or(|(_, before)| *before < offset);
            rows.check(in_order && offset >= 0, "records out of order")?;
            batch.push(
                offset,
                rows.optional_int(2),
                rows.optional_bytes(3),
                rows.optional_bytes(4),
            );
            add_headers(&mut batch, rows.word(5)?, &mut headers)?;
            waiting.push((event_time, offset));
            if batch.len() == BATCH_ROWS_MAX {
                self.take_back(&batch, &waiting, &mut records, &rows)?;
                batch.clear();
            }
        }
        self.take_back(&batch, &waiting, &mut records, &rows)?;
        let is_over = !headers.next_row();
        headers.check(is_over, "a header without a record")?;
        self.gates.resume_waiting(waiting.into_iter(), row_watermark);
        let hold = self.hold.as_mut().expect("only called where records wait");
        (hold.held, hold.digest) = (records, digest);
        Ok(())
    }

    /// Judges the records of `batch` again, which are the last of `waiting`, and holds them.
    fn take_back(
        &mut self,
        batch: &RawBatch,
        waiting: &[(i64, i64)],
        records: &mut Held,
        rows: &Table<'_>,
    ) -> Result<(), SnapshotError> {
        let mut left = Rejections::default();
        let hold = self.hold.as_mut().expect("only called where records wait");
        let decoded = hold.decode.decode(batch, &mut left);
        let decoded = self.rules.apply(batch, decoded, &mut left);
        let times = &waiting[waiting.len() - batch.len()..];
        let times: Vec<i64> = times.iter().map(|(event_time, _)| *event_time).collect();
        let pass = left.0.is_empty() && self.gates.have_passed(batch, &decoded, &times);
        rows.check(pass, "a record that cannot have been held")?;
        batch.iter().zip(times).for_each(|(record, time)| records.push(&record, time, batch));
        Ok(())
    }
}

fn add_headers(
    batch: &mut RawBatch,
    count: u64,
    headers: &mut Table<'_>,
) -> Result<(), SnapshotError> {
    for _ in 0..count {
        if !headers.next_row() {
            return Err(headers.malformed("a record has more headers than there are"));
        }
        batch.header(headers.bytes(0)?, headers.optional_bytes(1));
    }
    Ok(())
}
