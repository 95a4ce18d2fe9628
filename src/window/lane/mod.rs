//! A lane: what is buffered of each key for all windows over the same input.

mod saved;

use super::{
    extent::{Extent, Own, Shape},
    input::{Input, Read},
    tiled::Tiled,
};
use crate::{
    aggregate::{
        Content, Event, EventBuffer, Held, Interned, Kind, Needs, Pair, Pairs, Place, Pool,
        Retention, Scan, Summary, Texts, Tiles, read_keys,
    },
    batch::{Rows, Slot},
    state::{Paged, READ_AHEAD_ROWS},
};
use arrow::array::{ArrayRef, AsArray};
use hashbrown::HashMap;
use std::hint::black_box;

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

/// A record that was put into its buffer.
#[derive(Debug, Clone, Copy)]
struct Taken {
    slot: Slot,
    event: Event,
    /// True if the buffer has it.
    stored: bool,
}

/// Where a record stands between those that it sees.
#[derive(Debug, Clone, Copy)]
struct Seen {
    place: Place,
    /// Behind the peers, where it sees them.
    peers_end: Option<Place>,
    /// Valid peers behind it.
    behind: usize,
}

/// True if the row and the next one are peers: of one event time, and neither came by a policy that
/// keeps late records and those of the future. The others have their event time as watermark.
pub(super) fn is_peer_of_next(rows: &Rows, row: usize) -> bool {
    let next = row + 1;
    let by_time = |row: usize| !rows.late[row] && rows.watermarks[row] == rows.event_times[row];
    next < rows.len()
        && rows.event_times[row] == rows.event_times[next]
        && by_time(row)
        && by_time(next)
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
    /// In the place of the buffers.
    pub(super) tiled: Option<Tiled>,
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
            tiled: input.resolution_us.map(Tiled::new),
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
        let (summaries, scans) = (Vec::new(), Vec::new());
        let pauses = matches!(extent.shape, Shape::Session { .. });
        let needs = Needs { pauses, ..Needs::NONE };
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

    /// Takes the rows in and leaves one summary per row and window. With `peers`, rows of one event
    /// time that came together see each other.
    pub(super) fn advance(&mut self, rows: &Rows, judged: &[ArrayRef], peers: bool) {
        let read = self.input.read(rows, judged);
        let [kind, beside] = self.interned.kinds();
        let is_asked = self.pool.kind() != Kind::Nothing;
        read_numbers(read.values.as_ref().filter(|_| is_asked), kind, &mut self.keys);
        read_numbers(read.beside.as_ref().filter(|_| is_asked), beside, &mut self.keys_beside);
        let is_interned = self.pool.kind().is_interned();
        self.texts.clear();
        self.windows.iter_mut().for_each(|w| w.summaries.clear());
        let keeps_all = self.keeps_all();
        let mut run = Vec::new();
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
            let taken = Taken { slot: rows.slots[row], event, stored: valid || keeps_all };
            let place = self.put_in(taken, rows.watermarks[row]);
            if !peers {
                self.look_alone(taken, place);
                continue;
            }
            run.push(taken);
            if !is_peer_of_next(rows, row) {
                self.look_at_each_other(&run);
                run.clear();
            }
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

    /// Leaves the summaries of one record that is in its tile.
    fn look_at_tiles(&mut self, taken: Taken) {
        let tiled = self.tiled.as_ref().expect("it has tiles");
        tiled.look((taken.slot, taken.event), &mut self.windows, &self.pool);
    }

    /// Puts one record in and says where it lies, or would; tiles have no places. What lies outside
    /// the retention leaves first, by the record's own watermark, so that batches do not show; that
    /// of an earlier late record goes the same way.
    #[inline]
    fn put_in(&mut self, taken: Taken, watermark: i64) -> Option<Place> {
        let Taken { slot, event, stored } = taken;
        self.slots = self.slots.max(slot as usize + 1);
        if let Some(tiled) = &mut self.tiled {
            let reach = self.retention.time_us.expect("only windows by time have tiles");
            let oldest = watermark.saturating_sub(reach);
            tiled.insert((slot, event), oldest, &mut self.windows, &mut self.pool);
            return None;
        }
        let buffer = self.buffers.get_mut(slot);
        buffer.expire(watermark, self.retention, &mut self.pool);
        Some(if stored {
            buffer.insert(event, &mut self.pool)
        } else {
            buffer.seek(event.time.saturating_add(1))
        })
    }

    /// Leaves the summaries of one record that sees none behind it.
    #[inline]
    fn look_alone(&mut self, taken: Taken, place: Option<Place>) {
        match place {
            Some(place) => self.look(taken, Seen { place, peers_end: None, behind: 0 }),
            None => self.look_at_tiles(taken),
        }
    }

    /// Leaves the summaries of one record that was put in.
    fn look(&mut self, taken: Taken, seen: Seen) {
        let Taken { slot, event, stored } = taken;
        let Seen { place, peers_end, behind } = seen;
        let buffer = self.buffers.get(slot).expect("it was put in");
        let own = Own { place, stored, time: event.time, peers_end };
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
                let sees_peers = peers_end.is_some_and(|end| end == range[1]);
                let content = Content {
                    events: &self.scanned,
                    kind: self.pool.kind(),
                    symbols: self.interned.symbols(),
                    pairs: self.interned.pairs(),
                    own: summary.own,
                    time: event.time,
                    has_own: event.valid && range[0] <= place && place < range[1],
                    behind: if sees_peers { behind } else { 0 },
                };
                window.scans.iter_mut().for_each(|scan| scan.take(&content));
            }
        }
        self.release();
    }

    /// Leaves the summaries of records of one event time, which are all in the buffers: each sees
    /// the others of its key.
    fn look_at_each_other(&mut self, run: &[Taken]) {
        if self.tiled.is_some() {
            for taken in run {
                self.look_at_tiles(*taken);
            }
            return;
        }
        // Of each record, how many of its key lie behind it, and how many of them are valid.
        let mut behind = vec![(0, 0); run.len()];
        if run.len() > 1 {
            let mut of_slot: HashMap<Slot, (usize, usize)> = HashMap::new();
            for (taken, behind) in run.iter().zip(&mut behind).rev() {
                let counts = of_slot.entry(taken.slot).or_default();
                *behind = *counts;
                counts.0 += usize::from(taken.stored);
                counts.1 += usize::from(taken.event.valid);
            }
        }
        for (taken, (stored, valid)) in run.iter().zip(behind) {
            let buffer = self.buffers.get(taken.slot).expect("it was put in");
            let end = buffer.seek(taken.event.time.saturating_add(1));
            let place = buffer.back(end, stored + usize::from(taken.stored));
            self.look(*taken, Seen { place, peers_end: Some(end), behind: valid });
        }
    }

    fn release(&mut self) {
        let kind = self.pool.kind();
        if kind.is_interned() {
            self.pool.released().for_each(|key| self.interned.release(kind, key));
        }
    }

    /// Drops what is kept under `slot`.
    pub(super) fn forget(&mut self, slot: Slot) {
        if let Some(tiled) = &mut self.tiled {
            tiled.forget(slot, &mut self.pool);
        }
        if self.buffers.get(slot).is_some_and(|b| !b.is_vacant()) {
            self.buffers.get_mut(slot).clear(&mut self.pool);
            self.release();
        }
    }

    /// Bytes of all buffers.
    pub(super) fn state_bytes(&self) -> usize {
        self.slots * self.slot_bytes() + self.pool.bytes() + self.interned.bytes()
    }

    /// Bytes of the buffers of so many keys.
    pub(super) fn key_bytes(&self, keys: usize) -> usize {
        keys * self.slot_bytes() + self.pool.bytes() + self.interned.bytes()
    }

    /// Bytes of a key without what it holds.
    pub(super) fn slot_bytes(&self) -> usize {
        if self.tiled.is_some() { size_of::<Tiles>() } else { size_of::<EventBuffer>() }
    }

    /// All that outlives a batch.
    #[cfg(test)]
    pub(super) fn state(&self) -> impl std::fmt::Debug {
        (&self.buffers, &self.interned, &self.tiled)
    }

    /// Bytes of a buffered event, as it lies in a full leaf, or of a tile.
    pub(super) fn event_bytes(&self) -> usize {
        if self.tiled.is_some() {
            return Tiles::TILE_BYTES;
        }
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
