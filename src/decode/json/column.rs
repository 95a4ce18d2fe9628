//! Columns being filled: plain vectors that become Arrow arrays without a copy.

use crate::schema::{Kind, Shape, Types};
use arrow::array::{BooleanBufferBuilder, NullBufferBuilder};
use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, ListArray, StringArray,
        TimestampMicrosecondArray,
    },
    buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Field, FieldRef, TimeUnit},
};
use std::sync::Arc;

/// A column of one entry per accepted record.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) values: Values,
    valid: NullBufferBuilder,
    /// Entries, null ones included.
    len: usize,
}

/// The values of a column. Its tag is a byte of its own: what looks at every value finds the kind
/// without working it out.
#[derive(Debug)]
#[repr(u8)]
pub(super) enum Values {
    Boolean(BooleanBufferBuilder),
    Integer(Vec<i64>),
    Number(Vec<f64>),
    String(Strings),
    DateTime(Vec<i64>, DataType),
    Date(Vec<i32>),
    List(List),
    /// JSON text of values of these types.
    Text(Types, Strings),
}

/// Texts, end to end.
#[derive(Debug)]
pub(super) struct Strings {
    offsets: Vec<i32>,
    pub(super) bytes: Vec<u8>,
}

/// Lists, end to end.
#[derive(Debug)]
pub(super) struct List {
    offsets: Vec<i32>,
    field: FieldRef,
    pub(super) nullable: bool,
    pub(super) items: Box<Column>,
}

impl Column {
    /// An empty column for values of that shape.
    pub(super) fn new(shape: &Shape) -> Self {
        let values = match &shape.kind {
            Kind::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Number => Values::Number(Vec::new()),
            Kind::String => Values::String(Strings::new()),
            Kind::DateTime => {
                let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                Values::DateTime(Vec::new(), utc)
            }
            Kind::Date => Values::Date(Vec::new()),
            Kind::List(item) => Values::List(List::new(item)),
            Kind::Text(types) => Values::Text(*types, Strings::new()),
            Kind::Object(_) => unreachable!("an object has the columns of its fields"),
        };
        Self { values, valid: NullBufferBuilder::new(0), len: 0 }
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Marks the value that was just pushed as an entry.
    #[inline]
    pub(super) fn accept(&mut self) {
        self.valid.append_non_null();
        self.len += 1;
    }

    /// Appends a null.
    pub(super) fn push_null(&mut self) {
        self.valid.append_null();
        self.len += 1;
        match &mut self.values {
            Values::Boolean(bits) => bits.append(false),
            Values::Integer(values) | Values::DateTime(values, _) => values.push(0),
            Values::Number(values) => values.push(0.0),
            Values::Date(values) => values.push(0),
            Values::String(strings) | Values::Text(_, strings) => strings.end(),
            Values::List(list) => list.end(),
        }
    }

    /// Takes back what was pushed beyond the first `len` entries.
    pub(super) fn truncate(&mut self, len: usize) {
        self.valid.truncate(len);
        self.len = self.len.min(len);
        match &mut self.values {
            Values::Boolean(bits) => bits.truncate(len),
            Values::Integer(values) | Values::DateTime(values, _) => values.truncate(len),
            Values::Number(values) => values.truncate(len),
            Values::Date(values) => values.truncate(len),
            Values::String(strings) | Values::Text(_, strings) => strings.truncate(len),
            Values::List(list) => list.truncate(len),
        }
    }

    /// Makes room for a batch, so that filling it does not allocate.
    pub(super) fn reserve(&mut self, rows: usize) {
        match &mut self.values {
            Values::Boolean(bits) => bits.reserve(rows),
            Values::Integer(values) | Values::DateTime(values, _) => values.reserve_exact(rows),
            Values::Number(values) => values.reserve_exact(rows),
            Values::Date(values) => values.reserve_exact(rows),
            Values::String(strings) | Values::Text(_, strings) => {
                strings.offsets.reserve_exact(rows);
            }
            Values::List(list) => list.offsets.reserve_exact(rows),
        }
        // Allocates at the first null only, and then for the batch at once.
        self.valid = NullBufferBuilder::new(rows);
    }

    /// Takes the entries out as an array; the column is then empty.
    pub(super) fn finish(&mut self) -> ArrayRef {
        self.len = 0;
        let nulls = self.valid.finish();
        match &mut self.values {
            Values::Boolean(bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            Values::Integer(values) => Arc::new(Int64Array::new(scalars(values), nulls)),
            Values::Number(values) => Arc::new(Float64Array::new(scalars(values), nulls)),
            Values::Date(values) => Arc::new(Date32Array::new(scalars(values), nulls)),
            Values::DateTime(values, utc) => {
                let array = TimestampMicrosecondArray::new(scalars(values), nulls);
                Arc::new(array.with_data_type(utc.clone()))
            }
            Values::String(strings) | Values::Text(_, strings) => strings.finish(nulls),
            Values::List(list) => list.finish(nulls),
        }
    }
}

impl Strings {
    fn new() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }

    /// Ends the entry whose bytes were appended.
    #[inline]
    pub(super) fn end(&mut self) {
        self.offsets.push(offset(self.bytes.len()));
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        self.bytes.truncate(position(&self.offsets));
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> ArrayRef {
        // The next batch is probably like this one; a little more keeps it from growing twice.
        let room = self.bytes.len() + self.bytes.len() / 8;
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(room));
        let offsets = offsets(&mut self.offsets);
        Arc::new(StringArray::new(offsets, Buffer::from_vec(bytes), nulls))
    }
}

impl List {
    fn new(item: &Shape) -> Self {
        let items = Column::new(item);
        let data_type = match &items.values {
            Values::Boolean(_) => DataType::Boolean,
            Values::Integer(_) => DataType::Int64,
            Values::Number(_) => DataType::Float64,
            Values::DateTime(_, utc) => utc.clone(),
            Values::Date(_) => DataType::Date32,
            Values::String(_) | Values::Text(..) => DataType::Utf8,
            Values::List(_) => unreachable!("a list holds scalars"),
        };
        let field = Arc::new(Field::new_list_field(data_type, item.nullable));
        Self { offsets: vec![0], field, nullable: item.nullable, items: Box::new(items) }
    }

    /// Ends the entry whose items were appended.
    pub(super) fn end(&mut self) {
        self.offsets.push(offset(self.items.len()));
    }

    fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        self.items.truncate(position(&self.offsets));
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> ArrayRef {
        let room = self.items.len();
        let items = self.items.finish();
        self.items.reserve(room);
        let offsets = offsets(&mut self.offsets);
        Arc::new(ListArray::new(Arc::clone(&self.field), offsets, items, nulls))
    }
}

fn scalars<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(std::mem::take(values))
}

fn offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let next = Vec::with_capacity(offsets.len());
    let full = std::mem::replace(offsets, next);
    offsets.push(0);
    OffsetBuffer::new(ScalarBuffer::from(full))
}

fn offset(length: usize) -> i32 {
    i32::try_from(length).expect("a batch holds less than 2 GiB")
}

/// Where the last entry ends.
fn position(offsets: &[i32]) -> usize {
    let last = offsets.last().expect("offsets begin with 0");
    usize::try_from(*last).expect("offsets only grow")
}
