//! `cyclic`: a moment as a point on a circle, so that 23:59 and 00:00 are neighbours.

use super::{Build, Failed, Feature, Input, find_column, floats, times::Times};
use crate::registry::{self, Component, Node, Problem, Span};
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use chrono::{DateTime, Datelike, NaiveDate};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{f64::consts::TAU, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "cyclic",
    summary: "Writes sine and cosine of a column's place in an hour, day, week, month, year or \
              other period.",
    example: "{ column: ts, period: day }",
    details: "`sin(2 pi s)` and `cos(2 pi s)` with the share `s` of the period that has passed, \
              from 1970-01-01T00:00Z on, weeks from Monday, months and years by the calendar. \
              Null of a null, NaN of NaN.",
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
    /// `hour`, `day`, `week` (from Monday), `month`, `year`, a duration such as `12h`, all in UTC;
    /// or, for a column of numbers, the period in the column's own unit.
    #[schemars(with = "PeriodText")]
    period: Written,
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
    expecting = "wrong type; expected hour, day, week, month, year, a duration or a number"
)]
enum Written {
    Number(f64),
    Name(String),
}

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
const WEEK_US: i64 = 7 * DAY_US;
/// The epoch was a Thursday; the Monday before it is three days earlier.
const MONDAY_US: i64 = 3 * DAY_US;

/// A period of time.
#[derive(Debug, Clone, Copy)]
enum Period {
    /// Microseconds, and how long before the epoch one began.
    Fixed {
        us: i64,
        phase_us: i64,
    },
    Month,
    Year,
}

impl Period {
    fn parse(text: &str) -> Option<Self> {
        let fixed = |us, phase_us| Some(Self::Fixed { us, phase_us });
        match text {
            "hour" => fixed(HOUR_US, 0),
            "day" => fixed(DAY_US, 0),
            "week" => fixed(WEEK_US, MONDAY_US),
            "month" => Some(Self::Month),
            "year" => Some(Self::Year),
            other => Span::parse(other).filter(|s| s.us > 0).and_then(|s| fixed(s.us, 0)),
        }
    }

    /// How much of the period has passed at `us` microseconds since the epoch, in [0, 1).
    fn passed(self, us: i64) -> f64 {
        let share = |us: i64, of: i64| us as f64 / of as f64;
        match self {
            Self::Fixed { us: period, phase_us } => {
                // In 128 bits: times near the ends of the range must not overflow.
                let place = (i128::from(us) + i128::from(phase_us)).rem_euclid(period.into());
                place as f64 / period as f64
            }
            Self::Month | Self::Year => {
                let Some(date) = DateTime::from_timestamp_micros(us).map(|t| t.date_naive()) else {
                    return f64::NAN;
                };
                let (first, next) = self.around(date);
                share(us - first, next - first)
            }
        }
    }

    /// Beginning of the calendar month or year that holds `date`, and of the one after it.
    fn around(self, date: NaiveDate) -> (i64, i64) {
        let year = date.year();
        let (first, next) = match (self, date.month()) {
            (Self::Month, 12) => ((year, 12), (year + 1, 1)),
            (Self::Month, month) => ((year, month), (year, month + 1)),
            _ => ((year, 1), (year + 1, 1)),
        };
        let start = |(year, month)| {
            let epoch_days = |date: NaiveDate| i64::from(date.to_epoch_days());
            NaiveDate::from_ymd_opt(year, month, 1).map_or(i64::MAX, |d| epoch_days(d) * DAY_US)
        };
        (start(first), start(next))
    }
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
        Source::Time(times, _) => times.nullable(),
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
                Problem::new(at, format!("unknown period `{text}`")).expected_one_of(
                    text,
                    ["hour", "day", "week", "month", "year", "a duration such as 12h"],
                )
            })?;
            Ok(Source::Time(times, period))
        }
        (Written::Number(period), _) if data_type.is_numeric() => {
            if period.is_finite() && *period > 0.0 {
                return Ok(Source::Number(index, *period));
            }
            Err(Problem::new(at, format!("period {period}")).expected("a positive number"))
        }
        _ => {
            let expected = if times.is_some() && !data_type.is_numeric() {
                "hour, day, week, month, year or a duration such as 12h"
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
    /// Moments and the period they lie in.
    Time(Times, Period),
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
            Source::Time(times, period) => {
                times.read(rows, event_times).unary(|us| period.passed(us))
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
