//! `calendar`: the parts of a moment, as people of a time zone read them.

mod days;
mod part;

use super::{Build, Failed, Feature, Input, times::Times};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, FieldRef},
};
use chrono::{DateTime, NaiveDateTime};
use chrono_tz::Tz;
use days::{Business, Day, Holidays};
use part::Part;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "calendar",
    summary: "Writes parts of a moment, such as hour or day of week, as they are in a time zone.",
    example: "{ column: ts, parts: [hour, day_of_week, is_weekend], zone: Europe/Zurich }",
    details: "Parts are named and counted as pandas' `.dt` does, on the clocks of `zone`: Monday is 0, weeks \
              are ISO's. Business hours hold their beginning and not their end; a business day is no \
              holiday. A date has the time 00:00. Null of null, and of a time that no calendar has.",
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
    /// Beginning and end of the hours of business, such as `["09:00", "17:00"]`, which these are if not
    /// given.
    business_hours: Option<[String; 2]>,
    /// The days of business: `monday` to `friday` if not given.
    business_days: Option<Vec<Day>>,
    /// Holidays by their dates, `{ 2026-12-25: Christmas }`, or the path of a file, relative to the
    /// pipeline file, with a line `date,name` for each.
    #[schemars(with = "Option<HolidaysText>")]
    holidays: Option<BTreeMap<String, String>>,
    /// What the outputs' names begin with instead of the column: `{as}_{part}`.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

/// How holidays may be written.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the JSON Schema of the options")]
enum HolidaysText {
    Path(String),
    Dates(BTreeMap<String, String>),
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    let Options { column, parts, zone, business_hours, business_days, holidays, prefix } = options;
    let times = Times::find(&column, input, node.at("column"))?;
    if parts.is_empty() {
        return Err(Problem::new(node.at("parts"), "no parts").expected("at least one"));
    }
    let zone = times.zone(zone.as_deref(), &column, input, node)?;
    let of_holidays = parts.iter().find(|part| part.is_of_holidays());
    if let Some(part) = of_holidays.filter(|_| holidays.is_none()) {
        return Err(Problem::new(node.at("parts"), format!("`{}` without holidays", part.name()))
            .expected("their dates or a file of them under `holidays`"));
    }
    if let Some(key) = unused(node, &parts) {
        return Err(Problem::new(node.at(key), format!("no part that asks for `{key}`"))
            .expected("one such as `is_business_day`, `is_business_hour` or `is_holiday`"));
    }
    let business = Business::build(node, business_days.as_deref(), business_hours.as_ref())?;
    let holidays = holidays.map(|listed| Holidays::build(node, &listed)).transpose()?;
    let prefix = prefix.unwrap_or(column);
    let field = |part: &Part| {
        let data_type = if *part == Part::Holiday { DataType::Utf8 } else { DataType::Int64 };
        // A time that no calendar has is null.
        Arc::new(Field::new(format!("{prefix}_{}", part.name()), data_type, true))
    };
    let fields = parts.iter().map(field).collect();
    let holidays = holidays.unwrap_or_default();
    Ok(Box::new(Calendar { times, zone, parts, business, holidays, fields }))
}

/// An option without effect.
fn unused(node: &Node, parts: &[Part]) -> Option<&'static str> {
    let of_business = parts.iter().any(|part| part.is_of_business());
    let of_hours = parts.contains(&Part::IsBusinessHour);
    let of_holidays = of_business || parts.iter().any(|part| part.is_of_holidays());
    let options =
        [("business_hours", of_hours), ("business_days", of_business), ("holidays", of_holidays)];
    options.into_iter().find(|(key, used)| !used && node.get(key).is_some()).map(|(key, _)| key)
}

#[derive(Debug)]
struct Calendar {
    times: Times,
    zone: Tz,
    parts: Vec<Part>,
    business: Business,
    holidays: Holidays,
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
            out.push(if *part == Part::Holiday {
                let name = |moment: &Option<NaiveDateTime>| self.holidays.name((*moment)?.date());
                Arc::new(moments.iter().map(name).collect::<StringArray>())
            } else {
                let number = |moment: &Option<NaiveDateTime>| {
                    part.of(&(*moment)?, &self.business, &self.holidays)
                };
                Arc::new(moments.iter().map(number).collect::<Int64Array>())
            });
        }
    }
}
