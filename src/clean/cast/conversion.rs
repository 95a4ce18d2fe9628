//! Conversions between column types, value by value; none where a value does not fit.

use super::{Mode, lenient};
use arrow::{
    array::{
        ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, PrimitiveArray, StringBuilder,
    },
    compute::cast,
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Float64Type, Int64Type, TimeUnit,
        TimestampMicrosecondType,
    },
};
use chrono::{DateTime, NaiveDate};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fmt::{self, Write},
    sync::Arc,
};

const ZONE: &str = "UTC";

/// The types a column can be converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum To {
    /// 64-bit integers.
    Int,
    /// 64-bit floats.
    Float,
    /// Text.
    String,
    /// True or false.
    Bool,
    /// Moments in microseconds, UTC.
    Timestamp,
    /// Days.
    Date,
}

impl To {
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::String => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(ZONE.into())),
            Self::Date => DataType::Date32,
        }
    }

    /// What a value is called that fits.
    pub(super) fn words(self, mode: Mode) -> &'static str {
        match (self, mode) {
            (Self::Int, Mode::Strict) => "an integer",
            (Self::Int, Mode::Lenient) => "a number that 64 bits hold without its fraction",
            (Self::Float, Mode::Strict) => "a number that a float holds exactly",
            (Self::Float, Mode::Lenient) => "a number",
            (Self::String, _) => "a text",
            (Self::Bool, _) => "true or false",
            (Self::Timestamp, Mode::Strict) => "an RFC 3339 time",
            (Self::Timestamp, Mode::Lenient) => "a time such as 2024-05-31 12:00",
            (Self::Date, _) => "a date such as 2024-05-31",
        }
    }
}

/// Converts a whole column; values that do not fit become null.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion(fn(&ArrayRef) -> ArrayRef);

impl Conversion {
    /// The conversion between two types, or the types that `to` can be made of.
    pub(super) fn between(from: &DataType, to: To, mode: Mode) -> Result<Self, &'static str> {
        let lenient = (mode == Mode::Lenient).then(|| lenient::between(from, to)).flatten();
        lenient.map_or_else(|| Self::strict(from, to), |conversion| Ok(Self(conversion)))
    }

    fn strict(from: &DataType, to: To) -> Result<Self, &'static str> {
        use DataType::{Boolean, Date32, Float64, Int32, Int64, Timestamp, Utf8};
        Ok(Self(match (from, to) {
            (from, to) if *from == to.data_type() => Arc::clone,
            (Int32 | Boolean, To::Int) => |x| recast(x, To::Int),
            (Int32 | Boolean, To::Float) => |x| recast(x, To::Float),
            (Int32 | Boolean, To::String) => |x| recast(x, To::String),
            (Date32 | Timestamp(..), To::Timestamp) => |x| recast(x, To::Timestamp),
            (Timestamp(..), To::Date) => |x| recast(x, To::Date),
            (Float64, To::Int) => integers_of_floats,
            (Int64, To::Float) => floats_of_integers,
            (Int64, To::Bool) => booleans_of_integers,
            (Utf8, To::Int) => |x| read::<Int64Type>(x, |text| text.parse().ok()),
            (Utf8, To::Float) => |x| read::<Float64Type>(x, float),
            (Utf8, To::Bool) => booleans_of_texts,
            (Utf8, To::Timestamp) => times_of_texts,
            (Utf8, To::Date) => |x| read::<Date32Type>(x, date),
            (Int64, To::String) => |x| written::<Int64Type>(x, |i, out| write!(out, "{i}")),
            (Float64, To::String) => |x| written::<Float64Type>(x, |x, out| write!(out, "{x:?}")),
            (Date32, To::String) => |x| written::<Date32Type>(x, write_date),
            (Timestamp(..), To::String) => texts_of_times,
            (_, To::Int | To::Float) => return Err("a number, string or boolean column"),
            (_, To::String) => return Err("a column of single values"),
            (_, To::Bool) => return Err("an integer or string column"),
            (_, To::Timestamp) => return Err("a string or date column"),
            (_, To::Date) => return Err("a string or timestamp column"),
        }))
    }

    pub(super) fn apply(self, column: &ArrayRef) -> ArrayRef {
        (self.0)(column)
    }
}

/// Where arrow's own cast loses nothing that the type `to` is not meant to lose.
pub(super) fn recast(column: &ArrayRef, to: To) -> ArrayRef {
    cast(column, &to.data_type()).expect("arrow casts between these types")
}

#[expect(clippy::cast_possible_truncation, reason = "the range and the fraction are checked")]
fn integers_of_floats(column: &ArrayRef) -> ArrayRef {
    const END: f64 = 9_223_372_036_854_775_808.0;
    let fits = |x: &f64| x.fract() == 0.0 && -END <= *x && *x < END;
    let floats = column.as_primitive::<Float64Type>().iter();
    Arc::new(floats.map(|x| x.filter(fits).map(|x| x as i64)).collect::<Int64Array>())
}

fn floats_of_integers(column: &ArrayRef) -> ArrayRef {
    // A float beyond 2^53 holds some integers exactly, and not their neighbours.
    #[expect(clippy::cast_possible_truncation, reason = "128 bits hold every 64-bit integer")]
    let fits = |i: &i64| (*i as f64) as i128 == i128::from(*i);
    let integers = column.as_primitive::<Int64Type>().iter();
    Arc::new(integers.map(|i| i.filter(fits).map(|i| i as f64)).collect::<Float64Array>())
}

fn booleans_of_integers(column: &ArrayRef) -> ArrayRef {
    let integers = column.as_primitive::<Int64Type>().iter();
    let bool_of = |i| match i {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    Arc::new(integers.map(|i| i.and_then(bool_of)).collect::<BooleanArray>())
}

fn booleans_of_texts(column: &ArrayRef) -> ArrayRef {
    let texts = column.as_string::<i32>().iter();
    let booleans = texts.map(|text| text.and_then(|text| text.parse().ok()));
    Arc::new(booleans.collect::<BooleanArray>())
}

fn times_of_texts(column: &ArrayRef) -> ArrayRef {
    let time = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|t| t.timestamp_micros());
    recast(&read::<TimestampMicrosecondType>(column, time), To::Timestamp)
}

fn texts_of_times(column: &ArrayRef) -> ArrayRef {
    written::<TimestampMicrosecondType>(&recast(column, To::Timestamp), |us, out| {
        let time = DateTime::from_timestamp_micros(us).ok_or(fmt::Error)?;
        write!(out, "{}", time.format("%Y-%m-%dT%H:%M:%S%.fZ"))
    })
}

/// A finite decimal number.
fn float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

/// Days since the epoch of a date written `2024-05-31`, and in no other way.
pub(super) fn date(text: &str) -> Option<i32> {
    let digit_or_dash = |(i, byte): (usize, u8)| match i {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let is_date = text.len() == 10 && text.bytes().enumerate().all(digit_or_dash);
    let date = is_date.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d"))?;
    date.ok().map(Date32Type::from_naive_date)
}

fn write_date(days: i32, out: &mut String) -> fmt::Result {
    let date = Date32Type::to_naive_date_opt(days).ok_or(fmt::Error)?;
    write!(out, "{date}")
}

/// Reads each text.
pub(super) fn read<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    read: impl Fn(&str) -> Option<T::Native>,
) -> ArrayRef {
    let texts = column.as_string::<i32>().iter();
    Arc::new(texts.map(|text| text.and_then(&read)).collect::<PrimitiveArray<T>>())
}

/// Writes each value.
fn written<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    write: impl Fn(T::Native, &mut String) -> fmt::Result,
) -> ArrayRef {
    let mut builder = StringBuilder::new();
    let mut text = String::new();
    for value in column.as_primitive::<T>() {
        text.clear();
        let fits = value.is_some_and(|value| write(value, &mut text).is_ok());
        builder.append_option(fits.then_some(text.as_str()));
    }
    Arc::new(builder.finish())
}
