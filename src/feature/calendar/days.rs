//! What a calendar is told: business days and hours, and holidays.

use crate::registry::{Node, Problem};
use chrono::{NaiveDate, Weekday};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, ops::Range};

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// The days and hours of business.
#[derive(Debug)]
pub(super) struct Business {
    /// From Monday on.
    days: [bool; 7],
    /// Seconds of the day.
    pub(super) hours: Range<u32>,
}

impl Business {
    /// Monday to Friday from 9 to 17 where the options say nothing else.
    pub(super) fn build(
        node: &Node,
        days: Option<&[Day]>,
        hours: Option<&[String; 2]>,
    ) -> Result<Self, Problem> {
        let mut is_on = [true, true, true, true, true, false, false];
        if let Some(days) = days {
            is_on = [false; 7];
            for day in days {
                is_on[*day as usize] = true;
            }
        }
        let hours = hours.map_or(Ok(9 * 3_600..17 * 3_600), |[start, end]| {
            let read = |text: &str| {
                second_of_day(text).ok_or_else(|| {
                    Problem::new(node.at("business_hours"), format!("`{text}` is no time of a day"))
                        .expected("hours and minutes such as `09:00`, up to `24:00`")
                })
            };
            Ok(read(start)?..read(end)?)
        })?;
        if hours.is_empty() {
            return Err(Problem::new(
                node.at("business_hours"),
                "hours that end before they begin",
            )
            .expected("the beginning and the end on one day: `[\"09:00\", \"17:00\"]`"));
        }
        Ok(Self { days: is_on, hours })
    }

    pub(super) fn is_on(&self, day: Weekday) -> bool {
        self.days[day.num_days_from_monday() as usize]
    }
}

/// `HH:MM` from `00:00` to `24:00`.
fn second_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_digits.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let second = 3_600 * hour + 60 * minute;
    (minute < 60 && second <= 86_400).then_some(second)
}

/// Listed holidays.
#[derive(Debug, Default)]
pub(super) struct Holidays {
    /// Ascending.
    dates: Vec<NaiveDate>,
    names: Vec<String>,
}

impl Holidays {
    pub(super) fn build(node: &Node, listed: &BTreeMap<String, String>) -> Result<Self, Problem> {
        let places = node.get("holidays").and_then(Node::as_map).unwrap_or_default();
        let mut dates = Vec::with_capacity(places.len());
        for (text, at, _) in places {
            let date: NaiveDate = text.parse().map_err(|_| {
                Problem::new(*at, format!("`{text}` is no date"))
                    .expected("dates such as `2026-12-25`")
            })?;
            dates.push((date, listed[text].clone()));
        }
        if dates.is_empty() {
            return Err(
                Problem::new(node.at("holidays"), "no holidays").expected("dates with their names")
            );
        }
        dates.sort_unstable();
        let (dates, names) = dates.into_iter().unzip();
        Ok(Self { dates, names })
    }

    /// The name of the holiday that a date is.
    pub(super) fn name(&self, date: NaiveDate) -> Option<&str> {
        self.dates.binary_search(&date).ok().map(|place| self.names[place].as_str())
    }

    pub(super) fn days_to(&self, date: NaiveDate) -> Option<i64> {
        let next = self.dates.get(self.dates.partition_point(|holiday| *holiday < date))?;
        Some((*next - date).num_days())
    }

    pub(super) fn days_since(&self, date: NaiveDate) -> Option<i64> {
        let last = self.dates.partition_point(|holiday| *holiday <= date).checked_sub(1)?;
        Some((date - self.dates[last]).num_days())
    }
}
