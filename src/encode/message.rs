//! What every message of one vector carries: key, timestamp, headers; and its limit.

use super::{EncodeInput, Envelope, column::Column};
use crate::batch::{MessageParts, Outbox, RawRecord, Reason, Rejections, Target};
use std::io::Write;

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
    /// Text of a key or a header while it is put together.
    scratch: Vec<u8>,
}

impl Messages {
    pub(super) fn new(input: &EncodeInput<'_>) -> Self {
        Self {
            entity: input.entity.to_vec(),
            pass_through: input.pass_through.clone(),
            bytes_max: usize::try_from(input.vector_bytes).unwrap_or(usize::MAX),
            scratch: Vec::new(),
        }
    }

    /// Appends a message per vector; `write` appends the value of a row.
    pub(super) fn push_all(
        &mut self,
        envelope: &Envelope<'_>,
        out: &mut Outbox,
        rejected: &mut Rejections,
        write: impl Fn(usize, &mut Vec<u8>),
    ) {
        let rows = envelope.rows;
        let entity: Vec<Column<'_>> =
            self.entity.iter().map(|index| Column::new(rows.columns.column(*index))).collect();
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
            self.headers(envelope, &record, rows.late[row], out);
            let bytes = out.bytes_len() - start;
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
        self.scratch.clear();
        for (index, column) in entity.iter().enumerate() {
            if index > 0 {
                self.scratch.push(b'|');
            }
            column.write_text(row, &mut self.scratch);
        }
        Some(&self.scratch)
    }

    /// Input headers first: whoever reads the last header of a name reads this pipeline's.
    fn headers(
        &mut self,
        envelope: &Envelope<'_>,
        record: &RawRecord<'_>,
        late: bool,
        out: &mut Outbox,
    ) {
        for header in record.headers.iter().filter(|h| self.pass_through.takes(h.name)) {
            out.header(header.name, header.value);
        }
        out.header(PIPELINE, Some(envelope.pipeline.as_bytes()));
        out.header(DEFINITION, Some(envelope.definition.as_bytes()));
        self.scratch.clear();
        let (topic, partition) = (envelope.raw.topic(), envelope.raw.partition());
        write!(self.scratch, "{topic}/{partition}/{}", record.offset).expect("writing to memory");
        out.header(SOURCE, Some(&self.scratch));
        if late {
            out.header(LATE, Some(b"1"));
        }
    }
}

/// The detail of an `encode` rejection.
pub(super) fn too_large(bytes: usize, bytes_max: usize) -> String {
    format!(
        "the vector's key, value and headers have {bytes} bytes; expected at most {bytes_max}, \
         limits.vector_bytes"
    )
}
