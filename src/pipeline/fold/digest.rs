//! A rolling hash of what the fold made of every record: equal digests, equal folds.

use crate::batch::{RawBatch, Rejected, Rows};
use arrow::{
    array::{Array, ArrayRef, AsArray},
    buffer::NullBuffer,
    datatypes::{
        DataType, Date32Type, Float64Type, Int32Type, Int64Type, SchemaRef, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType,
    },
    util::display::array_value_to_string,
};
use xxhash_rust::xxh3::xxh3_64;

/// Rolling hash over each record's offset, outcome after `window` and the bits of its columns.
///
/// Covers every number, time and boolean, and whatever `clean` and `window` added; input text is
/// a function of the record's bytes and is left out. The digest of one record goes into that of the
/// next, so the cuts between batches do not show. One multiplication per value, column by column:
/// at most 3 % of what the fold costs.
#[derive(Debug)]
pub(super) struct Digest {
    value: u64,
    columns: Vec<usize>,
    /// One hash per row of the current batch.
    rows: Vec<u64>,
}

/// Where the hash of a row begins.
const ROW: u64 = 0x243f_6a88_85a3_08d3;

/// Where the hash of a record that left begins.
const LEFT: u64 = 0x1319_8a2e_0370_7344;

/// Stands for a null.
const NULL_WORD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Takes a word into a hash: the 128-bit product of both and an odd number, folded.
#[inline]
pub(super) fn mix(hash: u64, word: u64) -> u64 {
    const FACTOR: u128 = 0xd6e8_feb8_6659_fd93;
    let product = u128::from(hash.rotate_left(29) ^ word) * FACTOR;
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    let halves = (product as u64, (product >> 64) as u64);
    halves.0 ^ halves.1
}

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
        Self { value: 0, columns, rows: Vec::new() }
    }

    /// The digest of all records so far.
    pub(super) fn value(&self) -> u64 {
        self.value
    }

    /// The same together with the digest of something else.
    pub(super) fn with(&self, other: u64) -> u64 {
        mix(self.value, other)
    }

    /// Goes on from the digest of records that another fold took in.
    pub(super) fn resume(&mut self, value: u64) {
        self.value = value;
    }

    /// Takes in a batch: `rows` and `rejected` together are its records, both in record order.
    pub(super) fn advance(&mut self, raw: &RawBatch, rows: &Rows, rejected: &[Rejected]) {
        self.rows.clear();
        self.rows.extend(rows.offsets.iter().map(|offset| mix(ROW, offset.cast_unsigned())));
        for column in &self.columns {
            take_in(rows.columns.column(*column), &mut self.rows);
        }
        let mut rejected = rejected.iter().peekable();
        let leave = |value: u64, gone: &Rejected| {
            let offset = raw.offset(gone.record as usize);
            mix(value, mix(mix(LEFT, offset.cast_unsigned()), gone.reason as u64))
        };
        for (record, row) in rows.records.iter().zip(&self.rows) {
            while let Some(gone) = rejected.next_if(|gone| gone.record < *record) {
                self.value = leave(self.value, gone);
            }
            self.value = mix(self.value, *row);
        }
        self.value = rejected.fold(self.value, leave);
    }
}

fn is_word(data_type: &DataType) -> bool {
    use DataType::{Boolean, Date32, Float64, Int32, Int64, Timestamp};
    matches!(data_type, Boolean | Int32 | Int64 | Float64 | Date32 | Timestamp(_, _))
}

/// Takes one word per value into the hash of its row.
fn take_in(array: &ArrayRef, rows: &mut [u64]) {
    use DataType::{Boolean, Date32, Float64, Int32, Int64, Timestamp, Utf8};
    use TimeUnit::{Microsecond, Millisecond};
    let nulls = array.nulls();
    match array.data_type() {
        Float64 => {
            let values = array.as_primitive::<Float64Type>().values().iter();
            each(values.map(|v| v.to_bits()), nulls, rows);
        }
        Int64 => {
            let values = array.as_primitive::<Int64Type>().values().iter();
            each(values.map(|v| v.cast_unsigned()), nulls, rows);
        }
        Timestamp(Microsecond, _) => {
            let values = array.as_primitive::<TimestampMicrosecondType>().values().iter();
            each(values.map(|v| v.cast_unsigned()), nulls, rows);
        }
        Timestamp(Millisecond, _) => {
            let values = array.as_primitive::<TimestampMillisecondType>().values().iter();
            each(values.map(|v| v.cast_unsigned()), nulls, rows);
        }
        Int32 => {
            let values = array.as_primitive::<Int32Type>().values().iter();
            each(values.map(|v| i64::from(*v).cast_unsigned()), nulls, rows);
        }
        Date32 => {
            let values = array.as_primitive::<Date32Type>().values().iter();
            each(values.map(|v| i64::from(*v).cast_unsigned()), nulls, rows);
        }
        Boolean => each(array.as_boolean().values().iter().map(u64::from), nulls, rows),
        Utf8 => {
            let values = array.as_string::<i32>();
            let words = (0..values.len()).map(|i| xxh3_64(values.value(i).as_bytes()));
            each(words, nulls, rows);
        }
        _ => {
            let words = (0..array.len()).map(|i| {
                let text = array_value_to_string(array, i).expect("columns can be shown as text");
                xxh3_64(text.as_bytes())
            });
            each(words, nulls, rows);
        }
    }
}

fn each(words: impl Iterator<Item = u64>, nulls: Option<&NullBuffer>, rows: &mut [u64]) {
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => rows.iter_mut().zip(words).for_each(|(row, word)| *row = mix(*row, word)),
        Some(nulls) => {
            for ((row, word), valid) in rows.iter_mut().zip(words).zip(nulls) {
                *row = mix(*row, if valid { word } else { NULL_WORD });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Float64Array;
    use std::sync::Arc;

    #[test]
    fn every_bit_of_every_word_reaches_about_half_of_the_bits() {
        let words = [0, 1, 1.5_f64.to_bits(), 9_999_999, u64::MAX];
        for (place, bit) in (0..words.len()).flat_map(|p| (0..64).map(move |b| (p, b))) {
            let mut other = words;
            other[place] ^= 1 << bit;
            let hash = |words: [u64; 5]| mix(0, words.into_iter().fold(ROW, mix));
            let differ = (hash(words) ^ hash(other)).count_ones();
            assert!((8..=56).contains(&differ), "bit {bit} of word {place}: {differ}");
        }
    }

    #[test]
    fn swapped_and_null_values_show() {
        let hash = |values: [Option<f64>; 2]| {
            let mut rows = vec![ROW];
            for value in values {
                let column: ArrayRef = Arc::new(Float64Array::from(vec![value]));
                take_in(&column, &mut rows);
            }
            rows[0]
        };
        let all = [[Some(1.0), Some(2.0)], [Some(2.0), Some(1.0)], [None, Some(1.0)]];
        let more = [[Some(1.0), None], [Some(0.0), Some(1.0)], [Some(-0.0), Some(1.0)]];
        let mut hashes: Vec<u64> = all.into_iter().chain(more).map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 6);
    }
}
