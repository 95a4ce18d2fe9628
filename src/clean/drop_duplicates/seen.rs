//! The first records that are still remembered.

use crate::state::Paged;
use hashbrown::HashTable;
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
    /// Kept when the entry is freed, so that the next key needs no allocation.
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
    entries: Paged<First>,
    count: u32,
    free: Vec<u32>,
    cursor: u32,
    key_bytes: usize,
}

impl Seen {
    pub(super) fn new(within_us: i64) -> Self {
        Self {
            within_us,
            table: HashTable::new(),
            entries: Paged::default(),
            count: 0,
            free: Vec::new(),
            cursor: 0,
            key_bytes: 0,
        }
    }

    /// True if no first record of `key` within the time is remembered at `watermark`; the record
    /// is then one itself.
    pub(super) fn is_first(&mut self, key: &[u8], time: i64, watermark: i64) -> bool {
        let hash = xxh3_64_with_seed(key, SEED);
        let duplicate = self.table.iter_hash(hash).any(|index| {
            let first = entry(&self.entries, *index);
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
        for _ in 0..SWEPT_PER_RECORD.min(self.count) {
            self.cursor = if self.cursor + 1 < self.count { self.cursor + 1 } else { 0 };
            let First { time, hash, .. } = *entry(&self.entries, self.cursor);
            if time != VACANT && self.is_past(time, watermark) {
                let found = self.table.find_entry(hash, |index| *index == self.cursor);
                found.expect("a remembered record is in the table").remove();
                self.entries.get_mut(self.cursor).time = VACANT;
                self.free.push(self.cursor);
            }
        }
    }

    /// Bytes held, without what the allocator adds.
    pub(super) fn bytes(&self) -> usize {
        let per_entry = size_of::<First>() + size_of::<u32>();
        self.table.allocation_size() + self.count as usize * per_entry + self.key_bytes
    }

    fn is_past(&self, time: i64, watermark: i64) -> bool {
        watermark > time.saturating_add(self.within_us)
    }

    fn insert(&mut self, hash: u64, key: &[u8], time: i64) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        let first = self.entries.get_mut(index);
        self.key_bytes -= first.key.capacity();
        first.key.clear();
        first.key.extend_from_slice(key);
        self.key_bytes += first.key.capacity();
        (first.time, first.hash) = (time, hash);
        let entries = &self.entries;
        self.table.insert_unique(hash, index, |index| entry(entries, *index).hash);
    }
}

fn entry(entries: &Paged<First>, index: u32) -> &First {
    entries.get(index).expect("an entry in use has a page")
}
