//! Encoded messages of one open commit, in one arena.
//!
//! They are kept until the commit is known to stand: after an ambiguous result they are sent
//! again as they are, the fold is not repeated.

use super::raw::Header;
use std::ops::Range;

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The topic of feature vectors.
    Output,
    /// The topic of rejected records.
    DeadLetter,
    /// The topic of verdicts on expectations.
    Quality,
}

/// A message to write: parts borrowed from wherever they are.
#[derive(Debug, Clone, Copy)]
pub struct MessageParts<'a> {
    /// Where it goes.
    pub target: Target,
    /// An explicit partition, or none to let the key decide.
    pub partition: Option<i32>,
    /// Message key.
    pub key: Option<&'a [u8]>,
    /// Message timestamp in milliseconds.
    pub timestamp_ms: Option<i64>,
}

/// A message, borrowed from its outbox.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Where it goes, under which key, when.
    pub parts: MessageParts<'a>,
    /// Value; none writes a null.
    pub value: Option<&'a [u8]>,
    bytes: &'a [u8],
    headers: &'a [HeaderEntry],
}

impl<'a> Message<'a> {
    /// Headers in the order written.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = Header<'a>> + use<'a> {
        let bytes = self.bytes;
        self.headers.iter().map(move |h| Header {
            name: &bytes[h.name.clone()],
            value: h.value.clone().map(|r| &bytes[r]),
        })
    }
}

#[derive(Debug, Clone)]
struct Entry {
    owner: u64,
    target: Target,
    partition: Option<i32>,
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

/// A text that several headers have, until the outbox is cleared.
#[derive(Debug, Clone)]
pub struct SharedText(Range<usize>);

impl SharedText {
    /// Its bytes.
    pub fn bytes_len(&self) -> usize {
        self.0.len()
    }
}

/// Encoded messages in the order they are to be sent.
#[derive(Debug, Default, Clone)]
pub struct Outbox {
    owner: u64,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    headers: Vec<HeaderEntry>,
}

impl Outbox {
    /// From now on messages belong to `owner`: the assignment of a partition that made them.
    pub fn set_owner(&mut self, owner: u64) {
        self.owner = owner;
    }

    /// Drops the messages of all other owners. Returns how many of the first `sent` are left.
    pub fn retain_owners(&mut self, sent: usize, mut keep: impl FnMut(u64) -> bool) -> usize {
        let (mut index, mut left) = (0, 0);
        self.entries.retain(|entry| {
            let kept = keep(entry.owner);
            left += usize::from(kept && index < sent);
            index += 1;
            kept
        });
        if self.entries.is_empty() {
            self.clear();
        }
        left
    }

    /// Appends a message. `write` appends the value to the arena, or returns false for a null one.
    pub fn push(&mut self, parts: MessageParts<'_>, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let key = parts.key.map(|k| self.append(k));
        let start = self.bytes.len();
        let value = write(&mut self.bytes).then_some(start..self.bytes.len());
        let headers = self.headers.len()..self.headers.len();
        let MessageParts { target, partition, timestamp_ms, .. } = parts;
        let owner = self.owner;
        self.entries.push(Entry { owner, target, partition, timestamp_ms, key, value, headers });
    }

    /// Adds a header to the message that was pushed last.
    pub fn header(&mut self, name: &[u8], value: Option<&[u8]>) {
        let name = self.append(name);
        let value = value.map(|v| self.append(v));
        self.add_header(name, value);
    }

    /// Keeps a text for [`Outbox::shared_header`], once for all messages to come.
    pub fn share(&mut self, text: &[u8]) -> SharedText {
        SharedText(self.append(text))
    }

    /// Adds a header whose name and value are shared to the message that was pushed last.
    pub fn shared_header(&mut self, name: &SharedText, value: &SharedText) {
        self.add_header(name.0.clone(), Some(value.0.clone()));
    }

    /// Adds a header with a shared name to the message that was pushed last; `write` appends its
    /// value to the arena.
    pub fn header_with(&mut self, name: &SharedText, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.add_header(name.0.clone(), Some(start..self.bytes.len()));
    }

    /// Turns the order of the messages from `from` on around: a planted fault.
    pub fn shuffle(&mut self, from: usize) {
        self.entries[from..].reverse();
    }

    /// Takes the last message back.
    pub fn pop(&mut self) {
        if let Some(last) = self.entries.pop() {
            self.headers.truncate(last.headers.start);
        }
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without messages.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes held.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties the outbox and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.headers.clear();
    }

    /// The message at `index`.
    pub fn message(&self, index: usize) -> Message<'_> {
        let entry = &self.entries[index];
        let slice = |range: &Option<Range<usize>>| range.clone().map(|r| &self.bytes[r]);
        Message {
            parts: MessageParts {
                target: entry.target,
                partition: entry.partition,
                key: slice(&entry.key),
                timestamp_ms: entry.timestamp_ms,
            },
            value: slice(&entry.value),
            bytes: &self.bytes,
            headers: &self.headers[entry.headers.clone()],
        }
    }

    /// All messages in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Message<'_>> {
        (0..self.len()).map(|i| self.message(i))
    }

    fn add_header(&mut self, name: Range<usize>, value: Option<Range<usize>>) {
        self.headers.push(HeaderEntry { name, value });
        let last = self.entries.last_mut().expect("a header belongs to a message");
        last.headers.end = self.headers.len();
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_other_owners_leave_and_the_sent_ones_are_counted() {
        let mut outbox = Outbox::default();
        let parts =
            MessageParts { target: Target::Output, partition: None, key: None, timestamp_ms: None };
        for owner in [1, 2, 1, 2, 1] {
            outbox.set_owner(owner);
            outbox.push(parts, |bytes| {
                bytes.push(u8::try_from(owner).unwrap());
                true
            });
            outbox.header(b"h", None);
        }
        assert_eq!(outbox.retain_owners(4, |owner| owner == 1), 2);
        let values: Vec<_> = outbox.iter().map(|message| message.value.unwrap()).collect();
        assert_eq!(values, [[1], [1], [1]]);
        assert!(outbox.iter().all(|message| message.headers().len() == 1));
        assert_eq!(outbox.retain_owners(3, |_| false), 0);
        assert_eq!(outbox.bytes_len(), 0);
    }
}
