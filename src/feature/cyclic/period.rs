//! Periods of time, and how much of one has passed at a moment.

use crate::registry::Span;
use chrono::{DateTime, Datelike, NaiveDate};

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 24 * HOUR_US;
const WEEK_US: i64 = 7 * DAY_US;
/// The epoch was a Thursday; the Monday before it is three days earlier.
const MONDAY_US: i64 = 3 * DAY_US;

/// A period of time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Period {
    /// Microseconds, and how long before the epoch one began.
    Fixed {
        us: i64,
        phase_us: i64,
    },
    Month,
    Year,
}

impl Period {
    /// The names of periods.
    pub(super) const NAMES: [&'static str; 6] = ["minute", "hour", "day", "week", "month", "year"];

    pub(super) fn parse(text: &str) -> Option<Self> {
        let fixed = |us, phase_us| Some(Self::Fixed { us, phase_us });
        match text {
            "minute" => fixed(MINUTE_US, 0),
            "hour" => fixed(HOUR_US, 0),
            "day" => fixed(DAY_US, 0),
            "week" => fixed(WEEK_US, MONDAY_US),
            "month" => Some(Self::Month),
            "year" => Some(Self::Year),
            other => Span::parse(other).filter(|s| s.us > 0).and_then(|s| fixed(s.us, 0)),
        }
    }

    /// How much of the period has passed at `us` microseconds since the epoch, in [0, 1).
    pub(super) fn passed(self, us: i64) -> f64 {
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
