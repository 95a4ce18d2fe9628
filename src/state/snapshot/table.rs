//! Tables of a snapshot as they are written: rows into record batches, batches into frames.

use super::frame::FrameWriter;
use arrow::{
    array::{
        ArrayRef, BinaryBuilder, Float64Builder, Int64Builder, RecordBatch, StringBuilder,
        UInt64Builder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef},
    ipc::writer::StreamWriter,
};
use std::{io, sync::Arc};

/// A frame is written once its values take this many bytes.
const FRAME_BYTES: usize = 512 * 1024;

/// Name and type of a column.
pub type Column = (&'static str, Type);

/// What a column of a snapshot can hold. Every column may hold nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Numbers with a sign.
    Int,
    /// Numbers without one.
    Word,
    /// Floats, to the bit.
    Float,
    /// Bytes.
    Bytes,
    /// Text.
    Text,
}

impl Type {
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Int => DataType::Int64,
            Self::Word => DataType::UInt64,
            Self::Float => DataType::Float64,
            Self::Bytes => DataType::Binary,
            Self::Text => DataType::Utf8,
        }
    }
}

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// For a column of [`Type::Int`].
    Int(i64),
    /// For a column of [`Type::Word`].
    Word(u64),
    /// For a column of [`Type::Float`].
    Float(f64),
    /// For a column of [`Type::Bytes`].
    Bytes(&'a [u8]),
    /// For a column of [`Type::Text`].
    Text(&'a str),
    /// For any column.
    Null,
}

/// What a component keeps, as it was at one moment.
///
/// Holds shared pages and never the component itself, so that it can be written by another thread
/// while the component goes on.
pub trait Saved: Send {
    /// Writes the tables of the component. The bytes are a function of the state alone.
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()>;
}

/// Where a component writes its tables.
pub struct Saver<'a> {
    frames: FrameWriter<'a>,
    /// Name of the component, with a slash behind it.
    prefix: String,
}

impl<'a> Saver<'a> {
    pub(super) fn new(frames: FrameWriter<'a>) -> Self {
        Self { frames, prefix: String::new() }
    }

    pub(super) fn end(self) -> io::Result<()> {
        self.frames.end()
    }

    /// Writes a component; the names of its tables begin with its own.
    pub fn component(&mut self, name: &str, saved: &dyn Saved) -> io::Result<()> {
        let length = self.prefix.len();
        self.prefix.extend([name, "/"]);
        let result = saved.save(self);
        self.prefix.truncate(length);
        result
    }

    /// Begins a table. It is there once [`TableWriter::finish`] has been called, also without rows.
    pub fn table(&mut self, name: &str, columns: &'static [Column]) -> TableWriter<'_, 'a> {
        let field = |(name, kind): &Column| Field::new(*name, kind.data_type(), true);
        TableWriter {
            name: format!("{}{name}", self.prefix),
            frames: &mut self.frames,
            schema: Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>())),
            columns: columns.iter().map(|(_, kind)| Builder::new(*kind)).collect(),
            bytes: 0,
            is_begun: false,
        }
    }
}

/// A table that is being written, one row after the other.
pub struct TableWriter<'s, 'a> {
    frames: &'s mut FrameWriter<'a>,
    name: String,
    schema: SchemaRef,
    columns: Vec<Builder>,
    /// Of the rows that are not written yet.
    bytes: usize,
    is_begun: bool,
}

impl TableWriter<'_, '_> {
    /// Appends a row: one value per column, of the column's type.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        assert_eq!(cells.len(), self.columns.len(), "one value per column of `{}`", self.name);
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            self.bytes += column.append(*cell);
        }
        if self.bytes >= FRAME_BYTES { self.write() } else { Ok(()) }
    }

    /// Writes the rows that are left.
    pub fn finish(mut self) -> io::Result<()> {
        if self.bytes > 0 || !self.is_begun { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> io::Result<()> {
        let columns = self.columns.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("one value per row, of the declared type");
        let mut payload = Vec::with_capacity(self.bytes + self.bytes / 8 + 1024);
        let mut stream =
            StreamWriter::try_new(&mut payload, &self.schema).map_err(io::Error::other)?;
        stream.write(&batch).and_then(|()| stream.finish()).map_err(io::Error::other)?;
        drop(stream);
        (self.bytes, self.is_begun) = (0, true);
        self.frames.frame(&self.name, &payload)
    }
}

/// A column that is being filled.
enum Builder {
    Int(Int64Builder),
    Word(UInt64Builder),
    Float(Float64Builder),
    Bytes(BinaryBuilder),
    Text(StringBuilder),
}

impl Builder {
    fn new(kind: Type) -> Self {
        match kind {
            Type::Int => Self::Int(Int64Builder::new()),
            Type::Word => Self::Word(UInt64Builder::new()),
            Type::Float => Self::Float(Float64Builder::new()),
            Type::Bytes => Self::Bytes(BinaryBuilder::new()),
            Type::Text => Self::Text(StringBuilder::new()),
        }
    }

    /// Appends a value and gives its size.
    fn append(&mut self, cell: Cell<'_>) -> usize {
        let mut size = size_of::<u64>();
        match (self, cell) {
            (Self::Int(column), Cell::Int(value)) => column.append_value(value),
            (Self::Word(column), Cell::Word(value)) => column.append_value(value),
            (Self::Float(column), Cell::Float(value)) => column.append_value(value),
            (Self::Bytes(column), Cell::Bytes(value)) => {
                size += value.len();
                column.append_value(value);
            }
            (Self::Text(column), Cell::Text(value)) => {
                size += value.len();
                column.append_value(value);
            }
            (Self::Int(column), Cell::Null) => column.append_null(),
            (Self::Word(column), Cell::Null) => column.append_null(),
            (Self::Float(column), Cell::Null) => column.append_null(),
            (Self::Bytes(column), Cell::Null) => column.append_null(),
            (Self::Text(column), Cell::Null) => column.append_null(),
            (_, cell) => panic!("{cell:?} in a column of another type"),
        }
        size
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int(column) => Arc::new(column.finish()),
            Self::Word(column) => Arc::new(column.finish()),
            Self::Float(column) => Arc::new(column.finish()),
            Self::Bytes(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
        }
    }
}
