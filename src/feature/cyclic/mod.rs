//! `cyclic`: a moment as a point on a circle, so that 23:59 and 00:00 are neighbours.

mod period;

use super::{
    Build, Failed, Feature, Input, find_column, floats,
    times::{Times, clock_us},
};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use chrono_tz::Tz;
use period::Period;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{f64::consts::TAU, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "cyclic",
    summary: "Writes sine and cosine of a column's place in an hour, day, week, month, year or \
              other period.",
    example: "{ column: ts, period: day, zone: Europe/Zurich }",
    details: "`sin 2πp` and `cos 2πp` of the share `p` of the period that has passed on the clocks of `zone`: \
              a week begins on Monday, a month is as long as it is, and an hour that clocks show twice \
              has one place. Null of null.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `cyclic`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A timestamp or date column, the column of the event time, or a column of numbers.
    column: String,
    /// `minute`, `hour`, `day`, `week` (from Monday), `month`, `year` or a duration such as `12h`; or, for a column of numbers, the period in the column's own unit.
    #[schemars(with = "PeriodText")]
    period: Written,
    /// A time zone by its IANA name, whose clocks are looked at: UTC if not given.
    zone: Option<String>,
    /// What the outputs' names begin with instead of the column and period: `{as}_sin`, `{as}_cos`.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

/// How a period may be written.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the JSON Schema of the options")]
enum PeriodText {
    Name(String),
    Number(f64),
}

/// A period as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "wrong type; expected minute, hour, day, week, month, year, a duration or a number"
)]
enum Written {
    Number(f64),
    Name(String),
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    let source = source(&options, node, input)?;
    let prefix = options.prefix.unwrap_or_else(|| {
        let period = match &options.period {
            Written::Name(text) => text.clone(),
            Written::Number(number) => number.to_string(),
        };
        format!("{}_{period}", options.column)
    });
    let nullable = match source {
        Source::Time(times, ..) => times.nullable(),
        Source::Number(index, _) => input.schema.field(index).is_nullable(),
    };
    let field = |part| Field::new(format!("{prefix}_{part}"), DataType::Float64, nullable);
    Ok(Box::new(Cyclic { source, fields: [Arc::new(field("sin")), Arc::new(field("cos"))] }))
}

fn source(options: &Options, node: &Node, input: &Input<'_>) -> Result<Source, Problem> {
    let index = find_column(&options.column, input.schema, node.at("column"))?;
    let data_type = input.schema.field(index).data_type();
    let times = Times::of(index, input);
    let at = node.at("period");
    match (&options.period, times) {
        (Written::Name(text), Some(times)) => {
            let period = Period::parse(text).ok_or_else(|| {
                let names = Period::NAMES.into_iter().chain(["a duration such as 12h"]);
                Problem::new(at, format!("unknown period `{text}`")).expected_one_of(text, names)
            })?;
            let zone = times.zone(options.zone.as_deref(), &options.column, input, node)?;
            Ok(Source::Time(times, period, zone))
        }
        (Written::Number(period), _) if data_type.is_numeric() => {
            if options.zone.is_some() {
                let what = format!("column `{}` has numbers", options.column);
                return Err(Problem::new(node.at("zone"), what).expected("no zone"));
            }
            if period.is_finite() && *period > 0.0 {
                return Ok(Source::Number(index, *period));
            }
            Err(Problem::new(at, format!("period {period}")).expected("a positive number"))
        }
        _ => {
            let expected = if times.is_some() && !data_type.is_numeric() {
                "minute, hour, day, week, month, year or a duration such as 12h"
            } else if data_type.is_numeric() {
                "a period as a number in the column's unit, or the column of the event time"
            } else {
                "a timestamp, date or number column, or the column of the event time"
            };
            let what = format!("column `{}` is of type {data_type}", options.column);
            Err(Problem::new(at, what).expected(expected))
        }
    }
}

/// Where the place in the period comes from.
#[derive(Debug)]
enum Source {
    /// Moments, the period they lie in, and whose clocks show it.
    Time(Times, Period, Tz),
    /// A column of numbers and the period in its unit.
    Number(usize, f64),
}

/// sin and cos of 2 pi times the share of the period that has passed.
#[derive(Debug)]
struct Cyclic {
    source: Source,
    fields: [FieldRef; 2],
}

impl Cyclic {
    fn passed(&self, rows: &RecordBatch, event_times: &[i64]) -> Float64Array {
        match self.source {
            Source::Time(times, period, zone) => {
                times.read(rows, event_times).unary(|us| period.passed(clock_us(us, zone)))
            }
            Source::Number(index, period) => {
                floats(rows, index).unary(|x| x.rem_euclid(period) / period)
            }
        }
    }
}

impl Feature for Cyclic {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.to_vec()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let passed = self.passed(rows, event_times);
        let on_circle = |f: fn(f64) -> f64| -> Float64Array { passed.unary(|x| f(TAU * x)) };
        out.push(Arc::new(on_circle(f64::sin)));
        out.push(Arc::new(on_circle(f64::cos)));
    }
}
