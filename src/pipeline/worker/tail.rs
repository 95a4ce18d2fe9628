//! Whether the log is still the one that was folded.
//!
//! A log that was cut (an unclean leader election, a broker restored from a copy) and written on has
//! other records at offsets that were folded, while its topic id and its ends tell nothing. So each
//! commit names the newest record that was folded, and who takes the partition reads that record
//! first, in the same fetch as those behind it.

use crate::batch::{RawBatch, RawRecord};
use std::{fmt, str::FromStr};
use xxhash_rust::xxh3::Xxh3;

/// A record to know a log by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) offset: i64,
    /// XXH3 of timestamp, key and value.
    fingerprint: u64,
}

impl Tail {
    pub(super) fn of(record: &RawRecord<'_>) -> Self {
        let mut hash = Xxh3::new();
        hash.update(&record.timestamp_ms.unwrap_or(i64::MIN).to_le_bytes());
        for part in [record.key, record.value] {
            let length = part.map_or(-1, |part| i64::try_from(part.len()).unwrap_or(i64::MAX));
            hash.update(&length.to_le_bytes());
            hash.update(part.unwrap_or_default());
        }
        Self { offset: record.offset, fingerprint: hash.digest() }
    }

    /// Whether the record stands where it stood, in a batch that nothing between them is missing
    /// from; none if the batch ends before it.
    pub(super) fn is_in(&self, batch: &RawBatch) -> Option<bool> {
        let at = batch.iter().find(|record| record.offset >= self.offset)?;
        Some(Self::of(&at) == *self)
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.offset, self.fingerprint)
    }
}

impl FromStr for Tail {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (offset, fingerprint) = text.split_once(':').ok_or(())?;
        Ok(Self {
            offset: offset.parse().map_err(drop)?,
            fingerprint: u64::from_str_radix(fingerprint, 16).map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (Option<i64>, Option<&'a [u8]>, Option<&'a [u8]>);

    fn batch(records: &[(i64, Parts<'_>)]) -> RawBatch {
        let mut batch = RawBatch::new("t".into(), 0);
        for (offset, (timestamp, key, value)) in records {
            batch.push(*offset, *timestamp, *key, *value);
        }
        batch
    }

    const RECORD: Parts<'static> = (Some(5), Some(b"ab"), Some(b"c"));

    #[test]
    fn a_record_is_known_by_all_of_its_parts() {
        let tail = Tail::of(&batch(&[(7, RECORD)]).record(0));
        assert_eq!(tail.to_string().parse(), Ok(tail));
        assert_eq!(tail.is_in(&batch(&[(6, RECORD), (7, RECORD), (8, RECORD)])), Some(true));
        let others: [Parts<'_>; 6] = [
            (None, Some(b"ab"), Some(b"c")),
            (Some(6), Some(b"ab"), Some(b"c")),
            (Some(5), Some(b"a"), Some(b"bc")),
            (Some(5), None, Some(b"c")),
            (Some(5), Some(b"ab"), Some(b"")),
            (Some(5), Some(b"ab"), None),
        ];
        for other in others {
            assert_eq!(tail.is_in(&batch(&[(7, other)])), Some(false), "{other:?}");
        }
    }

    #[test]
    fn one_that_is_passed_over_is_gone_and_one_ahead_is_not_known_yet() {
        let tail = Tail::of(&batch(&[(7, RECORD)]).record(0));
        assert_eq!(tail.is_in(&batch(&[(8, RECORD)])), Some(false));
        assert_eq!(tail.is_in(&batch(&[(5, RECORD), (6, RECORD)])), None);
        assert_eq!(tail.is_in(&batch(&[])), None);
    }
}
