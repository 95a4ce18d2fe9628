//! `calendar`: the parts of a moment, as people of a time zone read them.

use super::{Build, Failed, Feature, Input, times::Times};
use crate::registry::{self, Component, Node, Problem, time_zone};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Weekday};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "calendar",
    summary: "Writes parts of a moment, such as hour or day of week, as they are in a time zone.",
    example: "{ column: ts, parts: [hour, day_of_week, is_weekend], zone: Europe/Zurich }",
    details: "The Gregorian calendar as clocks of the zone show it, weeks by ISO 8601. Null of a \
              null, and of a time that no calendar has.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `calendar`. Parts are named and counted as pandas' `.dt` does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A timestamp or date column, or the column of the event time.
    column: String,
    /// One output each: `{column}_{part}`.
    parts: Vec<Part>,
    /// A time zone by its IANA name: UTC if not given.
    zone: Option<String>,
    /// What the outputs' names begin with instead of the column: `{as}_{part}`.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

/// A part of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// Year of our era.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// Week of the ISO year, 1 to 53.
    Week,
    /// Day of the month, from 1.
    Day,
    /// From 1.
    DayOfYear,
    /// Monday is 0.
    DayOfWeek,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
    /// 0 to 59.
    Second,
    /// 1 on Saturdays and Sundays.
    IsWeekend,
    /// 1 on the first day of a month.
    IsMonthStart,
    /// 1 on the last day of a month.
    IsMonthEnd,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::DayOfYear => "day_of_year",
            Self::DayOfWeek => "day_of_week",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::IsWeekend => "is_weekend",
            Self::IsMonthStart => "is_month_start",
            Self::IsMonthEnd => "is_month_end",
        }
    }

    fn of(self, moment: &NaiveDateTime) -> i64 {
        let weekday = moment.weekday();
        match self {
            Self::Year => moment.year().into(),
            Self::Quarter => moment.quarter().into(),
            Self::Month => moment.month().into(),
            Self::Week => moment.iso_week().week().into(),
            Self::Day => moment.day().into(),
            Self::DayOfYear => moment.ordinal().into(),
            Self::DayOfWeek => weekday.num_days_from_monday().into(),
            Self::Hour => moment.hour().into(),
            Self::Minute => moment.minute().into(),
            Self::Second => moment.second().into(),
            Self::IsWeekend => matches!(weekday, Weekday::Sat | Weekday::Sun).into(),
            Self::IsMonthStart => (moment.day() == 1).into(),
            Self::IsMonthEnd => {
                moment.date().succ_opt().is_none_or(|tomorrow| tomorrow.day() == 1).into()
            }
        }
    }
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, parts, zone, prefix } = registry::options(node)?;
    let times = Times::find(&column, input, node.at("column"))?;
    if parts.is_empty() {
        return Err(Problem::new(node.at("parts"), "no parts").expected("at least one"));
    }
    let zone = match zone {
        Some(_) if times.are_dates(input) => {
            return Err(Problem::new(node.at("zone"), format!("column `{column}` has dates"))
                .expected("no zone: a date is the same everywhere"));
        }
        Some(name) => time_zone(&name, node.at("zone"))?,
        None => Tz::UTC,
    };
    let prefix = prefix.unwrap_or(column);
    let field = |part: &Part| {
        let name = format!("{prefix}_{}", part.name());
        // A time that no calendar has is null.
        Arc::new(Field::new(name, DataType::Int64, true))
    };
    let fields = parts.iter().map(field).collect();
    Ok(Box::new(Calendar { times, zone, parts, fields }))
}

#[derive(Debug)]
struct Calendar {
    times: Times,
    zone: Tz,
    parts: Vec<Part>,
    fields: Vec<FieldRef>,
}

impl Feature for Calendar {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.clone()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let times = self.times.read(rows, event_times);
        let moment = |us: Option<i64>| {
            Some(DateTime::from_timestamp_micros(us?)?.with_timezone(&self.zone).naive_local())
        };
        let moments: Vec<Option<NaiveDateTime>> = times.iter().map(moment).collect();
        for part in &self.parts {
            let values = moments.iter().map(|moment| moment.as_ref().map(|m| part.of(m)));
            out.push(Arc::new(values.collect::<Int64Array>()));
        }
    }
}
