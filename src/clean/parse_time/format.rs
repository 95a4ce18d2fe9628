//! Times written by a strptime format, read once per text.

use crate::registry::Problem;
use chrono::{
    DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, NaiveTime, TimeZone,
    format::{Item, Parsed, StrftimeItems, parse},
};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a time is that the clocks show twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ambiguous {
    /// Nothing that can be read.
    #[default]
    Fail,
    /// The first of the two.
    Earlier,
    /// The second.
    Later,
}

/// A format, and whose clocks it is about.
#[derive(Debug)]
pub(super) struct Format {
    items: Vec<Item<'static>>,
    zone: Tz,
    ambiguous: Ambiguous,
}

impl Format {
    /// Reads the format. It has to tell a date: what it writes of one, it has to read.
    pub(super) fn compile(text: &str, zone: Tz, ambiguous: Ambiguous) -> Result<Self, Problem> {
        let items = StrftimeItems::new(text).parse_to_owned().map_err(|_| {
            Problem::nowhere(format!("`{text}` is no format of times"))
                .expected("one of strptime, such as `%Y-%m-%d %H:%M:%S`")
        })?;
        let format = Self { items, zone: chrono_tz::UTC, ambiguous };
        let moment = "2024-05-31T00:00:00+00:00".parse::<DateTime<FixedOffset>>();
        let moment = moment.expect("it is RFC 3339");
        let written = moment.format_with_items(format.items.iter()).to_string();
        if format.micros(&written) != Some(moment.timestamp_micros()) {
            return Err(Problem::nowhere(format!("`{text}` does not tell a date"))
                .expected("year, month and day, such as `%Y-%m-%d`"));
        }
        Ok(Self { zone, ..format })
    }

    /// Microseconds since the epoch.
    pub(super) fn micros(&self, text: &str) -> Option<i64> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        if parsed.timestamp().is_some() || parsed.offset().is_some() {
            let offset = parsed.offset().unwrap_or(0);
            let local = parsed.to_naive_datetime_with_offset(offset);
            let local = local.ok().or_else(|| midnight(&parsed))?;
            return local.and_utc().timestamp_micros().checked_sub(i64::from(offset) * 1_000_000);
        }
        let local = parsed.to_naive_datetime_with_offset(0).ok().or_else(|| midnight(&parsed))?;
        let moment = match (self.zone.from_local_datetime(&local), self.ambiguous) {
            (MappedLocalTime::Single(moment), _)
            | (MappedLocalTime::Ambiguous(moment, _), Ambiguous::Earlier)
            | (MappedLocalTime::Ambiguous(_, moment), Ambiguous::Later) => moment,
            (MappedLocalTime::Ambiguous(..), Ambiguous::Fail) | (MappedLocalTime::None, _) => {
                return None;
            }
        };
        Some(moment.timestamp_micros())
    }
}

/// The beginning of a date without a time of day.
fn midnight(parsed: &Parsed) -> Option<NaiveDateTime> {
    let has_time = parsed.hour_div_12().is_some() || parsed.hour_mod_12().is_some();
    let date = (!has_time && parsed.minute().is_none()).then(|| parsed.to_naive_date().ok());
    Some(date.flatten()?.and_time(NaiveTime::MIN))
}
