//! The parts of a moment, named and counted as pandas' `.dt` does.

use super::days::{Business, Holidays};
use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike, Weekday};
use schemars::JsonSchema;
use serde::Deserialize;

/// A part of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
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
    /// 28 to 31.
    DaysInMonth,
    /// 1 on Saturdays and Sundays.
    IsWeekend,
    /// 1 on the first day of a month.
    IsMonthStart,
    /// 1 on the last day of a month.
    IsMonthEnd,
    /// 1 on the first day of a quarter.
    IsQuarterStart,
    /// 1 on the last day of a quarter.
    IsQuarterEnd,
    /// 1 on the first day of a year.
    IsYearStart,
    /// 1 on the last day of a year.
    IsYearEnd,
    /// 1 in years of 366 days.
    IsLeapYear,
    /// 1 on `business_days` that are no holidays.
    IsBusinessDay,
    /// 1 within `business_hours` of such a day.
    IsBusinessHour,
    /// 1 on a listed holiday.
    IsHoliday,
    /// Name of the holiday, as text; null on other days.
    Holiday,
    /// Days until the next listed holiday, 0 on one; null behind the last.
    DaysToHoliday,
    /// Days since the last listed holiday, 0 on one; null before the first.
    DaysSinceHoliday,
}

impl Part {
    pub(super) const fn name(self) -> &'static str {
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
            Self::DaysInMonth => "days_in_month",
            Self::IsWeekend => "is_weekend",
            Self::IsMonthStart => "is_month_start",
            Self::IsMonthEnd => "is_month_end",
            Self::IsQuarterStart => "is_quarter_start",
            Self::IsQuarterEnd => "is_quarter_end",
            Self::IsYearStart => "is_year_start",
            Self::IsYearEnd => "is_year_end",
            Self::IsLeapYear => "is_leap_year",
            Self::IsBusinessDay => "is_business_day",
            Self::IsBusinessHour => "is_business_hour",
            Self::IsHoliday => "is_holiday",
            Self::Holiday => "holiday",
            Self::DaysToHoliday => "days_to_holiday",
            Self::DaysSinceHoliday => "days_since_holiday",
        }
    }

    /// True if there is no such part without holidays.
    pub(super) const fn is_of_holidays(self) -> bool {
        matches!(
            self,
            Self::IsHoliday | Self::Holiday | Self::DaysToHoliday | Self::DaysSinceHoliday
        )
    }

    /// True if it asks for the time of the day.
    pub(super) const fn is_of_business(self) -> bool {
        matches!(self, Self::IsBusinessDay | Self::IsBusinessHour)
    }

    /// The part as a number; [`Part::Holiday`] has none.
    pub(super) fn of(
        self,
        moment: &NaiveDateTime,
        business: &Business,
        holidays: &Holidays,
    ) -> Option<i64> {
        let date = moment.date();
        let weekday = date.weekday();
        let is_in = |months: &[u32]| months.contains(&date.month());
        let begins = date.day() == 1;
        let ends = || date.succ_opt().is_none_or(|tomorrow| tomorrow.day() == 1);
        Some(match self {
            Self::Year => date.year().into(),
            Self::Quarter => date.quarter().into(),
            Self::Month => date.month().into(),
            Self::Week => date.iso_week().week().into(),
            Self::Day => date.day().into(),
            Self::DayOfYear => date.ordinal().into(),
            Self::DayOfWeek => weekday.num_days_from_monday().into(),
            Self::Hour => moment.hour().into(),
            Self::Minute => moment.minute().into(),
            Self::Second => moment.second().into(),
            Self::DaysInMonth => date.num_days_in_month().into(),
            Self::IsWeekend => matches!(weekday, Weekday::Sat | Weekday::Sun).into(),
            Self::IsMonthStart => begins.into(),
            Self::IsMonthEnd => ends().into(),
            Self::IsQuarterStart => (begins && is_in(&[1, 4, 7, 10])).into(),
            Self::IsQuarterEnd => (is_in(&[3, 6, 9, 12]) && ends()).into(),
            Self::IsYearStart => (date.ordinal() == 1).into(),
            Self::IsYearEnd => (is_in(&[12]) && ends()).into(),
            Self::IsLeapYear => date.leap_year().into(),
            Self::IsBusinessDay => is_business_day(date, business, holidays).into(),
            Self::IsBusinessHour => {
                let second = moment.num_seconds_from_midnight();
                (business.hours.contains(&second) && is_business_day(date, business, holidays))
                    .into()
            }
            Self::IsHoliday => holidays.name(date).is_some().into(),
            Self::Holiday => return None,
            Self::DaysToHoliday => return holidays.days_to(date),
            Self::DaysSinceHoliday => return holidays.days_since(date),
        })
    }
}

fn is_business_day(date: NaiveDate, business: &Business, holidays: &Holidays) -> bool {
    business.is_on(date.weekday()) && holidays.name(date).is_none()
}
