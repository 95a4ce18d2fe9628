//! The first records that are still remembered, by a few bits of each, in memory of a fixed size.
//!
//! A record has two buckets of eight entries and goes into the one with more room; an entry is an
//! event time and 32 bits of a hash. Another record is taken for it only if one of the sixteen
//! entries that it looks at has the same 32 bits: at most 16 / 2^32, fewer than four in a billion.
//! Where both buckets are full the oldest first record is forgotten, so that its repetitions pass.

use crate::state::{
    Paged,
    snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
};
use std::io;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Part of the state: another seed would lay the buckets out differently.
const SEED: u64 = 0x6475_706c_6963_6174;

const ENTRIES: usize = 8;

/// Records that a bucket is meant for: with two to choose from, one of eight is then next to never
/// full.
const MEANT: u64 = 5;

/// Most records that can be asked for: 40 GB.
pub(super) const RECORDS_MAX: u64 = 2_000_000_000;

/// Event time of an entry that is free; event times begin at the year 1.
const VACANT: i64 = i64::MIN;

/// Entries side by side: 96 bytes.
#[derive(Debug, Clone)]
struct Bucket {
    times: [i64; ENTRIES],
    prints: [u32; ENTRIES],
}

impl Default for Bucket {
    fn default() -> Self {
        Self { times: [VACANT; ENTRIES], prints: [0; ENTRIES] }
    }
}

/// First records for `within` microseconds.
#[derive(Debug)]
pub(super) struct Prints {
    within_us: i64,
    count: u32,
    buckets: Paged<Bucket>,
}

impl Prints {
    /// Room for so many records at a time.
    pub(super) fn new(within_us: i64, records: u64) -> Self {
        let count = u32::try_from(records.div_ceil(MEANT).max(1)).expect("below `RECORDS_MAX`");
        Self { within_us, count, buckets: Paged::default() }
    }

    /// True if no first record like `key` within the time is remembered at `watermark`; the record
    /// is then one itself.
    pub(super) fn is_first(&mut self, key: &[u8], time: i64, watermark: i64) -> bool {
        let (print, places) = self.places(key);
        let duplicate = places.iter().any(|place| {
            self.buckets.get(*place).is_some_and(|bucket| {
                bucket.times.iter().zip(&bucket.prints).any(|(first, other)| {
                    *other == print
                        && first.abs_diff(time) <= self.within_us.unsigned_abs()
                        && !self.is_past(*first, watermark)
                })
            })
        });
        // A kept late record can be too old to be remembered at all.
        if !duplicate && !self.is_past(time, watermark) {
            self.insert(print, places, time, watermark);
        }
        !duplicate
    }

    /// What is kept of a record, and the buckets it can lie in.
    #[expect(clippy::cast_possible_truncation, reason = "each takes 32 bits of the hash")]
    fn places(&self, key: &[u8]) -> (u32, [u32; 2]) {
        let hash = xxh3_128_with_seed(key, SEED);
        let place = |bits: u32| ((u64::from(bits) * u64::from(self.count)) >> 32) as u32;
        ((hash >> 64) as u32, [place(hash as u32), place((hash >> 32) as u32)])
    }

    fn insert(&mut self, print: u32, places: [u32; 2], time: i64, watermark: i64) {
        // Where the oldest lies: what is past or free is older than anything.
        let age = |time: i64| if self.is_past(time, watermark) { VACANT } else { time };
        let oldest = |place: u32| {
            let empty = [VACANT; ENTRIES];
            let times = self.buckets.get(place).map_or(&empty, |bucket| &bucket.times);
            let free = times.iter().filter(|time| age(**time) == VACANT).count();
            let (index, first) =
                (0..).zip(times).min_by_key(|(_, time)| age(**time)).expect("eight entries");
            (free, age(*first), place, index)
        };
        let [one, other] = places.map(oldest);
        let roomier =
            if other.0 > one.0 || (other.0 == one.0 && other.1 < one.1) { other } else { one };
        let (_, first, place, index): (_, _, u32, usize) = roomier;
        if first <= time {
            let bucket = self.buckets.get_mut(place);
            (bucket.times[index], bucket.prints[index]) = (time, print);
        }
    }

    fn is_past(&self, time: i64, watermark: i64) -> bool {
        watermark > time.saturating_add(self.within_us)
    }

    /// Bytes of all buckets.
    pub(super) fn bytes(&self) -> usize {
        self.count as usize * size_of::<Bucket>()
    }

    /// Holds on to the state as it is.
    pub(super) fn capture(&self) -> impl Saved + 'static {
        SavedPrints { count: self.count, buckets: self.buckets.clone() }
    }

    /// Takes over the state that a snapshot holds. After an error, what is there is of no use.
    pub(super) fn restore(&mut self, section: &Section<'_>) -> Result<(), SnapshotError> {
        self.buckets = Paged::default();
        let mut rows = section.table("prints", PRINTS)?;
        let mut next = 0_u64;
        while rows.next_row() {
            let (entry, time): (u64, _) = (rows.word(0)?, rows.int(1)?);
            let end = u64::from(self.count) * ENTRIES as u64;
            rows.check(next <= entry && entry < end, "entries out of order or of no bucket")?;
            rows.check(time != VACANT, "no record has that time")?;
            next = entry + 1;
            let (bucket, index) = (entry / ENTRIES as u64, entry % ENTRIES as u64);
            let bucket = self.buckets.get_mut(u32::try_from(bucket).expect("below the count"));
            let index = usize::try_from(index).expect("below eight");
            (bucket.times[index], bucket.prints[index]) = (time, rows.word(2)?);
        }
        Ok(())
    }
}

/// By number of the entry; those that are free are left out.
const PRINTS: &[Column] = &[("entry", Type::Word), ("time", Type::Int), ("print", Type::Word)];

/// Buckets as they were.
struct SavedPrints {
    count: u32,
    buckets: Paged<Bucket>,
}

impl Saved for SavedPrints {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("prints", PRINTS);
        let entries = self
            .buckets
            .iter()
            .take(self.count as usize)
            .flat_map(|bucket| bucket.times.iter().zip(&bucket.prints));
        for (entry, (time, print)) in (0..).zip(entries).filter(|(_, (time, _))| **time != VACANT) {
            rows.row(&[Cell::Word(entry), Cell::Int(*time), Cell::Word((*print).into())])?;
        }
        rows.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn as_many_records_as_asked_for_are_remembered() {
        const RECORDS: u64 = 100_000;
        let mut prints = Prints::new(1_000_000, RECORDS);
        for i in 0..RECORDS {
            assert!(prints.is_first(&i.to_le_bytes(), 5, 0), "{i} is the first of its kind");
        }
        let forgotten = (0..RECORDS).filter(|i| prints.is_first(&i.to_le_bytes(), 5, 0)).count();
        assert_eq!(forgotten, 0);
        assert_eq!(prints.bytes(), 20_000 * 96);
    }

    #[test]
    fn beyond_that_the_oldest_are_forgotten() {
        let mut prints = Prints::new(1_000_000, 1_000);
        for i in 0..10_000_i64 {
            assert!(prints.is_first(&i.to_le_bytes(), i, 0));
        }
        let known: HashSet<i64> =
            (0..10_000_i64).filter(|i| !prints.is_first(&i.to_le_bytes(), -1, 0)).collect();
        assert!((1_200..=1_600).contains(&known.len()), "{}", known.len());
        let newest = (9_000..10_000).filter(|i| known.contains(i)).count();
        assert!(newest > 850, "{newest}");
        assert!(!prints.is_first(&9_999_i64.to_le_bytes(), 10_500, 0));
    }
}
