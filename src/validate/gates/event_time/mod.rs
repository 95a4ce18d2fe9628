//! Where a record's event time comes from, and how it is read: microseconds since the epoch.

use super::pattern::Pattern;
use crate::{
    batch::{Decoded, RawBatch},
    registry::Problem,
};
use arrow::{
    array::{Array, AsArray, PrimitiveArray},
    datatypes::{
        ArrowPrimitiveType, DataType, Date32Type, Float64Type, Int64Type, SchemaRef, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    },
};
use chrono::DateTime;
use std::ops::RangeInclusive;

/// The years 0001 to 9999, as RFC 3339 can write them: microseconds since the epoch. What lies
/// outside was read in the wrong unit, and sums of event times and durations stay within 64 bits.
const RANGE_US: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;
const DAY_US: i64 = 86_400_000_000;

/// Where the event time comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventTime {
    /// A column.
    Column {
        /// Its index.
        index: usize,
        /// What its values are.
        unit: TimeUnitSpec,
    },
    /// The Kafka timestamp.
    Kafka,
}

/// How the values of an event time column are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeUnitSpec {
    /// Seconds since the epoch, integer or float.
    Seconds,
    /// Milliseconds since the epoch, integer or float.
    Milliseconds,
    /// Microseconds since the epoch, integer or float.
    Microseconds,
    /// Nanoseconds since the epoch, integer or float.
    Nanoseconds,
    /// RFC 3339 text.
    Rfc3339,
    /// Text in a strptime format; without an offset it is UTC, a date alone is its midnight.
    Format(String),
    /// A timestamp or date column: it knows its unit itself.
    Timestamp,
}

impl TimeUnitSpec {
    /// Reads the `unit` of a pipeline file: `s ms us ns`, `rfc3339` or a strptime format.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Ok(match text {
            "s" => Self::Seconds,
            "ms" => Self::Milliseconds,
            "us" => Self::Microseconds,
            "ns" => Self::Nanoseconds,
            "rfc3339" => Self::Rfc3339,
            _ if text.contains('%') => {
                Pattern::compile(text)?;
                Self::Format(text.to_owned())
            }
            _ => {
                return Err(Problem::nowhere(format!("unknown event time unit `{text}`"))
                    .expected(
                        "one of `s`, `ms`, `us`, `ns`, `rfc3339`, or a strptime format such as \
                     `%Y-%m-%d %H:%M:%S`",
                    ));
            }
        })
    }
}

/// Reads the event times of a batch.
#[derive(Debug)]
pub(super) struct Reader {
    source: Source,
    /// What a record without a readable event time is told.
    unreadable: String,
}

#[derive(Debug)]
enum Source {
    Kafka,
    Integer { index: usize, unit: Epoch },
    Float { index: usize, unit: Epoch },
    Rfc3339 { index: usize },
    Pattern { index: usize, pattern: Pattern },
    Date { index: usize },
    Timestamp { index: usize, unit: TimeUnit },
}

/// A unit of time since the epoch.
#[derive(Debug, Clone, Copy)]
enum Epoch {
    /// Microseconds per unit.
    Times(i64),
    /// Units per microsecond.
    Parts(i64),
}

impl Epoch {
    /// Whole microseconds, the earlier one for a part of one.
    fn integer(self, value: i64) -> Option<i64> {
        match self {
            Self::Times(factor) => value.checked_mul(factor),
            Self::Parts(parts) => Some(value.div_euclid(parts)),
        }
    }

    /// The nearest microsecond: a float of seconds holds none exactly.
    fn float(self, value: f64) -> Option<i64> {
        let us = match self {
            Self::Times(factor) => value * factor as f64,
            Self::Parts(parts) => value / parts as f64,
        };
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        (us.abs() < 1e18).then(|| us.round() as i64)
    }
}

impl Reader {
    pub(super) fn build(event_time: EventTime, schema: &SchemaRef) -> Result<Self, Problem> {
        let EventTime::Column { index, unit } = event_time else {
            let unreadable = "the record has no Kafka timestamp".to_owned();
            return Ok(Self { source: Source::Kafka, unreadable });
        };
        let field = schema.field(index);
        let epoch = match unit {
            TimeUnitSpec::Seconds => Some(("s", Epoch::Times(1_000_000))),
            TimeUnitSpec::Milliseconds => Some(("ms", Epoch::Times(1_000))),
            TimeUnitSpec::Microseconds => Some(("us", Epoch::Times(1))),
            TimeUnitSpec::Nanoseconds => Some(("ns", Epoch::Parts(1_000))),
            TimeUnitSpec::Rfc3339 | TimeUnitSpec::Format(_) | TimeUnitSpec::Timestamp => None,
        };
        let (source, form) = match (field.data_type(), unit, epoch) {
            (DataType::Int64, _, Some((name, unit))) => {
                (Source::Integer { index, unit }, format!("a time in {name} since the epoch"))
            }
            (DataType::Float64, _, Some((name, unit))) => {
                (Source::Float { index, unit }, format!("a time in {name} since the epoch"))
            }
            (DataType::Utf8, TimeUnitSpec::Rfc3339, _) => {
                (Source::Rfc3339 { index }, "an RFC 3339 time".to_owned())
            }
            (DataType::Utf8, TimeUnitSpec::Format(text), _) => {
                let pattern = Pattern::compile(&text)?;
                (Source::Pattern { index, pattern }, format!("a time of the form `{text}`"))
            }
            (DataType::Date32, TimeUnitSpec::Timestamp, _) => {
                (Source::Date { index }, "a date".to_owned())
            }
            // A schema that knows the format has read RFC 3339 text already.
            (DataType::Timestamp(unit, _), TimeUnitSpec::Timestamp | TimeUnitSpec::Rfc3339, _) => {
                (Source::Timestamp { index, unit: *unit }, "a timestamp".to_owned())
            }
            (found, unit, _) => return Err(mismatch(field.name(), found, &unit)),
        };
        let name = field.name();
        let unreadable =
            format!("event time column `{name}` is not {form} in the years 0001 to 9999");
        Ok(Self { source, unreadable })
    }

    /// What to tell a record whose event time could not be read.
    pub(super) fn unreadable(&self) -> &str {
        &self.unreadable
    }

    /// Replaces `times` by the event time of each row, none where it is missing or unreadable.
    pub(super) fn read(&self, raw: &RawBatch, decoded: &Decoded, times: &mut Vec<Option<i64>>) {
        times.clear();
        let column = |index: usize| decoded.columns.column(index).as_ref();
        match &self.source {
            Source::Kafka => times.extend(decoded.records.iter().map(|record| {
                raw.record(*record as usize).timestamp_ms.and_then(|ms| ms.checked_mul(1_000))
            })),
            Source::Integer { index, unit } => {
                fill::<Int64Type>(column(*index), times, |value| unit.integer(value));
            }
            Source::Float { index, unit } => {
                fill::<Float64Type>(column(*index), times, |value| unit.float(value));
            }
            Source::Rfc3339 { index } => texts(column(*index), times, rfc3339),
            Source::Pattern { index, pattern } => {
                texts(column(*index), times, |text| pattern.micros(text));
            }
            Source::Date { index } => {
                fill::<Date32Type>(column(*index), times, |days| Some(i64::from(days) * DAY_US));
            }
            Source::Timestamp { index, unit } => timestamps(column(*index), *unit, times),
        }
        for time in times {
            *time = time.filter(|us| RANGE_US.contains(us));
        }
    }
}

fn mismatch(name: &str, found: &DataType, unit: &TimeUnitSpec) -> Problem {
    let (form, expected) = match unit {
        TimeUnitSpec::Rfc3339 => ("as RFC 3339", "a string column"),
        TimeUnitSpec::Format(_) => ("by a format", "a string column"),
        TimeUnitSpec::Timestamp => ("without a unit", "a timestamp or date column"),
        _ => ("as time since the epoch", "an integer or number column"),
    };
    let what = format!("event time column `{name}` is {found} and cannot be read {form}");
    Problem::nowhere(what).expected(expected)
}

fn fill<T: ArrowPrimitiveType>(
    column: &dyn Array,
    times: &mut Vec<Option<i64>>,
    micros: impl Fn(T::Native) -> Option<i64>,
) {
    let values: &PrimitiveArray<T> = column.as_primitive();
    times.extend(values.iter().map(|value| value.and_then(&micros)));
}

fn texts(column: &dyn Array, times: &mut Vec<Option<i64>>, micros: impl Fn(&str) -> Option<i64>) {
    times.extend(column.as_string::<i32>().iter().map(|text| text.and_then(&micros)));
}

fn timestamps(column: &dyn Array, unit: TimeUnit, times: &mut Vec<Option<i64>>) {
    match unit {
        TimeUnit::Second => {
            fill::<TimestampSecondType>(column, times, |s| s.checked_mul(1_000_000));
        }
        TimeUnit::Millisecond => {
            fill::<TimestampMillisecondType>(column, times, |ms| ms.checked_mul(1_000));
        }
        TimeUnit::Microsecond => fill::<TimestampMicrosecondType>(column, times, Some),
        TimeUnit::Nanosecond => {
            fill::<TimestampNanosecondType>(column, times, |ns| Some(ns.div_euclid(1_000)));
        }
    }
}

fn rfc3339(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
}

#[cfg(test)]
mod tests;
