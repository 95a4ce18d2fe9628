//! Records as consumed: bytes in one arena, no allocation per record once it has grown.

use std::{ops::Range, sync::Arc};

/// Raw records of one (topic, partition), in offset order; those that were held until the watermark
/// had passed, in the order in which they leave.
#[derive(Debug, Clone)]
pub struct RawBatch {
    topic: Arc<str>,
    partition: i32,
    bytes: Vec<u8>,
    records: Vec<Entry>,
    headers: Vec<HeaderEntry>,
}

#[derive(Debug, Clone)]
struct Entry {
    offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    headers: Range<usize>,
}

#[derive(Debug, Clone)]
struct HeaderEntry {
    name: Range<usize>,
    value: Option<Range<usize>>,
}

/// One header. The name is bytes: nothing promises that it is UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Name as sent.
    pub name: &'a [u8],
    /// Value as sent; null is not empty.
    pub value: Option<&'a [u8]>,
}

/// A record, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    /// Offset in the partition.
    pub offset: i64,
    /// Kafka timestamp in milliseconds, if the record has one.
    pub timestamp_ms: Option<i64>,
    /// Record key.
    pub key: Option<&'a [u8]>,
    /// Record value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers in the order sent, duplicates included.
    pub headers: Headers<'a>,
}

impl RawRecord<'_> {
    /// Bytes of key, value and headers: what `limits.record_bytes` counts.
    pub fn size(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|h| h.name.len() + h.value.map_or(0, <[u8]>::len)).sum();
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + headers
    }
}

/// The headers of one record.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    entries: &'a [HeaderEntry],
}

impl<'a> Headers<'a> {
    /// The headers in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let bytes = self.bytes;
        self.entries.iter().map(move |e| Header {
            name: &bytes[e.name.clone()],
            value: e.value.clone().map(|r| &bytes[r]),
        })
    }

    /// The last header of that name, as Kafka's `lastHeader` does.
    pub fn last(&self, name: &[u8]) -> Option<Header<'a>> {
        self.iter().filter(|h| h.name == name).last()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl RawBatch {
    /// An empty batch of that partition.
    pub fn new(topic: Arc<str>, partition: i32) -> Self {
        Self { topic, partition, bytes: Vec::new(), records: Vec::new(), headers: Vec::new() }
    }

    /// Topic of all records.
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// Partition of all records.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True without records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes held.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
        self.headers.clear();
    }

    /// Appends a record without headers; its offset must be higher than the last one's.
    pub fn push(
        &mut self,
        offset: i64,
        timestamp_ms: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        assert!(self.records.last().is_none_or(|r| r.offset < offset), "offsets only grow");
        self.append_record(offset, timestamp_ms, key, value);
    }

    /// Appends a copy of a record of whatever offset, headers included: the order of this batch is
    /// that in which records leave.
    pub fn push_released(&mut self, record: &RawRecord<'_>) {
        self.append_record(record.offset, record.timestamp_ms, record.key, record.value);
        for header in record.headers.iter() {
            self.header(header.name, header.value);
        }
    }

    fn append_record(
        &mut self,
        offset: i64,
        timestamp_ms: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        let key = key.map(|k| self.append(k));
        let value = value.map(|v| self.append(v));
        let headers = self.headers.len()..self.headers.len();
        self.records.push(Entry { offset, timestamp_ms, key, value, headers });
    }

    /// Adds a header to the record that was pushed last.
    pub fn header(&mut self, name: &[u8], value: Option<&[u8]>) {
        let name = self.append(name);
        let value = value.map(|v| self.append(v));
        self.headers.push(HeaderEntry { name, value });
        let last = self.records.last_mut().expect("a header belongs to a record");
        last.headers.end = self.headers.len();
    }

    /// Takes the records at and after `offset` out into a batch of their own.
    #[must_use]
    pub fn split_off(&mut self, offset: i64) -> Self {
        let at = self.records.partition_point(|r| r.offset < offset);
        let mut tail = Self::new(Arc::clone(&self.topic), self.partition);
        for index in at..self.len() {
            tail.push_released(&self.record(index));
        }
        self.records.truncate(at);
        tail
    }

    /// Drops the records whose offsets are not to be kept.
    pub fn retain_offsets(&mut self, mut keep: impl FnMut(i64) -> bool) {
        self.records.retain(|record| keep(record.offset));
    }

    /// The record at `index`.
    pub fn record(&self, index: usize) -> RawRecord<'_> {
        let entry = &self.records[index];
        RawRecord {
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms,
            key: entry.key.clone().map(|r| &self.bytes[r]),
            value: entry.value.clone().map(|r| &self.bytes[r]),
            headers: Headers { bytes: &self.bytes, entries: &self.headers[entry.headers.clone()] },
        }
    }

    /// The offset of the record at `index`.
    pub fn offset(&self, index: usize) -> i64 {
        self.records[index].offset
    }

    /// The index of the record with that offset; the batch is in offset order.
    pub fn index_of(&self, offset: i64) -> Option<usize> {
        self.records.binary_search_by_key(&offset, |record| record.offset).ok()
    }

    /// The Kafka timestamp of the record at `index`, in milliseconds.
    pub fn timestamp_ms(&self, index: usize) -> Option<i64> {
        self.records[index].timestamp_ms
    }

    /// The key of the record at `index`.
    pub fn key(&self, index: usize) -> Option<&[u8]> {
        self.records[index].key.clone().map(|r| &self.bytes[r])
    }

    /// All records in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RawRecord<'_>> {
        (0..self.len()).map(|i| self.record(i))
    }

    /// Offset of the first and the last record.
    pub fn offsets(&self) -> Option<(i64, i64)> {
        Some((self.records.first()?.offset, self.records.last()?.offset))
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}
