//! The bytes of a composite key: what is hashed, compared and kept.
//!
//! Equal keys have equal bytes and different keys different bytes. One text column is its own
//! bytes, without a copy; null is then the byte `0xFF`, which no UTF-8 text contains. Anything else
//! is written column by column: a tag (0 null, 1 value), then the value, text behind its length.
//! Floats are compared as values: `-0.0` equals `0.0`, all NaN are one.

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, StringArray},
    buffer::{Buffer, NullBuffer},
    datatypes::{DataType, Float64Type},
};

/// A null where one text column is the whole key.
const NULL_TEXT: &[u8] = &[0xFF];

/// True if columns of that type can be part of a key.
pub fn is_key_type(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8
            | DataType::Boolean
            | DataType::Float64
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Timestamp(..)
    )
}

/// The key columns of one batch.
#[derive(Debug)]
pub struct KeyColumns<'a>(Vec<Column<'a>>);

#[derive(Debug)]
enum Column<'a> {
    Text(&'a StringArray),
    Boolean(&'a BooleanArray),
    Float(&'a Float64Array),
    /// Integers, dates and timestamps: values of `width` bytes.
    Fixed {
        values: Buffer,
        width: usize,
        nulls: Option<NullBuffer>,
    },
}

impl<'a> KeyColumns<'a> {
    /// Reads columns whose types the caller has checked with [`is_key_type`].
    pub fn new(columns: impl IntoIterator<Item = &'a ArrayRef>) -> Self {
        Self(columns.into_iter().map(Column::new).collect())
    }

    /// The bytes of the key in `row`, borrowed from the column or written into `scratch`.
    pub fn bytes<'b>(&'b self, row: usize, scratch: &'b mut Vec<u8>) -> &'b [u8] {
        if let [Column::Text(texts)] = self.0.as_slice() {
            return if texts.is_null(row) { NULL_TEXT } else { texts.value(row).as_bytes() };
        }
        scratch.clear();
        for column in &self.0 {
            column.write(row, scratch);
        }
        scratch
    }

    /// True if any column is null in `row`.
    pub fn has_null(&self, row: usize) -> bool {
        self.0.iter().any(|column| column.is_null(row))
    }
}

impl<'a> Column<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            other => {
                assert!(is_key_type(other), "key types are checked when the pipeline is built");
                let width = other.primitive_width().expect("integers and times have a width");
                let data = array.to_data();
                let values =
                    data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
                Self::Fixed { values, width, nulls: array.nulls().cloned() }
            }
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(array) => array.is_null(row),
            Self::Boolean(array) => array.is_null(row),
            Self::Float(array) => array.is_null(row),
            Self::Fixed { nulls, .. } => nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)),
        }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.push(0);
            return;
        }
        out.push(1);
        match self {
            Self::Text(array) => {
                let text = array.value(row).as_bytes();
                let length = u32::try_from(text.len()).expect("a column's texts are below 2 GiB");
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(text);
            }
            Self::Boolean(array) => out.push(u8::from(array.value(row))),
            Self::Float(array) => out.extend_from_slice(&canonical(array.value(row)).to_le_bytes()),
            Self::Fixed { values, width, .. } => {
                out.extend_from_slice(&values[row * width..(row + 1) * width]);
            }
        }
    }
}

/// The bits of `x` with one zero and one NaN.
fn canonical(x: f64) -> u64 {
    if x.is_nan() {
        f64::NAN.to_bits()
    } else if x == 0.0 {
        0
    } else {
        x.to_bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Int64Array};
    use std::sync::Arc;

    fn keys(columns: &[ArrayRef]) -> Vec<Vec<u8>> {
        let keys = KeyColumns::new(columns);
        let mut scratch = Vec::new();
        (0..columns[0].len()).map(|row| keys.bytes(row, &mut scratch).to_vec()).collect()
    }

    #[test]
    fn neighbouring_texts_do_not_run_together() {
        let left: ArrayRef = Arc::new(StringArray::from(vec!["ab", "a"]));
        let right: ArrayRef = Arc::new(StringArray::from(vec!["c", "bc"]));
        let keys = keys(&[left, right]);
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn one_text_is_its_own_bytes_and_null_is_no_text() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("ab"), None, Some("")]));
        assert_eq!(keys(&[texts]), [b"ab".to_vec(), vec![0xFF], vec![]]);
    }

    #[test]
    fn floats_are_compared_as_values() {
        let quiet = f64::from_bits(0x7ff8_0000_0000_0001);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, quiet]));
        let keys = keys(&[floats]);
        assert_eq!(keys[0], keys[1]);
        assert_eq!(keys[2], keys[3]);
        assert_ne!(keys[0], keys[2]);
    }

    #[test]
    fn slices_and_nulls_read_at_their_own_place() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(2)]));
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![7, 8, 9, 8]));
        let whole = keys(&[Arc::clone(&numbers), Arc::clone(&dates)]);
        let sliced = keys(&[numbers.slice(1, 3), dates.slice(1, 3)]);
        assert_eq!(whole[1..], sliced[..]);
        assert_eq!(whole[1], whole[3]);
        assert_ne!(whole[1], whole[2]);
    }
}
