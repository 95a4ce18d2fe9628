//! Entity keys as dense slots: one hash per record, no allocation for a known key.
//!
//! A key lives until the watermark is past its last row's event time by more than the horizon. Its
//! slot then goes to the free list, and the next row of that key starts afresh. Whether a key has
//! expired is decided by its own rows and the watermark alone: a key that is looked up is judged
//! on the spot, and a sweep over a few slots per record finds the keys that never come again.
//!
//! Slots are reused in the order they were freed and no sooner than [`BATCH_ROWS_MAX`] rows later.
//! A batch is at most that long, so a slot never belongs to two keys in one batch, wherever the
//! batches are cut, and which key gets which slot does not depend on the cuts.
//!
//! Where their number is limited, a key that comes anew takes the place of the one whose last row
//! has the oldest event time, of several the one in the lowest slot. That is decided row by row,
//! from nothing but times and slots. The evicted key's slot is treated like an expired one.

mod oldest;
mod saved;

use super::{Horizon, KeyColumns, Paged, READ_AHEAD_ROWS, table_bytes};
use crate::batch::Slot;
use arrow::array::ArrayRef;
use hashbrown::HashTable;
use oldest::Oldest;
use smallvec::SmallVec;
use std::{collections::VecDeque, hint::black_box, mem, ops::Range};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The longest batch: a freed slot is reused no sooner than this many rows later.
pub const BATCH_ROWS_MAX: usize = 65_536;

/// Slots that a record looks at in search of expired keys: one round takes a quarter as many
/// records as there are slots.
const SWEPT_PER_RECORD: u32 = 4;

/// Part of the state: another seed would lay the table out differently.
const SEED: u64 = 0x6d69_6c6c_7374_7265;

/// Last event time of a slot without a key; event times begin at the year 1.
const VACANT: i64 = i64::MIN;

/// A slot on the free list, and the number of rows seen when it was freed.
#[derive(Debug, Clone, Copy)]
struct Freed {
    slot: Slot,
    at: u64,
}

/// A key on its way to a slot.
#[derive(Debug, Clone, Copy)]
struct Hashed<'a> {
    bytes: &'a [u8],
    hash: u64,
}

/// The entity keys of one partition.
#[derive(Debug)]
pub struct Keys {
    horizon: Horizon,
    quarantine: u64,
    /// Slots by the hash of their names.
    table: HashTable<Slot>,
    /// Of names that do not lie in their slots.
    name_bytes: usize,
    eviction: Option<Eviction>,
    kept: Kept,
}

/// What keys that may have to give way need.
#[derive(Debug)]
struct Eviction {
    /// How many keys there may be.
    most: usize,
    oldest: Oldest,
    /// Keys that gave way although they had not expired.
    count: u64,
}

/// The state of the keys: from it the rest can be built again.
#[derive(Debug, Clone, Default)]
struct Kept {
    names: Names,
    last: Last,
    slots: Slot,
    free: VecDeque<Freed>,
    rows: u64,
    cursor: Slot,
}

/// Most names lie in their slot: to compare one is to look at one place, and costs no allocation.
type Name = SmallVec<[u8; 16]>;
type Names = Paged<Name>;
type Last = Paged<i64, 256>;

impl Keys {
    /// No keys yet; they are kept for `horizon`, the longest of all components.
    pub fn new(horizon: Horizon) -> Self {
        Self {
            horizon,
            quarantine: BATCH_ROWS_MAX as u64,
            table: HashTable::new(),
            name_bytes: 0,
            eviction: None,
            kept: Kept::default(),
        }
    }

    /// Lets the oldest keys give way: where there would be more than `most`, and when
    /// [`evict`](Self::evict) is called. To be said before the first row.
    #[must_use]
    pub fn evicting(self, most: Option<usize>) -> Self {
        let most = most.unwrap_or(usize::MAX).max(1);
        Self { eviction: Some(Eviction { most, oldest: Oldest::default(), count: 0 }), ..self }
    }

    /// Keys for batches of at most `rows` rows, so that few rows show how slots are reused.
    #[cfg(test)]
    pub(crate) fn for_batches_of(rows: u64, horizon: Horizon) -> Self {
        Self { quarantine: rows, ..Self::new(horizon) }
    }

    /// Appends the slot of each row's key to `slots`, and the slots whose keys expired on the way
    /// to `expired`, in offset order.
    ///
    /// Once the batch has passed every component, and before the next one, each component is told
    /// to forget the expired slots. A batch may come in several calls; together they have at most
    /// [`BATCH_ROWS_MAX`] rows. `columns` hold no nulls: the gates reject them.
    #[expect(clippy::too_many_arguments, reason = "three columns in, two columns out")]
    pub fn advance(
        &mut self,
        columns: &[ArrayRef],
        event_times: &[i64],
        watermarks: &[i64],
        slots: &mut Vec<Slot>,
        expired: &mut Vec<Slot>,
    ) {
        assert!(event_times.len() <= BATCH_ROWS_MAX, "a batch has at most {BATCH_ROWS_MAX} rows");
        assert_eq!(event_times.len(), watermarks.len(), "a watermark per row");
        let keys = KeyColumns::new(columns);
        let mut scratch = Vec::new();
        let mut hashes = [0; READ_AHEAD_ROWS];
        for (row, (time, watermark)) in event_times.iter().zip(watermarks).enumerate() {
            let ahead = row % READ_AHEAD_ROWS;
            if ahead == 0 {
                self.read_ahead(&keys, row..event_times.len(), &mut hashes, &mut scratch);
            }
            let key = Hashed { bytes: keys.bytes(row, &mut scratch), hash: hashes[ahead] };
            slots.push(self.intern(key, *time, *watermark, expired));
            self.kept.rows += 1;
            self.sweep(*watermark, expired);
        }
    }

    /// Hashes the keys of the first of these rows and reads where they will be looked up, see
    /// [`READ_AHEAD_ROWS`].
    fn read_ahead(
        &self,
        keys: &KeyColumns<'_>,
        rows: Range<usize>,
        hashes: &mut [u64; READ_AHEAD_ROWS],
        scratch: &mut Vec<u8>,
    ) {
        let mut read = 0;
        for (row, hash_of_key) in rows.zip(hashes) {
            *hash_of_key = hash(keys.bytes(row, scratch));
            // The first slot with such a hash is nearly always the one.
            if let Some(slot) = self.table.find(*hash_of_key, |_| true) {
                let first = name(&self.kept.names, *slot).first().copied();
                read ^= last_of(&self.kept.last, *slot) ^ i64::from(first.unwrap_or_default());
            }
        }
        black_box(read);
    }

    /// Forgets a key now, as a tombstone asks: rows behind it start afresh. Gives its slot, which
    /// the caller treats like an expired one. One text column's key bytes are the text.
    pub fn forget(&mut self, key: &[u8]) -> Option<Slot> {
        let names = &self.kept.names;
        let slot = *self.table.find(hash(key), |slot| is_same(name(names, *slot), key))?;
        self.release(slot);
        Some(slot)
    }

    /// Lets the oldest key give way and says its slot, which the caller treats like an expired one;
    /// none if there is no key, or if keys were not made to give way.
    pub fn evict(&mut self, watermark: i64) -> Option<Slot> {
        let eviction = self.eviction.as_mut()?;
        let last = &self.kept.last;
        let slot = eviction.oldest.first(|slot| *last_of(last, slot))?;
        // One that has expired and was not swept yet loses nothing.
        eviction.count += u64::from(!self.horizon.is_past(*last_of(last, slot), watermark));
        self.release(slot);
        Some(slot)
    }

    /// True if keys may have to give way.
    pub fn gives_way(&self) -> bool {
        self.eviction.is_some()
    }

    /// Keys so far that gave way although they had not expired.
    pub fn evicted(&self) -> u64 {
        self.eviction.as_ref().map_or(0, |eviction| eviction.count)
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.kept.rows
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes held, without what the allocator adds.
    pub fn bytes(&self) -> usize {
        let per_slot = self.slot_bytes();
        table_bytes(self.kept.slots)
            + self.kept.slots as usize * per_slot
            + self.name_bytes
            + self.kept.free.len() * size_of::<Freed>()
    }

    /// Bytes of the keys that are there: unlike [`bytes`](Self::bytes) without slots that are free.
    pub fn live_bytes(&self) -> usize {
        let in_table = 2 * (size_of::<Slot>() + 1);
        self.len() * (self.slot_bytes() + in_table) + self.name_bytes
    }

    fn slot_bytes(&self) -> usize {
        let order = if self.eviction.is_some() { Oldest::SLOT_BYTES } else { 0 };
        size_of::<Name>() + size_of::<i64>() + order
    }

    fn intern(
        &mut self,
        key: Hashed<'_>,
        time: i64,
        watermark: i64,
        expired: &mut Vec<Slot>,
    ) -> Slot {
        let names = &self.kept.names;
        let is_it = |slot: &Slot| is_same(name(names, *slot), key.bytes);
        let known = self.table.find(key.hash, is_it).copied();
        let slot = match known {
            Some(slot) if !self.horizon.is_past(*last_of(&self.kept.last, slot), watermark) => {
                let last = self.kept.last.get_mut(slot);
                *last = time.max(*last);
                return slot;
            }
            Some(old) => self.renew(key.hash, old, expired),
            None => {
                self.make_room(watermark, expired);
                self.insert(key)
            }
        };
        self.begin(slot, time);
        slot
    }

    /// Notes the first row of a key.
    fn begin(&mut self, slot: Slot, time: i64) {
        *self.kept.last.get_mut(slot) = time;
        if let Some(eviction) = &mut self.eviction {
            eviction.oldest.add(slot, time);
        }
    }

    /// Lets the oldest keys give way to one more.
    fn make_room(&mut self, watermark: i64, expired: &mut Vec<Slot>) {
        let most = self.eviction.as_ref().map_or(usize::MAX, |eviction| eviction.most);
        while self.len() >= most {
            let Some(slot) = self.evict(watermark) else { return };
            expired.push(slot);
        }
    }

    /// A key nobody has seen, or that was forgotten.
    fn insert(&mut self, key: Hashed<'_>) -> Slot {
        let slot = self.take_slot();
        self.put(key, slot);
        slot
    }

    fn put(&mut self, key: Hashed<'_>, slot: Slot) {
        let kept = Name::from_slice(key.bytes);
        self.name_bytes += heap_bytes(&kept);
        *self.kept.names.get_mut(slot) = kept;
        let names = &self.kept.names;
        self.table.insert_unique(key.hash, slot, |slot| hash(name(names, *slot)));
    }

    /// Moves an expired key that comes again to a fresh slot, its name with it.
    fn renew(&mut self, hash_of_key: u64, old: Slot, expired: &mut Vec<Slot>) -> Slot {
        let slot = self.take_slot();
        *self.kept.names.get_mut(slot) = mem::take(self.kept.names.get_mut(old));
        let entry = self.table.find_mut(hash_of_key, |slot| *slot == old);
        *entry.expect("the key was found") = slot;
        self.vacate(old);
        expired.push(old);
        slot
    }

    fn take_slot(&mut self) -> Slot {
        if let Some(freed) = self.kept.free.front().copied()
            && freed.at + self.quarantine <= self.kept.rows
        {
            self.kept.free.pop_front();
            return freed.slot;
        }
        self.kept.slots += 1;
        self.kept.slots - 1
    }

    fn sweep(&mut self, watermark: i64, expired: &mut Vec<Slot>) {
        if self.horizon == Horizon::Forever {
            return;
        }
        if self.none_is_past(watermark) {
            self.kept.cursor += SWEPT_PER_RECORD;
            return;
        }
        for _ in 0..SWEPT_PER_RECORD {
            self.kept.cursor =
                if self.kept.cursor + 1 < self.kept.slots { self.kept.cursor + 1 } else { 0 };
            let last = *last_of(&self.kept.last, self.kept.cursor);
            if last != VACANT && self.horizon.is_past(last, watermark) {
                self.release(self.kept.cursor);
                expired.push(self.kept.cursor);
            }
        }
    }

    /// True if the next slots lie in one page and none of them has a key that is past: as nearly
    /// always.
    #[inline]
    fn none_is_past(&self, watermark: i64) -> bool {
        let next = self.kept.cursor + 1;
        let has_key_past = |last: &i64| *last != VACANT && self.horizon.is_past(*last, watermark);
        let page = self.kept.last.page_from(next);
        next + SWEPT_PER_RECORD <= self.kept.slots
            && page
                .first_chunk::<{ SWEPT_PER_RECORD as usize }>()
                .is_some_and(|swept| !swept.iter().any(has_key_past))
    }

    fn release(&mut self, slot: Slot) {
        let key = mem::take(self.kept.names.get_mut(slot));
        self.name_bytes -= heap_bytes(&key);
        let entry = self.table.find_entry(hash(&key), |other| *other == slot);
        entry.expect("a named slot is in the table").remove();
        self.vacate(slot);
    }

    fn vacate(&mut self, slot: Slot) {
        *self.kept.last.get_mut(slot) = VACANT;
        if let Some(eviction) = &mut self.eviction {
            eviction.oldest.remove(slot);
        }
        self.kept.free.push_back(Freed { slot, at: self.kept.rows });
    }
}

/// The heap bytes of a name.
fn heap_bytes(name: &Name) -> usize {
    if name.spilled() { name.capacity() } else { 0 }
}

fn hash(key: &[u8]) -> u64 {
    xxh3_64_with_seed(key, SEED)
}

/// True if the keys are equal. Most have up to sixteen bytes: two words, which may overlap.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(x), Some(y)) if a.len() <= 16 => x == y && a.last_chunk::<8>() == b.last_chunk(),
        _ => a == b,
    }
}

fn name(names: &Names, slot: Slot) -> &[u8] {
    names.get(slot).expect("a slot in use has a page")
}

fn last_of(last: &Last, slot: Slot) -> &i64 {
    last.get(slot).expect("a slot in use has a page")
}

#[cfg(test)]
mod tests;
