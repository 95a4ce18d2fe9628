//! What Kafka says about a record, as columns.

use crate::{batch::RawBatch, registry::Problem};
use arrow::{
    array::{
        ArrayRef, Int32Array, Int64Array, StringArray, StringBuilder, TimestampMillisecondArray,
    },
    buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Field, FieldRef, SchemaRef, TimeUnit},
};
use std::sync::Arc;

/// Prefix of a header's column.
const HEADER_PREFIX: &str = "kafka_header_";

/// Appends the metadata columns.
#[derive(Debug)]
pub(super) struct Metadata {
    headers: Vec<String>,
    timestamp: DataType,
    /// The two columns that say the same in every row, as long as the longest batch so far.
    constant: Option<Constant>,
}

#[derive(Debug)]
struct Constant {
    topic: Arc<str>,
    topics: ArrayRef,
    partition: i32,
    partitions: ArrayRef,
}

impl Metadata {
    pub(super) fn new(headers: &[String]) -> Self {
        let timestamp = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        Self { headers: headers.to_vec(), timestamp, constant: None }
    }

    /// The fields, after those of `schema`.
    pub(super) fn fields(&self, schema: &SchemaRef) -> Result<Vec<FieldRef>, Problem> {
        let mut fields = schema.fields().to_vec();
        let mut add = |name: &str, data_type: DataType, nullable: bool| {
            if fields.iter().any(|f| f.name() == name) {
                let what = format!("the column `{name}` holds what Kafka says about a record");
                return Err(Problem::nowhere(what).expected("another name, or the header once"));
            }
            fields.push(Arc::new(Field::new(name, data_type, nullable)));
            Ok(())
        };
        add("kafka_topic", DataType::Utf8, false)?;
        add("kafka_partition", DataType::Int32, false)?;
        add("kafka_offset", DataType::Int64, false)?;
        add("kafka_timestamp", self.timestamp.clone(), true)?;
        add("kafka_key", DataType::Utf8, true)?;
        for header in &self.headers {
            add(&format!("{HEADER_PREFIX}{header}"), DataType::Utf8, true)?;
        }
        Ok(fields)
    }

    /// Appends the columns of the rows that `records` names.
    pub(super) fn append(&mut self, raw: &RawBatch, records: &[u32], columns: &mut Vec<ArrayRef>) {
        let constant = self.constant(raw, records.len());
        columns.push(constant.topics.slice(0, records.len()));
        columns.push(constant.partitions.slice(0, records.len()));
        let indexes = || records.iter().map(|record| *record as usize);
        let offsets: Vec<i64> = indexes().map(|index| raw.offset(index)).collect();
        columns.push(Arc::new(Int64Array::new(ScalarBuffer::from(offsets), None)));
        columns.push(self.timestamps(raw, records));
        let keys = || indexes().map(|index| raw.key(index));
        let key_bytes = keys().map(|key| key.map_or(0, <[u8]>::len)).sum();
        columns.push(texts(keys(), records.len(), key_bytes));
        for header in &self.headers {
            let last = |index| raw.record(index).headers.last(header.as_bytes());
            let values = indexes().map(|index| last(index).and_then(|header| header.value));
            columns.push(texts(values, records.len(), 0));
        }
    }

    fn timestamps(&self, raw: &RawBatch, records: &[u32]) -> ArrayRef {
        let of = |record: &u32| raw.timestamp_ms(*record as usize);
        let mut missing = false;
        let or_zero = |record: &u32| {
            let time = of(record);
            missing |= time.is_none();
            time.unwrap_or_default()
        };
        let values: Vec<i64> = records.iter().map(or_zero).collect();
        let nulls =
            missing.then(|| records.iter().map(|r| of(r).is_some()).collect::<NullBuffer>());
        let array = TimestampMillisecondArray::new(ScalarBuffer::from(values), nulls);
        Arc::new(array.with_data_type(self.timestamp.clone()))
    }

    fn constant(&mut self, raw: &RawBatch, rows: usize) -> &Constant {
        let fits = self.constant.as_ref().is_some_and(|c| {
            c.topics.len() >= rows && c.topic == *raw.topic() && c.partition == raw.partition()
        });
        if !fits {
            let topics = std::iter::repeat_n(raw.topic().as_ref(), rows);
            self.constant = Some(Constant {
                topic: Arc::clone(raw.topic()),
                topics: Arc::new(StringArray::from_iter_values(topics)),
                partition: raw.partition(),
                partitions: Arc::new(Int32Array::from_value(raw.partition(), rows)),
            });
        }
        self.constant.as_ref().expect("it was just made")
    }
}

/// Bytes as text; null where they are none or not UTF-8.
fn texts<'a>(
    values: impl Iterator<Item = Option<&'a [u8]>> + Clone,
    rows: usize,
    bytes: usize,
) -> ArrayRef {
    if let Some(texts) = joined(values.clone(), rows, bytes) {
        return Arc::new(texts);
    }
    let mut texts = StringBuilder::with_capacity(rows, bytes);
    for value in values {
        texts.append_option(value.and_then(|v| simdutf8::basic::from_utf8(v).ok()));
    }
    Arc::new(texts.finish())
}

/// The values end to end, if every one is text: the array looks at all of them at once.
fn joined<'a>(
    values: impl Iterator<Item = Option<&'a [u8]>>,
    rows: usize,
    bytes: usize,
) -> Option<StringArray> {
    let mut text = Vec::with_capacity(bytes);
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for value in values {
        text.extend_from_slice(value?);
        offsets.push(i32::try_from(text.len()).ok()?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    StringArray::try_new(offsets, Buffer::from_vec(text), None).ok()
}
