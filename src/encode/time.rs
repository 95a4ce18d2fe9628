//! Dates and times as text, straight into a buffer.

use super::line::Line;
use arrow::datatypes::TimeUnit;
use std::io::Write;

const DAY_SECONDS: i64 = 86_400;

/// Appends days since the epoch as `2026-01-31`.
pub(super) fn write_date(days: i64, line: &mut Line<'_>) {
    let (year, month, day) = civil(days);
    if (0..=9999).contains(&year) {
        two_digits(year / 100, line);
        two_digits(year % 100, line);
    } else {
        // ISO 8601's expanded years carry a sign; RFC 3339 has no word for them.
        write!(line, "{year:+05}").expect("writing to memory");
    }
    line.push(b'-');
    two_digits(month, line);
    line.push(b'-');
    two_digits(day, line);
}

/// Appends a time since the epoch as RFC 3339 in UTC, with 0, 3, 6 or 9 digits of a second.
pub(super) fn write_timestamp(value: i64, unit: TimeUnit, line: &mut Line<'_>) {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let (seconds, rest) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    let (days, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
    write_date(days, line);
    line.push(b'T');
    two_digits(second / 3_600, line);
    line.push(b':');
    two_digits(second / 60 % 60, line);
    line.push(b':');
    two_digits(second % 60, line);
    write_fraction(rest * (1_000_000_000 / per_second), line);
    line.push(b'Z');
}

fn write_fraction(nanos: i64, line: &mut Line<'_>) {
    if nanos == 0 {
        return;
    }
    line.push(b'.');
    let groups = [nanos / 1_000_000, nanos / 1_000 % 1_000, nanos % 1_000];
    let count = groups.iter().rposition(|group| *group != 0).map_or(0, |last| last + 1);
    for group in &groups[..count] {
        line.push(digit(group / 100));
        two_digits(group % 100, line);
    }
}

/// Year, month and day of a number of days since the epoch in the proleptic Gregorian calendar.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: years begin
/// in March, so that the leap day comes last, and repeat every 400 years or 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let since_march_0 = days + 719_468;
    let era = since_march_0.div_euclid(146_097);
    let day_of_era = since_march_0.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn two_digits(number: i64, line: &mut Line<'_>) {
    line.push_all(&[digit(number / 10), digit(number)]);
}

fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number % 10).expect("a last digit of a number that is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Duration, NaiveDate, SecondsFormat};
    use proptest::prelude::*;

    fn text(write: impl Fn(&mut Line<'_>)) -> String {
        let mut room = Vec::new();
        String::from_utf8(Line::write(&mut room, write).to_vec()).unwrap()
    }

    #[test]
    fn shapes() {
        let of = |value, unit| text(|out| write_timestamp(value, unit, out));
        assert_eq!(of(0, TimeUnit::Second), "1970-01-01T00:00:00Z");
        assert_eq!(of(-1, TimeUnit::Millisecond), "1969-12-31T23:59:59.999Z");
        assert_eq!(of(1_500_000, TimeUnit::Microsecond), "1970-01-01T00:00:01.500Z");
        assert_eq!(of(1_000_001, TimeUnit::Microsecond), "1970-01-01T00:00:01.000001Z");
        assert_eq!(of(1, TimeUnit::Nanosecond), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(text(|out| write_date(-719_529, out)), "-0001-12-31");
        assert!(of(i64::MAX, TimeUnit::Second).starts_with("+292277026596-12-04T"));
        assert!(of(i64::MIN, TimeUnit::Second).starts_with('-'));
    }

    #[test]
    fn centuries_have_their_leap_days() {
        for year in (-1200..3200).step_by(100) {
            let march = NaiveDate::from_ymd_opt(year, 3, 1).unwrap();
            for date in march.pred_opt().unwrap().iter_days().take(3) {
                let days = i64::from(date.to_epoch_days());
                assert_eq!(text(|out| write_date(days, out)), date.to_string());
            }
        }
    }

    proptest! {
        #[test]
        fn dates_and_times_are_those_of_chrono(
            days in -800_000_i32..2_900_000, us in -60_000_000_000_000_000_i64..250_000_000_000_000_000
        ) {
            let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
            let date = epoch + Duration::days(days.into());
            prop_assert_eq!(text(|out| write_date(days.into(), out)), date.to_string());
            let time = DateTime::from_timestamp_micros(us).unwrap();
            prop_assert_eq!(
                text(|out| write_timestamp(us, TimeUnit::Microsecond, out)),
                time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            );
        }
    }
}
