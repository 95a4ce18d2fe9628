//! A lane: what is buffered of each key for all windows over the same input.

use super::{
    extent::{Extent, Own, Shape},
    input::{Input, Read},
};
use crate::{
    aggregate::{
        Content, Event, EventBuffer, Held, Interned, Kind, Needs, Pair, Pairs, Pool, Retention,
        SavedBuffers, Scan, Summary, Texts, read_keys, restore_buffers,
    },
    batch::{Rows, Slot},
    state::{
        Paged, READ_AHEAD_ROWS,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
    },
};
use arrow::array::{ArrayRef, AsArray};
use std::{hint::black_box, io};

/// One window over a lane.
#[derive(Debug)]
pub(super) struct LaneWindow {
    pub(super) extent: Extent,
    pub(super) needs: Needs,
    /// One per row of the current batch.
    pub(super) summaries: Vec<Summary>,
    /// What looks at all events of the window.
    scans: Vec<Box<dyn Scan>>,
}

const PROGRESS: &[Column] = &[("slots", Type::Word)];

/// A lane as it was.
#[derive(Debug)]
pub(super) struct SavedLane {
    slots: usize,
    buffers: SavedBuffers,
}

impl Saved for SavedLane {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut progress = out.table("progress", PROGRESS);
        progress.row(&[Cell::Word(self.slots as u64)])?;
        progress.finish()?;
        self.buffers.save(out)
    }
}

/// One event buffer per key, shared by all windows over the same input.
///
/// Only records that count are kept: those with a value, for which the conditions hold. A window
/// by rows counts the others too, as SQL's ROWS with FILTER does, so that its lane keeps them,
/// marked as not valid.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) input: Input,
    pub(super) windows: Vec<LaneWindow>,
    pub(super) retention: Retention,
    pool: Pool,
    interned: Interned,
    buffers: Paged<EventBuffer>,
    /// One more than the highest slot seen.
    slots: usize,
    keys: Vec<i64>,
    /// Those of the second column.
    keys_beside: Vec<i64>,
    pub(super) texts: Texts,
    /// The events of the window that is scanned.
    scanned: Vec<Held>,
}

impl Lane {
    pub(super) fn new(input: Input) -> Self {
        Self {
            interned: Interned::new(input.kinds()),
            input,
            windows: Vec::new(),
            retention: Retention::default(),
            pool: Pool::new(Kind::Nothing, Needs::NONE),
            buffers: Paged::default(),
            slots: 0,
            keys: Vec::new(),
            keys_beside: Vec::new(),
            texts: Texts::default(),
            scanned: Vec::new(),
        }
    }

    /// Adds a window before any row was seen, and gives its index.
    pub(super) fn add(&mut self, extent: Extent) -> usize {
        let (needs, summaries, scans) = (Needs::NONE, Vec::new(), Vec::new());
        self.windows.push(LaneWindow { extent, needs, summaries, scans });
        let asked = extent.retention();
        self.retention.time_us = self.retention.time_us.max(asked.time_us);
        self.retention.rows = self.retention.rows.max(asked.rows);
        self.windows.len() - 1
    }

    /// Adds what a window needs to know, before any row was seen.
    pub(super) fn need(&mut self, window: usize, needs: Needs) {
        let known = &mut self.windows[window].needs;
        *known = known.union(needs);
        self.pool = self.new_pool();
    }

    fn new_pool(&self) -> Pool {
        let needs = self.windows.iter().map(|w| w.needs).fold(Needs::NONE, Needs::union);
        let kind = match self.input.beside {
            _ if !needs.values() => Kind::Nothing,
            Some(_) => Kind::Pair,
            None => self.input.kinds()[0],
        };
        Pool::new(kind, needs)
    }

    /// Adds a look at all events of a window, and gives its index there.
    pub(super) fn add_scan(&mut self, window: usize, scan: Box<dyn Scan>) -> usize {
        self.windows[window].scans.push(scan);
        self.windows[window].scans.len() - 1
    }

    /// What one of a window's scans has made of the rows.
    pub(super) fn scanned(&mut self, window: usize, scan: usize) -> ArrayRef {
        self.windows[window].scans[scan].finish()
    }

    /// True if records without a value are kept too.
    fn keeps_all(&self) -> bool {
        self.windows.iter().any(|w| matches!(w.extent.shape, Shape::Rows { .. }))
    }

    /// Takes the rows in and leaves one summary per row and window.
    pub(super) fn advance(&mut self, rows: &Rows, judged: &[ArrayRef]) {
        let read = self.input.read(rows, judged);
        let [kind, beside] = self.interned.kinds();
        let is_asked = self.pool.kind() != Kind::Nothing;
        read_numbers(read.values.as_ref().filter(|_| is_asked), kind, &mut self.keys);
        read_numbers(read.beside.as_ref().filter(|_| is_asked), beside, &mut self.keys_beside);
        let is_interned = self.pool.kind().is_interned();
        self.texts.clear();
        self.windows.iter_mut().for_each(|w| w.summaries.clear());
        let keeps_all = self.keeps_all();
        for row in 0..rows.len() {
            if row % READ_AHEAD_ROWS == 0 {
                self.read_ahead(rows.slots[row..].iter().take(READ_AHEAD_ROWS));
            }
            let valid = read.is_valid(row);
            let key = match valid {
                _ if !is_interned => self.keys.get(row).copied().unwrap_or_default(),
                true => self.intern(&read, row),
                false => 0,
            };
            let event = Event { time: rows.event_times[row], key, valid };
            self.take(rows.slots[row], rows.watermarks[row], event, keeps_all);
        }
    }

    /// The key of a row's event, in a lane of texts or pairs.
    fn intern(&mut self, read: &Read, row: usize) -> i64 {
        let interned = &mut self.interned;
        let mut key = |of: Option<&ArrayRef>, kind, keys: &[i64]| match of {
            Some(texts) if kind == Kind::Text => interned.text(texts.as_string::<i32>().value(row)),
            _ => keys.get(row).copied().unwrap_or_default(),
        };
        let [kind, beside] = self.input.kinds();
        let first = key(read.values.as_ref(), kind, &self.keys);
        if self.pool.kind() != Kind::Pair {
            return first;
        }
        let second = key(read.beside.as_ref(), beside, &self.keys_beside);
        self.interned.pair(Pair { first, second })
    }

    /// Reads from the buffers of the next rows, see [`READ_AHEAD_ROWS`].
    #[inline]
    fn read_ahead<'s>(&self, slots: impl Iterator<Item = &'s Slot>) {
        let buffers = slots.filter_map(|slot| self.buffers.get(*slot));
        black_box(buffers.fold(0, |read, buffer| read ^ buffer.touch()));
    }

    /// Takes one record in. What lies outside the retention leaves first, by the record's own
    /// watermark, so that batches do not show; that of an earlier late record goes the same way.
    fn take(&mut self, slot: Slot, watermark: i64, event: Event, keeps_all: bool) {
        self.slots = self.slots.max(slot as usize + 1);
        let buffer = self.buffers.get_mut(slot);
        buffer.expire(watermark, self.retention, &mut self.pool);
        let stored = event.valid || keeps_all;
        let place = if stored {
            buffer.insert(event, &mut self.pool)
        } else {
            buffer.seek(event.time.saturating_add(1))
        };
        let own = Own { place, stored, time: event.time };
        for window in &mut self.windows {
            let range = window.extent.range(buffer, own);
            let mut summary = buffer.summary(range, place, window.needs, &self.pool);
            summary.time = event.time;
            summary.own = event.valid.then_some(event.key);
            if self.pool.kind() == Kind::Text && summary.n > 0 {
                let mut copy = |key| self.texts.push(self.interned.symbols().text(key));
                summary.first = if window.needs.first { copy(summary.first) } else { 0 };
                summary.last = if window.needs.last { copy(summary.last) } else { 0 };
            }
            window.summaries.push(summary);
            if !window.scans.is_empty() {
                buffer.collect(range, &mut self.scanned);
                let content = Content {
                    events: &self.scanned,
                    kind: self.pool.kind(),
                    symbols: self.interned.symbols(),
                    pairs: self.interned.pairs(),
                    own: summary.own,
                    time: event.time,
                    has_own: event.valid && range[0] <= place && place < range[1],
                };
                window.scans.iter_mut().for_each(|scan| scan.take(&content));
            }
        }
        self.release();
    }

    fn release(&mut self) {
        let kind = self.pool.kind();
        if kind.is_interned() {
            self.pool.released().for_each(|key| self.interned.release(kind, key));
        }
    }

    /// Drops what is kept under `slot`.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.buffers.get(slot).is_some_and(|b| !b.is_vacant()) {
            self.buffers.get_mut(slot).clear(&mut self.pool);
            self.release();
        }
    }

    /// Bytes of all buffers.
    pub(super) fn state_bytes(&self) -> usize {
        self.slots * size_of::<EventBuffer>() + self.pool.bytes() + self.interned.bytes()
    }

    /// Bytes of the buffers of so many keys.
    pub(super) fn key_bytes(&self, keys: usize) -> usize {
        keys * size_of::<EventBuffer>() + self.pool.bytes() + self.interned.bytes()
    }

    /// Holds on to the buffers as they are.
    pub(super) fn capture(&self) -> SavedLane {
        let buffers = SavedBuffers::capture(&self.buffers, &self.pool, &self.interned);
        SavedLane { slots: self.slots, buffers }
    }

    /// Takes over the buffers that a snapshot holds; keys have `slots` slots.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        self.pool = self.new_pool();
        self.interned = Interned::new(self.input.kinds());
        let progress = section.single("progress", PROGRESS)?;
        let seen: Slot = progress.word(0)?;
        progress.check(seen <= slots, "slots without a key")?;
        self.slots = seen as usize;
        let (pool, interned) = (&mut self.pool, &mut self.interned);
        self.buffers = restore_buffers(section, seen, self.input.ranges(), pool, interned)?;
        Ok(())
    }

    /// All that outlives a batch.
    #[cfg(test)]
    pub(super) fn state(&self) -> impl std::fmt::Debug {
        (&self.buffers, &self.interned)
    }

    /// Bytes of a buffered event, as it lies in a full leaf.
    pub(super) fn event_bytes(&self) -> usize {
        let pair = if self.pool.kind() == Kind::Pair { Pairs::BYTES } else { 0 };
        self.pool.event_bytes() + pair
    }
}

/// Fills `keys` with those of a column, of texts with none.
fn read_numbers(column: Option<&ArrayRef>, kind: Kind, keys: &mut Vec<i64>) {
    match column {
        Some(column) if kind != Kind::Text => read_keys(column, keys),
        _ => keys.clear(),
    }
}
