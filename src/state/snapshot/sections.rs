//! Tables of a snapshot as they are read back.

use super::{SnapshotError, frame::Frames, stream, table::Column};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
        UInt64Array,
    },
    datatypes::{DataType, Float64Type, Int64Type, UInt64Type},
};
use std::collections::BTreeMap;

/// The state that a snapshot holds: the tables of each component, by name.
#[derive(Debug, Clone)]
pub struct Sections {
    tables: BTreeMap<String, Vec<RecordBatch>>,
}

impl Sections {
    /// Reads all frames to the end. Those of one table follow each other.
    pub(super) fn read(mut frames: Frames<'_>) -> Result<Self, SnapshotError> {
        let mut tables: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
        let mut current = String::new();
        while let Some((name, payload)) = frames.next()? {
            let batch =
                stream::decode(payload).map_err(|what| SnapshotError::malformed(name, what))?;
            let table = tables.entry(name.to_owned()).or_default();
            if name != current && !table.is_empty() {
                return Err(SnapshotError::malformed(name, "it comes twice"));
            }
            if table.first().is_some_and(|first| first.schema() != batch.schema()) {
                return Err(SnapshotError::malformed(name, "its columns change"));
            }
            name.clone_into(&mut current);
            table.push(batch);
        }
        Ok(Self { tables })
    }

    /// The part of one component.
    pub fn component(&self, name: &str) -> Section<'_> {
        Section { sections: self, name: name.to_owned() }
    }

    #[cfg(test)]
    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, &[RecordBatch])> {
        self.tables.iter().map(|(name, batches)| (name.as_str(), batches.as_slice()))
    }

    /// How much each table holds, in the order of the alphabet.
    pub fn sizes(&self) -> impl Iterator<Item = TableSize<'_>> {
        self.tables.iter().map(|(name, batches)| TableSize {
            name,
            rows: batches.iter().map(RecordBatch::num_rows).sum(),
            bytes: batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum(),
        })
    }

    /// Names of the tables, in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }
}

/// The size of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSize<'a> {
    /// Its name, the component's before it.
    pub name: &'a str,
    /// Rows.
    pub rows: usize,
    /// Bytes in memory, as it was read.
    pub bytes: u64,
}

/// What a component has written.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    sections: &'a Sections,
    name: String,
}

impl<'a> Section<'a> {
    /// The table of that name, which has to have these columns.
    pub fn table(
        &self,
        name: &str,
        columns: &'static [Column],
    ) -> Result<Table<'a>, SnapshotError> {
        let name = format!("{}/{name}", self.name);
        let Some(batches) = self.sections.tables.get(&name) else {
            return Err(SnapshotError::malformed(&name, "it is not there"));
        };
        let batches: Vec<Vec<Values<'a>>> = batches
            .iter()
            .map(|batch| {
                let fits = stream::has_columns(batch.schema_ref(), columns);
                fits.then(|| batch.columns().iter().map(Values::new).collect())
            })
            .collect::<Option<_>>()
            .ok_or_else(|| SnapshotError::malformed(&name, "it has other columns"))?;
        Ok(Table { name, batches, batch: 0, row: 0 })
    }

    /// A table of exactly one row.
    pub fn single(
        &self,
        name: &str,
        columns: &'static [Column],
    ) -> Result<Table<'a>, SnapshotError> {
        let mut table = self.table(name, columns)?;
        if table.len() != 1 {
            return Err(table.malformed(format!("it has {} rows instead of one", table.len())));
        }
        table.next_row();
        Ok(table)
    }

    /// An error about the component as a whole.
    pub fn malformed(&self, what: impl Into<String>) -> SnapshotError {
        SnapshotError::malformed(&self.name, what)
    }
}

/// The rows of a table, one after the other; values are those of the current row.
#[derive(Debug)]
pub struct Table<'a> {
    name: String,
    batches: Vec<Vec<Values<'a>>>,
    batch: usize,
    /// One past the current row of the batch.
    row: usize,
}

impl Table<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.batches.iter().map(|columns| columns[0].len()).sum()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Goes on to the next row, the first at the beginning; false if there is none.
    pub fn next_row(&mut self) -> bool {
        while let Some(columns) = self.batches.get(self.batch) {
            if self.row < columns[0].len() {
                self.row += 1;
                return true;
            }
            (self.batch, self.row) = (self.batch + 1, 0);
        }
        false
    }

    /// A number with a sign, if it is not null.
    pub fn optional_int(&self, column: usize) -> Option<i64> {
        match &self.batches[self.batch][column] {
            Values::Int(values) => {
                values.is_valid(self.row - 1).then(|| values.value(self.row - 1))
            }
            other => unreachable!("{other:?} instead of integers"),
        }
    }

    /// A number with a sign.
    pub fn int(&self, column: usize) -> Result<i64, SnapshotError> {
        self.present(self.optional_int(column))
    }

    /// A number without a sign, of any such type that it fits.
    pub fn word<T: TryFrom<u64>>(&self, column: usize) -> Result<T, SnapshotError> {
        let Values::Word(values) = &self.batches[self.batch][column] else {
            unreachable!("a column of another type")
        };
        let value = values.is_valid(self.row - 1).then(|| values.value(self.row - 1));
        let value = self.present(value)?;
        T::try_from(value).map_err(|_| self.malformed(format!("{value} is too large")))
    }

    /// A float.
    pub fn float(&self, column: usize) -> Result<f64, SnapshotError> {
        let Values::Float(values) = &self.batches[self.batch][column] else {
            unreachable!("a column of another type")
        };
        self.present(values.is_valid(self.row - 1).then(|| values.value(self.row - 1)))
    }

    /// Bytes.
    pub fn bytes(&self, column: usize) -> Result<&[u8], SnapshotError> {
        self.present(self.optional_bytes(column))
    }

    /// Bytes, if they are not null.
    pub fn optional_bytes(&self, column: usize) -> Option<&[u8]> {
        let Values::Bytes(values) = &self.batches[self.batch][column] else {
            unreachable!("a column of another type")
        };
        values.is_valid(self.row - 1).then(|| values.value(self.row - 1))
    }

    /// Text.
    pub fn text(&self, column: usize) -> Result<&str, SnapshotError> {
        let Values::Text(values) = &self.batches[self.batch][column] else {
            unreachable!("a column of another type")
        };
        self.present(values.is_valid(self.row - 1).then(|| values.value(self.row - 1)))
    }

    /// An error if `holds` is false; `what` says what does not hold.
    pub fn check(&self, holds: bool, what: &str) -> Result<(), SnapshotError> {
        if holds { Ok(()) } else { Err(self.malformed(what)) }
    }

    /// An error about this table.
    pub fn malformed(&self, what: impl Into<String>) -> SnapshotError {
        SnapshotError::malformed(&self.name, what)
    }

    fn present<T>(&self, value: Option<T>) -> Result<T, SnapshotError> {
        value.ok_or_else(|| self.malformed("a value is missing"))
    }
}

/// A column of a record batch.
#[derive(Debug)]
enum Values<'a> {
    Int(&'a Int64Array),
    Word(&'a UInt64Array),
    Float(&'a Float64Array),
    Bytes(&'a BinaryArray),
    Text(&'a StringArray),
}

impl<'a> Values<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Int64 => Self::Int(array.as_primitive::<Int64Type>()),
            DataType::UInt64 => Self::Word(array.as_primitive::<UInt64Type>()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::Utf8 => Self::Text(array.as_string()),
            other => unreachable!("no table has a column of {other}"),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Int(values) => values.len(),
            Self::Word(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }
}
