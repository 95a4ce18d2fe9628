//! A column by its type, looked up once per batch, and its values as JSON or plain text.

use super::{
    line::Line,
    number::{write_float, write_float32, write_integer},
    text::{write_json, write_string},
    time::{write_date, write_timestamp},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray},
    buffer::{BooleanBuffer, NullBuffer},
    datatypes::{
        DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    },
};
use std::ops::Range;

/// A column of a batch.
pub(super) struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

#[repr(u8)]
enum Values<'a> {
    Boolean(&'a BooleanBuffer),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float64(&'a [f64]),
    Float32(&'a [f32]),
    Utf8(&'a StringArray),
    Date32(&'a [i32]),
    Timestamp(&'a [i64], TimeUnit),
    /// Where each row's items begin in the column of all items; one more than rows.
    List(&'a [i32], Box<Column<'a>>),
    /// Where each row's entries begin, all keys, and the column of all their values.
    Map(&'a [i32], &'a StringArray, Box<Column<'a>>),
    /// As many items in each row, one row after the other.
    FixedList(usize, Box<Column<'a>>),
}

/// True if [`Column`] reads the type.
pub(super) fn can_write(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Float64
        | DataType::Float32
        | DataType::Utf8
        | DataType::Date32
        | DataType::Timestamp(..) => true,
        DataType::List(item) | DataType::FixedSizeList(item, _) => can_write(item.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(members) => {
                members[0].data_type() == &DataType::Utf8 && can_write(members[1].data_type())
            }
            _ => false,
        },
        _ => false,
    }
}

impl<'a> Column<'a> {
    /// The column, whose type [`can_write`].
    pub(super) fn new(array: &'a ArrayRef) -> Self {
        let values = match array.data_type() {
            DataType::Boolean => Values::Boolean(array.as_boolean().values()),
            DataType::Int32 => Values::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Values::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values()),
            DataType::Float32 => Values::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Utf8 => Values::Utf8(array.as_string()),
            DataType::Date32 => Values::Date32(array.as_primitive::<Date32Type>().values()),
            DataType::Timestamp(unit, _) => Values::Timestamp(
                match unit {
                    TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
                    TimeUnit::Millisecond => {
                        array.as_primitive::<TimestampMillisecondType>().values()
                    }
                    TimeUnit::Microsecond => {
                        array.as_primitive::<TimestampMicrosecondType>().values()
                    }
                    TimeUnit::Nanosecond => {
                        array.as_primitive::<TimestampNanosecondType>().values()
                    }
                },
                *unit,
            ),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Values::List(list.value_offsets(), Box::new(Self::new(list.values())))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let values = Box::new(Self::new(map.values()));
                Values::Map(map.value_offsets(), map.keys().as_string(), values)
            }
            DataType::FixedSizeList(_, items) => {
                let items = usize::try_from(*items).expect("lengths are not negative");
                let list = array.as_fixed_size_list();
                Values::FixedList(items, Box::new(Self::new(list.values())))
            }
            other => unreachable!("type {other} is refused when the encoder is built"),
        };
        Self { nulls: array.nulls().filter(|nulls| nulls.null_count() > 0), values }
    }

    /// Appends the value as JSON: null for null, NaN and infinity; times as RFC 3339 strings.
    #[expect(clippy::inline_always, reason = "saves a call per indicator, of which there are many")]
    #[inline(always)]
    pub(super) fn write_json(&self, row: usize, line: &mut Line<'_>) {
        match &self.values {
            _ if self.is_null(row) => line.push_all(b"null"),
            Values::Int64(values) => match u8::try_from(values[row]) {
                // Most are indicators and counts.
                Ok(digit @ 0..=9) => line.push(b'0' + digit),
                _ => write_integer(values[row], line),
            },
            Values::Float64(values) => write_float(values[row], line),
            Values::Utf8(values) => write_string(values.value(row), line),
            _ => self.write_rarer(row, line),
        }
    }

    #[inline(never)]
    fn write_rarer(&self, row: usize, line: &mut Line<'_>) {
        match &self.values {
            Values::Boolean(values) => write_json(&values.value(row), line),
            Values::Int32(values) => write_json(&values[row], line),
            Values::Float32(values) => write_float32(values[row], line),
            Values::Int64(_) | Values::Float64(_) | Values::Utf8(_) => {
                unreachable!("written before")
            }
            Values::Date32(_) | Values::Timestamp(..) => {
                line.push(b'"');
                self.write_text(row, line);
                line.push(b'"');
            }
            Values::List(offsets, items) => {
                let (first, end) = bounds(offsets, row);
                items.write_items(first..end, line);
            }
            Values::FixedList(count, items) => {
                items.write_items(row * count..(row + 1) * count, line);
            }
            Values::Map(offsets, keys, values) => {
                line.push(b'{');
                let (first, end) = bounds(offsets, row);
                for entry in first..end {
                    if entry > first {
                        line.push(b',');
                    }
                    write_string(keys.value(entry), line);
                    line.push(b':');
                    values.write_json(entry, line);
                }
                line.push(b'}');
            }
        }
    }

    fn write_items(&self, items: Range<usize>, line: &mut Line<'_>) {
        line.push(b'[');
        for item in items.clone() {
            if item > items.start {
                line.push(b',');
            }
            self.write_json(item, line);
        }
        line.push(b']');
    }

    /// Appends the value as plain text: a string without quotes, anything else as in JSON.
    pub(super) fn write_text(&self, row: usize, line: &mut Line<'_>) {
        match &self.values {
            _ if self.is_null(row) => {}
            Values::Utf8(values) => line.push_all(values.value(row).as_bytes()),
            Values::Date32(values) => write_date(values[row].into(), line),
            Values::Timestamp(values, unit) => write_timestamp(values[row], *unit, line),
            _ => self.write_json(row, line),
        }
    }

    /// Bytes the value takes in an Arrow buffer, at most: value, validity, offset.
    pub(super) fn arrow_bytes(&self, row: usize) -> usize {
        1 + match &self.values {
            Values::Boolean(_) => 1,
            Values::Int32(_) | Values::Date32(_) | Values::Float32(_) => 4,
            Values::Int64(_) | Values::Float64(_) | Values::Timestamp(..) => 8,
            Values::Utf8(values) => 4 + values.value(row).len(),
            Values::List(offsets, items) => {
                let (first, end) = bounds(offsets, row);
                4 + (first..end).map(|item| items.arrow_bytes(item)).sum::<usize>()
            }
            Values::Map(offsets, keys, values) => {
                let (first, end) = bounds(offsets, row);
                // Of an entry: two bits that say whether it is there, the key and where it begins.
                let of = |entry| 6 + keys.value(entry).len() + values.arrow_bytes(entry);
                4 + (first..end).map(of).sum::<usize>()
            }
            Values::FixedList(count, items) => {
                (row * count..(row + 1) * count).map(|item| items.arrow_bytes(item)).sum()
            }
        }
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

fn bounds(offsets: &[i32], row: usize) -> (usize, usize) {
    let offset = |row: usize| usize::try_from(offsets[row]).expect("offsets are not negative");
    (offset(row), offset(row + 1))
}
