//! Conversions that take what people write, and lose what the type cannot hold.

use super::conversion::{To, date, read, recast};
use arrow::{
    array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array},
    datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType},
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use std::sync::Arc;

/// What is done in another way than strictly.
pub(super) fn between(from: &DataType, to: To) -> Option<fn(&ArrayRef) -> ArrayRef> {
    use DataType::{Float64, Int64, Utf8};
    Some(match (from, to) {
        (Float64, To::Int) => |x| {
            let floats = x.as_primitive::<Float64Type>().iter();
            Arc::new(floats.map(|x| x.and_then(integer)).collect::<Int64Array>())
        },
        (Int64, To::Float) => |x| {
            let integers = x.as_primitive::<Int64Type>();
            Arc::new(integers.unary::<_, Float64Type>(|x| x as f64) as Float64Array)
        },
        (Int64, To::Bool) => |x| {
            let integers = x.as_primitive::<Int64Type>().iter();
            Arc::new(integers.map(|x| x.map(|x| x != 0)).collect::<BooleanArray>())
        },
        (Float64, To::Bool) => |x| {
            let floats = x.as_primitive::<Float64Type>().iter();
            let bool_of = |x: f64| (!x.is_nan()).then_some(x != 0.0);
            Arc::new(floats.map(|x| x.and_then(bool_of)).collect::<BooleanArray>())
        },
        (Utf8, To::Int) => |x| {
            read::<Int64Type>(x, |text| {
                let text = text.trim();
                text.parse().ok().or_else(|| integer(text.parse().ok()?))
            })
        },
        (Utf8, To::Float) => |x| read::<Float64Type>(x, |text| text.trim().parse().ok()),
        (Utf8, To::Bool) => |x| {
            let texts = x.as_string::<i32>().iter();
            Arc::new(texts.map(|text| text.and_then(boolean)).collect::<BooleanArray>())
        },
        (Utf8, To::Timestamp) => {
            |x| recast(&read::<TimestampMicrosecondType>(x, time), To::Timestamp)
        }
        (Utf8, To::Date) => |x| {
            read::<Date32Type>(x, |text| {
                let text = text.trim();
                date(text).or_else(|| Some(Date32Type::from_naive_date(moment(text)?.0.date())))
            })
        },
        _ => return None,
    })
}

/// A number without its fraction, if 64 bits hold it.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn integer(x: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    let whole = x.trunc();
    (-END..END).contains(&whole).then_some(whole as i64)
}

fn boolean(text: &str) -> Option<bool> {
    let text = text.trim();
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match text {
        _ if is_one_of(&["true", "t", "yes", "y", "on", "1"]) => Some(true),
        _ if is_one_of(&["false", "f", "no", "n", "off", "0"]) => Some(false),
        _ => None,
    }
}

fn time(text: &str) -> Option<i64> {
    let (local, utc_us) = moment(text.trim())?;
    Some(utc_us.unwrap_or_else(|| local.and_utc().timestamp_micros()))
}

/// The moment as clocks show it, and in UTC if there is a zone.
fn moment(text: &str) -> Option<(NaiveDateTime, Option<i64>)> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some((time.naive_local(), Some(time.timestamp_micros())));
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z"] {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Some((time.naive_local(), Some(time.timestamp_micros())));
        }
    }
    let formats =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let midnight =
        || Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN));
    Some((local.or_else(midnight)?, None))
}
