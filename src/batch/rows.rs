//! Decoded records as columns, with what the fold has to know about each row.

use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::{concat_batches, filter_record_batch},
    datatypes::{FieldRef, Schema, SchemaRef},
};
use std::{ops::Range, sync::Arc};

/// In which order rows reach `clean` and `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowOrder {
    /// As the records lie in the log: by offset.
    #[default]
    Arrival,
    /// By event time, then offset: records are held until the watermark has passed. Only a late
    /// record that the policy keeps comes behind rows of a later event time, marked as late, and one
    /// of the future that the policy keeps may come before rows of an earlier one.
    EventTime,
}

/// Dense index of an entity key inside one partition: state is kept in columns by slot.
pub type Slot = u32;

/// Rows fresh from the decoder: columns, and the raw record each row came from.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// One column per schema field, then the Kafka metadata columns.
    pub columns: RecordBatch,
    /// Index of each row's record in its [`RawBatch`](super::RawBatch); strictly increasing.
    pub records: Vec<u32>,
}

/// Rows of one partition, past the gates, in offset order or in that of event time, see
/// [`RowOrder`]. All vectors have one entry per row.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The columns.
    pub columns: RecordBatch,
    /// Index of each row's record in its [`RawBatch`](super::RawBatch); strictly increasing.
    pub records: Vec<u32>,
    /// Kafka offset.
    pub offsets: Vec<i64>,
    /// Event time, microseconds since the epoch.
    pub event_times: Vec<i64>,
    /// No row behind this one that is not marked as late has an event time before this, in
    /// microseconds; it only grows. In order of arrival it is the partition's watermark after this
    /// row's record was seen, in that of event time the event time of the row.
    pub watermarks: Vec<i64>,
    /// Slot of the entity key.
    pub slots: Vec<Slot>,
    /// True for a late row that the policy keeps.
    pub late: Vec<bool>,
}

impl Rows {
    /// No rows, with these columns.
    pub fn empty(schema: SchemaRef) -> Self {
        let columns = RecordBatch::new_empty(schema);
        let [offsets, event_times, watermarks] = [Vec::new(), Vec::new(), Vec::new()];
        let (records, slots, late) = (Vec::new(), Vec::new(), Vec::new());
        Self { columns, records, offsets, event_times, watermarks, slots, late }
    }

    /// Appends what is known of each of these rows, columns aside; their records are counted from
    /// `records_before` on.
    pub fn append(&mut self, more: Self, records_before: u32) {
        self.records.extend(more.records.into_iter().map(|record| record + records_before));
        self.offsets.extend(more.offsets);
        self.event_times.extend(more.event_times);
        self.watermarks.extend(more.watermarks);
        self.slots.extend(more.slots);
        self.late.extend(more.late);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Some of the rows, one after the other; slots only where the rows have them.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self {
            columns: self.columns.slice(range.start, range.len()),
            records: self.records[range.clone()].to_vec(),
            offsets: self.offsets[range.clone()].to_vec(),
            event_times: self.event_times[range.clone()].to_vec(),
            watermarks: self.watermarks[range.clone()].to_vec(),
            slots: self.slots.get(range.clone()).unwrap_or_default().to_vec(),
            late: self.late[range].to_vec(),
        }
    }

    /// The rows of all pieces, of which there is one, with the columns of the first.
    #[must_use]
    pub fn concat(pieces: &[Self]) -> Self {
        let columns = concat_batches(
            &pieces.first().expect("there is a piece").columns.schema(),
            pieces.iter().map(|piece| &piece.columns),
        );
        Self {
            columns: columns.expect("pieces have the same columns"),
            records: pieces.iter().flat_map(|piece| &piece.records).copied().collect(),
            offsets: pieces.iter().flat_map(|piece| &piece.offsets).copied().collect(),
            event_times: pieces.iter().flat_map(|piece| &piece.event_times).copied().collect(),
            watermarks: pieces.iter().flat_map(|piece| &piece.watermarks).copied().collect(),
            slots: pieces.iter().flat_map(|piece| &piece.slots).copied().collect(),
            late: pieces.iter().flat_map(|piece| &piece.late).copied().collect(),
        }
    }

    /// Keeps the rows where `keep` is true.
    #[must_use]
    pub fn filter(mut self, keep: &[bool]) -> Self {
        assert_eq!(keep.len(), self.len(), "one flag per row");
        if keep.iter().all(|k| *k) {
            return self;
        }
        let mask = BooleanArray::from(keep.to_vec());
        self.columns = filter_record_batch(&self.columns, &mask).expect("mask has a flag per row");
        retain(&mut self.records, keep);
        retain(&mut self.offsets, keep);
        retain(&mut self.event_times, keep);
        retain(&mut self.watermarks, keep);
        retain(&mut self.slots, keep);
        retain(&mut self.late, keep);
        self
    }

    /// Appends a column.
    #[must_use]
    pub fn with_column(mut self, field: FieldRef, values: ArrayRef) -> Self {
        let mut fields = self.columns.schema().fields().to_vec();
        let mut columns = self.columns.columns().to_vec();
        fields.push(field);
        columns.push(values);
        self.columns = rebuild(fields, columns);
        self
    }

    /// Replaces the column at `index`, name and type as `field` says.
    #[must_use]
    pub fn replace_column(mut self, index: usize, field: FieldRef, values: ArrayRef) -> Self {
        let mut fields = self.columns.schema().fields().to_vec();
        let mut columns = self.columns.columns().to_vec();
        fields[index] = field;
        columns[index] = values;
        self.columns = rebuild(fields, columns);
        self
    }
}

fn rebuild(fields: Vec<FieldRef>, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a value per row")
}

fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut flags = keep.iter();
    values.retain(|_| *flags.next().expect("one flag per row"));
}
