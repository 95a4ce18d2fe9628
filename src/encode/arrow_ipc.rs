//! `arrow_ipc`: an Arrow IPC stream of many vectors per message.

use super::{
    Build, Encode, EncodeInput, Envelope, check_schema,
    column::Column,
    message::{DEFINITION, LATE, PIPELINE, SOURCE, too_large},
};
use crate::{
    batch::{MessageParts, Outbox, Reason, Rejections, Target},
    registry::{Component, Problem},
};
use arrow::{
    array::RecordBatch,
    compute::concat_batches,
    datatypes::{DataType, Schema, SchemaRef},
    ipc::writer::StreamWriter,
};
use std::{io::Write, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "arrow_ipc",
    summary: "Writes up to 512 vectors of a commit as one Arrow IPC stream, schema included.",
    example: "{}",
    details: "The streaming format of Arrow's columns; where messages are cut may differ between \
              two runs, the decoded rows do not. Null and NaN stay apart.",
    state: "none",
    schema: super::no_options,
    build: |input| Ok(Box::new(ArrowIpc::build(input)?)),
};

/// Vectors in a message, at most; a commit ends one too.
const VECTORS_MAX: usize = 512;

/// Bytes by which Arrow may pad a buffer.
const PADDING: usize = 64;

/// Room for the headers' names, offsets and counts.
const HEADERS: usize = 256;

/// Collects vectors by input partition. A message has no key: it goes to the output partition
/// `input partition mod output partitions`. Its timestamp is its last record's; input headers do
/// not pass, since they belong to single records.
#[derive(Debug)]
struct ArrowIpc {
    schema: SchemaRef,
    output_partitions: Option<i32>,
    bytes_max: usize,
    /// Bytes of a message beside its vectors and texts, at most.
    frame_bytes: usize,
    open: Vec<Message>,
    scratch: Vec<u8>,
}

/// Vectors of one input partition that wait for more.
#[derive(Debug)]
struct Message {
    topic: Arc<str>,
    partition: i32,
    pipeline: String,
    definition: String,
    batches: Vec<RecordBatch>,
    vectors: usize,
    /// At most; of the vectors alone.
    bytes: usize,
    first_offset: i64,
    last_offset: i64,
    timestamp_ms: Option<i64>,
    late: usize,
}

impl Message {
    fn new(envelope: &Envelope<'_>) -> Self {
        Self {
            topic: Arc::clone(envelope.raw.topic()),
            partition: envelope.raw.partition(),
            pipeline: envelope.pipeline.to_owned(),
            definition: envelope.definition.to_owned(),
            batches: Vec::new(),
            vectors: 0,
            bytes: 0,
            first_offset: 0,
            last_offset: 0,
            timestamp_ms: None,
            late: 0,
        }
    }

    /// Takes one row in; `vectors` is that row.
    fn take(&mut self, envelope: &Envelope<'_>, row: usize, bytes: usize) {
        let offset = envelope.rows.offsets[row];
        if self.vectors == 0 {
            self.first_offset = offset;
        }
        self.last_offset = offset;
        let record = envelope.raw.record(envelope.rows.records[row] as usize);
        self.timestamp_ms = record.timestamp_ms;
        self.late += usize::from(envelope.rows.late[row]);
        self.vectors += 1;
        self.bytes += bytes;
    }

    fn clear(&mut self) {
        self.batches.clear();
        (self.vectors, self.bytes, self.late) = (0, 0, 0);
    }
}

impl ArrowIpc {
    fn build(input: &EncodeInput<'_>) -> Result<Self, Problem> {
        check_schema(input.schema)?;
        let schema = Arc::clone(input.schema);
        let mut empty = Vec::new();
        write_stream(&RecordBatch::new_empty(Arc::clone(&schema)), &mut empty);
        Ok(Self {
            frame_bytes: empty.len() + PADDING * (buffers(&schema) + 1) + HEADERS,
            output_partitions: input.output_partitions,
            bytes_max: usize::try_from(input.vector_bytes).unwrap_or(usize::MAX),
            schema,
            open: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// The open message of the envelope's partition.
    fn message(&mut self, envelope: &Envelope<'_>) -> Message {
        let same = |m: &Message| {
            m.partition == envelope.raw.partition() && m.topic == *envelope.raw.topic()
        };
        match self.open.iter().position(same) {
            Some(index) => self.open.remove(index),
            None => Message::new(envelope),
        }
    }

    /// Appends the message to the outbox and gives its size.
    fn send(&mut self, message: &mut Message, out: &mut Outbox) -> usize {
        let start = out.bytes_len();
        let batch = concat_batches(&self.schema, &message.batches).expect("vectors of one schema");
        let partition = self.output_partitions.map(|count| message.partition % count);
        let timestamp_ms = message.timestamp_ms;
        let parts = MessageParts { target: Target::Output, partition, key: None, timestamp_ms };
        out.push(parts, |arena| {
            write_stream(&batch, arena);
            true
        });
        out.header(PIPELINE, Some(message.pipeline.as_bytes()));
        out.header(DEFINITION, Some(message.definition.as_bytes()));
        let Message { topic, partition, first_offset, last_offset, .. } = &*message;
        self.header(out, SOURCE, format_args!("{topic}/{partition}/{first_offset}"));
        self.header(out, b"millstream-first-offset", format_args!("{first_offset}"));
        self.header(out, b"millstream-last-offset", format_args!("{last_offset}"));
        self.header(out, b"millstream-vectors", format_args!("{}", message.vectors));
        if message.late > 0 {
            self.header(out, LATE, format_args!("{}", message.late));
        }
        message.clear();
        out.bytes_len() - start
    }

    fn header(&mut self, out: &mut Outbox, name: &[u8], value: std::fmt::Arguments<'_>) {
        self.scratch.clear();
        self.scratch.write_fmt(value).expect("writing to memory");
        out.header(name, Some(&self.scratch));
    }
}

impl Encode for ArrowIpc {
    fn encode(
        &mut self,
        envelope: &Envelope<'_>,
        vectors: &RecordBatch,
        out: &mut Outbox,
        rejected: &mut Rejections,
    ) {
        assert_eq!(vectors.num_rows(), envelope.rows.len(), "one row per vector");
        let columns: Vec<Column<'_>> = vectors.columns().iter().map(Column::new).collect();
        let mut message = self.message(envelope);
        let texts = message.pipeline.len() + message.definition.len() + message.topic.len();
        let room = self.bytes_max.saturating_sub(self.frame_bytes + texts);
        // Rows from `first` on belong to the open message but are not in its batches yet.
        let mut first = 0;
        for row in 0..vectors.num_rows() {
            let bytes = columns.iter().map(|c| c.arrow_bytes(row)).sum::<usize>();
            if message.vectors == VECTORS_MAX || message.bytes + bytes > room {
                if message.vectors > 0 {
                    message.batches.push(vectors.slice(first, row - first));
                    self.send(&mut message, out);
                }
                first = row;
            }
            message.take(envelope, row, bytes);
            if bytes > room {
                // The estimate errs on the large side: only the message itself knows.
                message.batches.push(vectors.slice(row, 1));
                let size = self.send(&mut message, out);
                if size > self.bytes_max {
                    out.pop();
                    let record = envelope.rows.records[row];
                    rejected.push(record, Reason::Encode, too_large(size, self.bytes_max));
                }
                first = row + 1;
            }
        }
        if message.vectors > 0 {
            if first < vectors.num_rows() {
                message.batches.push(vectors.slice(first, vectors.num_rows() - first));
            }
            self.open.push(message);
        }
    }

    fn flush(&mut self, out: &mut Outbox) {
        for mut message in std::mem::take(&mut self.open) {
            self.send(&mut message, out);
        }
    }
}

fn write_stream(batch: &RecordBatch, out: &mut Vec<u8>) {
    let mut writer = StreamWriter::try_new(out, batch.schema_ref()).expect("memory takes it");
    writer.write(batch).and_then(|()| writer.finish()).expect("memory takes it");
}

/// Buffers of a record batch, at most.
fn buffers(schema: &Schema) -> usize {
    fn of(data_type: &DataType) -> usize {
        match data_type {
            DataType::List(item) => 2 + of(item.data_type()),
            DataType::Map(entries, _) => 2 + of(entries.data_type()),
            DataType::Struct(members) => {
                1 + members.iter().map(|f| of(f.data_type())).sum::<usize>()
            }
            DataType::FixedSizeList(item, _) => 1 + of(item.data_type()),
            DataType::Utf8 => 3,
            _ => 2,
        }
    }
    schema.fields().iter().map(|f| of(f.data_type())).sum()
}
