//! The records that wait for the watermark, as bytes, in chunks that snapshots share.
//!
//! They come in offset order and leave nearly so. A chunk goes once all of its records have left,
//! and is made anew of the rest once most have, so that what is kept stays in proportion to what
//! waits.

use crate::batch::{RawBatch, RawRecord};
use std::sync::Arc;

/// A chunk is full once its records have this many bytes: what a fold copies at most after a
/// snapshot was taken.
const CHUNK_BYTES: usize = 256 * 1024;

/// Bytes of a record that waits beside its own.
const RECORD_BYTES: usize = 96;

/// Records with their event times, in offset order.
#[derive(Debug, Clone)]
struct Records {
    raw: RawBatch,
    event_times: Vec<i64>,
}

#[derive(Debug, Clone)]
struct Chunk {
    records: Arc<Records>,
    /// Which of them still wait.
    waits: Vec<bool>,
    left: usize,
}

impl Chunk {
    /// Of records of the same log as those of `like`.
    fn new(like: &RawBatch) -> Self {
        let raw = RawBatch::new(Arc::clone(like.topic()), like.partition());
        let records = Arc::new(Records { raw, event_times: Vec::new() });
        Self { records, waits: Vec::new(), left: 0 }
    }

    fn push(&mut self, record: &RawRecord<'_>, event_time: i64) {
        let Records { raw, event_times } = Arc::make_mut(&mut self.records);
        raw.push_released(record);
        event_times.push(event_time);
        self.waits.push(true);
        self.left += 1;
    }

    fn waiting(&self) -> impl Iterator<Item = (RawRecord<'_>, i64)> {
        let Records { raw, event_times } = &*self.records;
        let records = raw.iter().zip(event_times.iter().copied());
        records.zip(&self.waits).filter_map(|(record, waits)| waits.then_some(record))
    }
}

/// All records that wait, in offset order. A copy shares the chunks.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    chunks: Vec<Chunk>,
    len: usize,
    bytes: usize,
}

impl Held {
    /// Adds a record of a higher offset than all before; `log` is a batch of its log.
    pub(super) fn push(&mut self, record: &RawRecord<'_>, event_time: i64, log: &RawBatch) {
        let is_full = |chunk: &Chunk| chunk.records.raw.bytes_len() >= CHUNK_BYTES;
        if self.chunks.last().is_none_or(is_full) {
            self.chunks.push(Chunk::new(log));
        }
        self.chunks.last_mut().expect("there is one").push(record, event_time);
        self.len += 1;
        self.bytes += record.size() + RECORD_BYTES;
    }

    /// Appends the record of that offset, which waits, to `out`, and lets it go.
    pub(super) fn release(&mut self, offset: i64, out: &mut RawBatch) {
        let begins_behind = |chunk: &Chunk| chunk.records.raw.offset(0) <= offset;
        let chunk = self.chunks.partition_point(begins_behind).checked_sub(1);
        let chunk = &mut self.chunks[chunk.expect("it waits in a chunk")];
        let index = chunk.records.raw.index_of(offset).expect("it waits in this chunk");
        assert!(std::mem::take(&mut chunk.waits[index]), "a record leaves once");
        let record = chunk.records.raw.record(index);
        out.push_released(&record);
        chunk.left -= 1;
        self.len -= 1;
        self.bytes -= record.size() + RECORD_BYTES;
    }

    /// Gives back what those that left have taken.
    pub(super) fn tidy(&mut self) {
        self.chunks.retain(|chunk| chunk.left > 0);
        let sealed = self.chunks.len().saturating_sub(1);
        for chunk in &mut self.chunks[..sealed] {
            if chunk.left * 2 < chunk.waits.len() {
                let mut rest = Chunk::new(&chunk.records.raw);
                chunk.waiting().for_each(|(record, time)| rest.push(&record, time));
                *chunk = rest;
            }
        }
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the records and of what finds them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The records with their event times, in offset order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RawRecord<'_>, i64)> {
        self.chunks.iter().flat_map(Chunk::waiting)
    }

    /// The lowest offset.
    pub(super) fn lowest(&self) -> Option<i64> {
        self.iter().next().map(|(record, _)| record.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Records come, leave in any order, and a copy keeps what there was.
        #[test]
        fn what_waits_is_a_map_by_offset(
            steps in prop::collection::vec((0..3_000_usize, any::<prop::sample::Index>()), 1..600),
        ) {
            let log = RawBatch::new("t".into(), 3);
            let (mut held, mut naive) = (Held::default(), BTreeMap::new());
            let (mut copy, mut before) = (held.clone(), Vec::new());
            let show = |held: &Held| -> Vec<_> {
                held.iter().map(|(r, t)| (r.offset, t, r.value.unwrap().to_vec())).collect()
            };
            for (offset, (size, which)) in (0_i64..).zip(steps) {
                let value = vec![u8::try_from(size % 251).unwrap(); size];
                let mut one = RawBatch::new("t".into(), 3);
                one.push(offset * 3, None, None, Some(&value));
                one.header(b"h", None);
                held.push(&one.record(0), offset % 7, &log);
                naive.insert(offset * 3, (offset % 7, value));
                if size % 3 > 0 {
                    let leaves = *naive.keys().nth(which.index(naive.len())).unwrap();
                    let mut out = RawBatch::new("t".into(), 3);
                    held.release(leaves, &mut out);
                    let (_, value) = naive.remove(&leaves).unwrap();
                    prop_assert_eq!(out.record(0).value, Some(value.as_slice()));
                    prop_assert!(out.record(0).headers.last(b"h").is_some());
                }
                if size % 5 == 0 {
                    held.tidy();
                }
                if size % 50 == 0 {
                    prop_assert_eq!(show(&copy), before);
                    (copy, before) = (held.clone(), show(&held));
                }
            }
            held.tidy();
            let expected: Vec<_> = naive.into_iter().map(|(o, (t, v))| (o, t, v)).collect();
            prop_assert_eq!(&show(&held), &expected);
            prop_assert_eq!(held.len(), expected.len());
            let bytes: usize = expected.iter().map(|(_, _, v)| v.len() + 1 + RECORD_BYTES).sum();
            prop_assert_eq!(held.bytes(), bytes);
            prop_assert_eq!(held.lowest(), expected.first().map(|(o, _, _)| *o));
        }
    }
}
