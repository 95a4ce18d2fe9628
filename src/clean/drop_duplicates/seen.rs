//! The first records that are still remembered.

use crate::state::{
    Paged,
    snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
    table_bytes,
};
use hashbrown::HashTable;
use std::io;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Part of the state: another seed would lay the table out differently.
const SEED: u64 = 0x6475_706c_6963_6174;

/// Entries that a record looks at in search of those to forget.
const SWEPT_PER_RECORD: u32 = 4;

/// Event time of an entry that is free; event times begin at the year 1.
const VACANT: i64 = i64::MIN;

/// A record that was the first of its key. One key has several if they lie apart.
#[derive(Debug, Clone)]
struct First {
    time: i64,
    hash: u64,
    /// Empty in a free entry, its memory kept so that the next key needs no allocation.
    key: Vec<u8>,
}

impl Default for First {
    fn default() -> Self {
        Self { time: VACANT, hash: 0, key: Vec::new() }
    }
}

/// First records by key, for `within` microseconds.
#[derive(Debug)]
pub(super) struct Seen {
    within_us: i64,
    table: HashTable<u32>,
    key_bytes: usize,
    kept: Kept,
}

/// The state: from it the rest can be built again.
#[derive(Debug, Clone, Default)]
struct Kept {
    entries: Paged<First>,
    count: u32,
    free: Vec<u32>,
    cursor: u32,
}

impl Seen {
    pub(super) fn new(within_us: i64) -> Self {
        Self { within_us, table: HashTable::new(), key_bytes: 0, kept: Kept::default() }
    }

    /// True if no first record of `key` within the time is remembered at `watermark`; the record
    /// is then one itself.
    pub(super) fn is_first(&mut self, key: &[u8], time: i64, watermark: i64) -> bool {
        let hash = xxh3_64_with_seed(key, SEED);
        let duplicate = self.table.iter_hash(hash).any(|index| {
            let first = entry(&self.kept.entries, *index);
            first.time.abs_diff(time) <= self.within_us.unsigned_abs()
                && !self.is_past(first.time, watermark)
                && first.key == key
        });
        // A kept late record can be too old to be remembered at all.
        if !duplicate && !self.is_past(time, watermark) {
            self.insert(hash, key, time);
        }
        !duplicate
    }

    /// Forgets some of the records that are past: a few at a time, the cost is the same for each.
    pub(super) fn sweep(&mut self, watermark: i64) {
        for _ in 0..SWEPT_PER_RECORD.min(self.kept.count) {
            self.kept.cursor =
                if self.kept.cursor + 1 < self.kept.count { self.kept.cursor + 1 } else { 0 };
            let First { time, hash, .. } = *entry(&self.kept.entries, self.kept.cursor);
            if time != VACANT && self.is_past(time, watermark) {
                let found = self.table.find_entry(hash, |index| *index == self.kept.cursor);
                found.expect("a remembered record is in the table").remove();
                let entry = self.kept.entries.get_mut(self.kept.cursor);
                entry.time = VACANT;
                self.key_bytes -= entry.key.len();
                entry.key.clear();
                self.kept.free.push(self.kept.cursor);
            }
        }
    }

    /// Bytes held, without what the allocator adds.
    pub(super) fn bytes(&self) -> usize {
        let per_entry = size_of::<First>() + size_of::<u32>();
        table_bytes(self.kept.count) + self.kept.count as usize * per_entry + self.key_bytes
    }

    fn is_past(&self, time: i64, watermark: i64) -> bool {
        watermark > time.saturating_add(self.within_us)
    }

    fn insert(&mut self, hash: u64, key: &[u8], time: i64) {
        let index = self.kept.free.pop().unwrap_or_else(|| {
            self.kept.count += 1;
            self.kept.count - 1
        });
        let first = self.kept.entries.get_mut(index);
        first.key.clear();
        first.key.extend_from_slice(key);
        self.key_bytes += key.len();
        (first.time, first.hash) = (time, hash);
        let entries = &self.kept.entries;
        self.table.insert_unique(hash, index, |index| entry(entries, *index).hash);
    }
}

const PROGRESS: &[Column] = &[("cursor", Type::Word)];

/// By number; without a time it is free.
const ENTRIES: &[Column] = &[("time", Type::Int), ("key", Type::Bytes)];

/// Last freed, last listed.
const FREE: &[Column] = &[("entry", Type::Word)];

impl Saved for Kept {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut progress = out.table("progress", PROGRESS);
        progress.row(&[Cell::Word(self.cursor.into())])?;
        progress.finish()?;
        let mut rows = out.table("entries", ENTRIES);
        for first in self.entries.iter().take(self.count as usize) {
            let time = if first.time == VACANT { Cell::Null } else { Cell::Int(first.time) };
            rows.row(&[time, Cell::Bytes(&first.key)])?;
        }
        rows.finish()?;
        let mut rows = out.table("free", FREE);
        for index in &self.free {
            rows.row(&[Cell::Word((*index).into())])?;
        }
        rows.finish()
    }
}

impl Seen {
    /// Holds on to the state as it is.
    pub(super) fn capture(&self) -> impl Saved + 'static {
        self.kept.clone()
    }

    /// Takes over the state that a snapshot holds. After an error, what is there is of no use.
    pub(super) fn restore(&mut self, section: &Section<'_>) -> Result<(), SnapshotError> {
        *self = Self::new(self.within_us);
        let mut rows = section.table("entries", ENTRIES)?;
        while rows.next_row() {
            let key = rows.bytes(1)?;
            let Some(time) = rows.optional_int(0) else {
                rows.check(key.is_empty(), "an entry has a key and no time")?;
                self.kept.entries.get_mut(self.kept.count);
                self.kept.count += 1;
                continue;
            };
            rows.check(time != VACANT, "no record has that time")?;
            self.insert(xxh3_64_with_seed(key, SEED), key, time);
        }
        let mut is_free = vec![false; self.kept.count as usize];
        let mut rows = section.table("free", FREE)?;
        while rows.next_row() {
            let index: u32 = rows.word(0)?;
            let listed = is_free.get_mut(index as usize);
            let is_new = listed.is_some_and(|listed| !std::mem::replace(listed, true));
            let is_vacant = self.kept.entries.get(index).is_some_and(|f| f.time == VACANT);
            rows.check(is_new && is_vacant, "an entry that is not free")?;
            self.kept.free.push(index);
        }
        let used = self.table.len() + self.kept.free.len();
        rows.check(used == self.kept.count as usize, "a free entry is missing")?;
        let progress = section.single("progress", PROGRESS)?;
        self.kept.cursor = progress.word(0)?;
        let is_swept = self.kept.cursor < self.kept.count.max(1);
        progress.check(is_swept, "the sweep stands behind the last entry")
    }
}

fn entry(entries: &Paged<First>, index: u32) -> &First {
    entries.get(index).expect("an entry in use has a page")
}
