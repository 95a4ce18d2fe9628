//! `parse_time`: texts or numbers that tell a moment become timestamps.
//!
//! A moment that cannot be read, lies outside the years 1 to 9999, or that the clocks of the zone
//! skip, fails; so does, unless `ambiguous` says otherwise, one that they show twice.

mod format;

use super::{
    Build, Clean, Input,
    column::{self, Output},
    failure::{Converted, OnFailure},
};
use crate::{
    batch::{Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of, time_zone},
};
use arrow::{
    array::{ArrayRef, AsArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Int64Type, SchemaRef, TimeUnit},
};
use chrono::DateTime;
use format::{Ambiguous, Format};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{ops::RangeInclusive, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "parse_time",
    summary: "Reads times from texts by a format and a time zone, or from numbers by a unit.",
    example: "{ column: category, format: \"%d.%m.%Y %H:%M\", zone: Europe/Berlin, on_failure: null }",
    details: "`format` is one of strptime (`%Y-%m-%d %H:%M:%S%.f`, chrono's `strftime` has the list), or \
              `rfc3339`. Where it reads an offset (`%z`) the moment is that of the offset, else that of \
              clocks in `zone`; a format without a time of day means midnight. `unit` is that of numbers \
              since 1970-01-01T00:00Z, parts of a microsecond are cut off downwards.\n\n\
              What cannot be read fails, and what clocks of the zone skip; what they show twice fails \
              too (`ambiguous: fail`, as pandas' `tz_localize`), or is the `earlier` or `later` moment. \
              The new values are timestamps in UTC. Null stays null.",
    state: "none",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(ParseTime::build(options, input)?)),
};

/// Options of `parse_time`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of texts or of integers.
    column: String,
    /// Of texts: how times are written, such as `%Y-%m-%d %H:%M:%S`, or `rfc3339`.
    format: Option<String>,
    /// Of integers: what is counted since 1970-01-01T00:00Z.
    unit: Option<Unit>,
    /// Of texts without an offset: whose clocks they are, an IANA name.
    #[schemars(extend("default" = "UTC"))]
    zone: Option<String>,
    /// What a time is that the clocks show twice.
    #[serde(default)]
    ambiguous: Ambiguous,
    /// What happens to a record whose value cannot be read.
    #[serde(default, deserialize_with = "OnFailure::read")]
    #[schemars(with = "Option<OnFailure>", extend("default" = "reject"))]
    on_failure: OnFailure,
    /// Name of a new column; without it the column itself becomes a timestamp.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

impl Unit {
    fn micros(self, count: i64) -> Option<i64> {
        match self {
            Self::S => count.checked_mul(1_000_000),
            Self::Ms => count.checked_mul(1_000),
            Self::Us => Some(count),
            Self::Ns => Some(count.div_euclid(1_000)),
        }
    }
}

/// How times are written.
#[derive(Debug)]
enum Reader {
    Rfc3339,
    Format(Box<Format>),
    Count(Unit),
}

/// From the beginning of the year 1 to the end of 9999, microseconds.
const YEARS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

#[derive(Debug)]
struct ParseTime {
    column: usize,
    reader: Reader,
    converted: Converted,
}

impl ParseTime {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let at = node.at("column");
        let column = column::named(input.schema, &options.column, at)?;
        let field = input.schema.field(column);
        let (reader, words) = reader(&options, field, node)?;
        let nullable = field.is_nullable() || options.on_failure == OnFailure::Null;
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let name = options.name.as_deref().map(|name| (name, node.at("as")));
        let output = Output::build(input.schema, column, (utc, nullable), name)?;
        let detail = format!("column `{}` is not {words}", field.name());
        let converted = Converted { output, on_failure: options.on_failure, detail };
        Ok(Self { column, reader, converted })
    }

    fn read(&self, column: &ArrayRef) -> ArrayRef {
        let times: TimestampMicrosecondArray = match &self.reader {
            Reader::Count(unit) => {
                let counts = column.as_primitive::<Int64Type>().iter();
                counts.map(|count| count.and_then(|count| in_years(unit.micros(count)))).collect()
            }
            Reader::Rfc3339 => {
                let read = |text| Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros());
                let texts = column.as_string::<i32>().iter();
                texts.map(|text| text.and_then(|text| in_years(read(text)))).collect()
            }
            Reader::Format(format) => {
                let texts = column.as_string::<i32>().iter();
                texts.map(|text| text.and_then(|text| in_years(format.micros(text)))).collect()
            }
        };
        Arc::new(times.with_timezone("UTC"))
    }
}

fn in_years(us: Option<i64>) -> Option<i64> {
    us.filter(|us| YEARS.contains(us))
}

fn reader(options: &Options, field: &Field, node: &Node) -> Result<(Reader, String), Problem> {
    let of_texts = options.format.as_deref().map(|format| (format, node.at("format")));
    match (of_texts, options.unit) {
        (Some((format, at)), None) => {
            column::text(field, node.at("column"))?;
            if format == "rfc3339" {
                if options.zone.is_some() {
                    let what = "`zone` beside `format: rfc3339`, which has offsets";
                    return Err(Problem::new(node.at("zone"), what).expected("no `zone`"));
                }
                return Ok((Reader::Rfc3339, "an RFC 3339 time".to_owned()));
            }
            let zone = match &options.zone {
                Some(zone) => time_zone(zone, node.at("zone"))?,
                None => chrono_tz::UTC,
            };
            let read = Format::compile(format, zone, options.ambiguous);
            let read = read.map_err(|problem| problem.or_at(at))?;
            let words = format!("a time of the form `{format}` that clocks in {zone} show");
            Ok((Reader::Format(Box::new(read)), words))
        }
        (None, Some(unit)) => {
            if *field.data_type() != DataType::Int64 {
                return Err(column::wrong_type(field, node.at("column"), "an integer column"));
            }
            if options.zone.is_some() {
                let what = "`zone` beside `unit`, which counts in UTC";
                return Err(Problem::new(node.at("zone"), what).expected("no `zone`"));
            }
            Ok((Reader::Count(unit), "a time in the years 1 to 9999".to_owned()))
        }
        (Some(_), Some(_)) => Err(Problem::new(node.at("unit"), "`format` and `unit` together")
            .expected("`format` for texts or `unit` for integers")),
        (None, None) => Err(Problem::new(node.at, "nothing to read times by")
            .expected("`format` for texts or `unit` for integers")),
    }
}

impl Clean for ParseTime {
    fn schema(&self) -> SchemaRef {
        self.converted.output.schema()
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let before = Arc::clone(rows.columns.column(self.column));
        let after = self.read(&before);
        self.converted.put(rows, &before, after, rejected)
    }
}

#[cfg(test)]
mod tests;
