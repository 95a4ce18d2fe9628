//! A rolling hash of what the fold made of every record: equal digests, equal folds.

use crate::batch::{RawBatch, Rejected, Rows};
use arrow::{
    array::{Array, ArrayRef, AsArray},
    datatypes::{
        DataType, Date32Type, Float64Type, Int32Type, Int64Type, SchemaRef, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType,
    },
    util::display::array_value_to_string,
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Rolling xxh3 over each record's offset, outcome after `window` and the bits of its columns.
///
/// Covers every number, time and boolean, and whatever `clean` and `window` added; input text is
/// a function of the record's bytes and is left out. The digest of one record is the seed of the
/// next, so the cuts between batches do not show.
#[derive(Debug)]
pub(super) struct Digest {
    value: u64,
    columns: Vec<usize>,
    words: Vec<u64>,
}

/// Words of a row before its columns: the offset.
const HEAD_WORDS: usize = 1;

/// Stands for a null.
const NULL_WORD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Digest {
    /// A digest of rows of `schema`, made from records decoded as `input`.
    pub(super) fn new(input: &SchemaRef, schema: &SchemaRef) -> Self {
        let columns = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| {
                let name = field.name();
                let added = input.field_with_name(name).is_err();
                !name.starts_with("kafka_") && (added || is_word(field.data_type()))
            })
            .map(|(index, _)| index)
            .collect();
        Self { value: 0, columns, words: Vec::new() }
    }

    /// The digest of all records so far.
    pub(super) fn value(&self) -> u64 {
        self.value
    }

    /// Takes in a batch: `rows` and `rejected` together are its records, both in record order.
    pub(super) fn advance(&mut self, raw: &RawBatch, rows: &Rows, rejected: &[Rejected]) {
        let width = HEAD_WORDS + self.columns.len();
        self.words.clear();
        self.words.resize(rows.len() * width, 0);
        for (words, offset) in self.words.chunks_exact_mut(width).zip(&rows.offsets) {
            words[0] = offset.cast_unsigned();
        }
        for (place, column) in self.columns.iter().enumerate() {
            let into = self.words.iter_mut().skip(HEAD_WORDS + place).step_by(width);
            write_words(rows.columns.column(*column), into);
        }
        let mut rejected = rejected.iter().peekable();
        let leave = |value: u64, gone: &Rejected| {
            let offset = raw.record(gone.record as usize).offset;
            let bytes = [offset.cast_unsigned().to_le_bytes(), [gone.reason as u8 + 1; 8]];
            xxh3_64_with_seed(bytes.as_flattened(), value)
        };
        for (record, words) in rows.records.iter().zip(self.words.chunks_exact(width)) {
            while let Some(gone) = rejected.next_if(|gone| gone.record < *record) {
                self.value = leave(self.value, gone);
            }
            let mut bytes = [0; ROW_BYTES];
            let mut value = self.value;
            for part in words.chunks(ROW_BYTES / 8) {
                let bytes = &mut bytes[..part.len() * 8];
                for (bytes, word) in bytes.chunks_exact_mut(8).zip(part) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
                value = xxh3_64_with_seed(bytes, value);
            }
            self.value = value;
        }
        self.value = rejected.fold(self.value, leave);
    }
}

/// Bytes hashed at once; longer rows take several turns.
const ROW_BYTES: usize = 128;

fn is_word(data_type: &DataType) -> bool {
    use DataType::{Boolean, Date32, Float64, Int32, Int64, Timestamp};
    matches!(data_type, Boolean | Int32 | Int64 | Float64 | Date32 | Timestamp(_, _))
}

/// Writes one word per value.
fn write_words<'w>(array: &ArrayRef, into: impl Iterator<Item = &'w mut u64>) {
    use DataType::{Boolean, Date32, Float64, Int32, Int64, Timestamp, Utf8};
    use TimeUnit::{Microsecond, Millisecond};
    match array.data_type() {
        Float64 => {
            let values = array.as_primitive::<Float64Type>();
            each(array, into, |i| values.value(i).to_bits());
        }
        Int64 => {
            let values = array.as_primitive::<Int64Type>();
            each(array, into, |i| values.value(i).cast_unsigned());
        }
        Timestamp(Microsecond, _) => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            each(array, into, |i| values.value(i).cast_unsigned());
        }
        Timestamp(Millisecond, _) => {
            let values = array.as_primitive::<TimestampMillisecondType>();
            each(array, into, |i| values.value(i).cast_unsigned());
        }
        Int32 => {
            let values = array.as_primitive::<Int32Type>();
            each(array, into, |i| i64::from(values.value(i)).cast_unsigned());
        }
        Date32 => {
            let values = array.as_primitive::<Date32Type>();
            each(array, into, |i| i64::from(values.value(i)).cast_unsigned());
        }
        Boolean => {
            let values = array.as_boolean();
            each(array, into, |i| u64::from(values.value(i)));
        }
        Utf8 => {
            let values = array.as_string::<i32>();
            each(array, into, |i| xxh3_64(values.value(i).as_bytes()));
        }
        _ => each(array, into, |i| {
            let text = array_value_to_string(array, i).expect("columns can be shown as text");
            xxh3_64(text.as_bytes())
        }),
    }
}

fn each<'w>(
    array: &ArrayRef,
    into: impl Iterator<Item = &'w mut u64>,
    word: impl Fn(usize) -> u64,
) {
    for (i, out) in into.enumerate() {
        *out = if array.is_null(i) { NULL_WORD } else { word(i) };
    }
}
