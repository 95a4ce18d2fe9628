//! What every message of one vector carries: key, timestamp, headers; and its limit.

use super::{EncodeInput, Envelope, column::Column, line::Line};
use crate::batch::{MessageParts, Outbox, RawRecord, Reason, Rejections, SharedText, Target};

/// Which headers of the input record its vector carries. `traceparent` always goes out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PassThrough {
    /// `traceparent` alone.
    #[default]
    Trace,
    /// These names.
    Named(Vec<String>),
    /// All.
    All,
}

impl PassThrough {
    fn takes(&self, name: &[u8]) -> bool {
        name == b"traceparent"
            || match self {
                Self::Trace => false,
                Self::Named(names) => names.iter().any(|n| n.as_bytes() == name),
                Self::All => true,
            }
    }
}

/// Names of the headers on vectors.
pub(super) const PIPELINE: &[u8] = b"millstream-pipeline";
pub(super) const DEFINITION: &[u8] = b"millstream-definition";
pub(super) const SOURCE: &[u8] = b"millstream-source";
pub(super) const LATE: &[u8] = b"millstream-late";

/// Puts a vector's value into a message.
#[derive(Debug)]
pub(super) struct Messages {
    entity: Vec<usize>,
    pass_through: PassThrough,
    bytes_max: usize,
    /// Room for a key's text.
    room: Vec<u8>,
}

impl Messages {
    pub(super) fn new(input: &EncodeInput<'_>) -> Self {
        Self {
            entity: input.entity.to_vec(),
            pass_through: input.pass_through.clone(),
            bytes_max: usize::try_from(input.vector_bytes).unwrap_or(usize::MAX),
            room: Vec::new(),
        }
    }

    /// Appends a message per vector; `write` appends the value of a row.
    pub(super) fn push_all(
        &mut self,
        envelope: &Envelope<'_>,
        out: &mut Outbox,
        rejected: &mut Rejections,
        mut write: impl FnMut(usize, &mut Vec<u8>),
    ) {
        let rows = envelope.rows;
        if rows.is_empty() {
            return;
        }
        let entity: Vec<Column<'_>> =
            self.entity.iter().map(|index| Column::new(rows.columns.column(*index))).collect();
        let own = OwnHeaders::new(envelope, out);
        for (row, index) in rows.records.iter().enumerate() {
            let record = envelope.raw.record(*index as usize);
            let start = out.bytes_len();
            let parts = MessageParts {
                target: Target::Output,
                partition: None,
                key: self.key(&record, &entity, row),
                timestamp_ms: record.timestamp_ms,
            };
            out.push(parts, |arena| {
                write(row, arena);
                true
            });
            // Input headers first: whoever reads the last header of a name reads this pipeline's.
            for header in record.headers.iter().filter(|h| self.pass_through.takes(h.name)) {
                out.header(header.name, header.value);
            }
            let shared = own.add(record.offset, rows.late[row], out);
            let bytes = out.bytes_len() - start + shared;
            if bytes > self.bytes_max {
                out.pop();
                rejected.push(*index, Reason::Encode, too_large(bytes, self.bytes_max));
            }
        }
    }

    /// The record's key, or the entity's text where there is none.
    fn key<'k>(
        &'k mut self,
        record: &RawRecord<'k>,
        entity: &[Column<'_>],
        row: usize,
    ) -> Option<&'k [u8]> {
        if record.key.is_some() || entity.is_empty() {
            return record.key;
        }
        Some(Line::write(&mut self.room, |line| {
            for (index, column) in entity.iter().enumerate() {
                if index > 0 {
                    line.push(b'|');
                }
                column.write_text(row, line);
            }
        }))
    }
}

/// The pipeline's own headers on the vectors of a batch: what they have in common is there once.
struct OwnHeaders {
    pipeline: [SharedText; 2],
    definition: [SharedText; 2],
    source: SharedText,
    late: [SharedText; 2],
    /// `topic/partition/`, before the offset.
    log: Vec<u8>,
    /// Bytes that a message has in shared texts, beside those of the header for a late one.
    bytes: usize,
}

impl OwnHeaders {
    fn new(envelope: &Envelope<'_>, out: &mut Outbox) -> Self {
        let mut share = |text: &[u8]| out.share(text);
        let pipeline = [share(PIPELINE), share(envelope.pipeline.as_bytes())];
        let definition = [share(DEFINITION), share(envelope.definition.as_bytes())];
        let (source, late) = (share(SOURCE), [share(LATE), share(b"1")]);
        let (topic, partition) = (envelope.raw.topic(), envelope.raw.partition());
        let log = format!("{topic}/{partition}/").into_bytes();
        let shared = pipeline.iter().chain(&definition).chain([&source]);
        let bytes = shared.map(SharedText::bytes_len).sum();
        Self { pipeline, definition, source, late, log, bytes }
    }

    /// Adds them to the message that was pushed last, and gives the bytes of those that are shared.
    fn add(&self, offset: i64, is_late: bool, out: &mut Outbox) -> usize {
        let [name, value] = &self.pipeline;
        out.shared_header(name, value);
        let [name, value] = &self.definition;
        out.shared_header(name, value);
        out.header_with(&self.source, |arena| {
            arena.extend_from_slice(&self.log);
            serde_json::to_writer(arena, &offset).expect("a number is JSON and memory takes it");
        });
        if !is_late {
            return self.bytes;
        }
        let [name, value] = &self.late;
        out.shared_header(name, value);
        self.bytes + name.bytes_len() + value.bytes_len()
    }
}

/// The detail of an `encode` rejection.
pub(super) fn too_large(bytes: usize, bytes_max: usize) -> String {
    format!(
        "the vector's key, value and headers have {bytes} bytes; expected at most {bytes_max}, \
         limits.vector_bytes"
    )
}
