//! Scans that make a list of each window.

use super::{Content, Kind, Output, Scan, value::write_keys};
use arrow::{
    array::{ArrayRef, ListArray, StringBuilder},
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{DataType, Field, FieldRef},
};
use std::{
    fmt::{self, Debug},
    mem,
    sync::Arc,
};

/// A column of lists of such values, null for an empty window.
pub(super) fn list_of(input: &DataType) -> Output {
    Output { data_type: DataType::List(item(input)), nullable: true }
}

fn item(input: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(input.clone(), false))
}

/// A scan that picks values of each window, in the type of the column: `pick` appends their keys to
/// an empty list. Null where the window has no values.
pub(super) fn list_each(
    input: &DataType,
    pick: impl FnMut(&Content<'_>, &mut Vec<i64>) + Send + 'static,
) -> Box<dyn Scan> {
    Box::new(ListEach {
        pick,
        input: input.clone(),
        picked: Vec::new(),
        keys: Vec::new(),
        texts: StringBuilder::new(),
        lengths: Vec::new(),
        valid: Vec::new(),
    })
}

struct ListEach<F> {
    pick: F,
    input: DataType,
    picked: Vec<i64>,
    /// The lists of the batch, one behind the other.
    keys: Vec<i64>,
    /// Texts are copied at once: their symbols may be gone by the end of the batch.
    texts: StringBuilder,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl<F> Debug for ListEach<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListEach").field("input", &self.input).finish_non_exhaustive()
    }
}

impl<F: FnMut(&Content<'_>, &mut Vec<i64>) + Send> Scan for ListEach<F> {
    fn take(&mut self, content: &Content<'_>) {
        self.picked.clear();
        (self.pick)(content, &mut self.picked);
        self.lengths.push(self.picked.len());
        self.valid.push(!content.events.is_empty());
        if content.kind == Kind::Text {
            self.picked.iter().for_each(|key| self.texts.append_value(content.symbols.text(*key)));
        } else {
            self.keys.append(&mut self.picked);
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let values: ArrayRef = match self.input {
            DataType::Utf8 => Arc::new(self.texts.finish()),
            _ => write_keys(&self.input, self.keys.drain(..).map(Some)),
        };
        let offsets = OffsetBuffer::from_lengths(self.lengths.drain(..));
        let valid = NullBuffer::from(mem::take(&mut self.valid));
        Arc::new(ListArray::new(item(&self.input), offsets, values, Some(valid)))
    }
}
