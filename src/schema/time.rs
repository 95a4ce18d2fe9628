//! The formats `date` and `date-time`: RFC 3339, read the same wherever they are judged.

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// Days since the epoch of a full date: `2024-02-29`.
pub fn date(text: &[u8]) -> Option<i32> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = number(&text[..4])?;
    let month = number(&text[5..7])?;
    let day = number(&text[8..])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=days).contains(&day).then(|| days_from_civil(year, month, day))
}

/// Microseconds since the epoch of a date and time with its offset: `2024-02-29T23:59:60.5Z`.
/// Digits beyond the sixth are cut off; a leap second is the first second of the next day.
pub fn date_time(text: &[u8]) -> Option<i64> {
    if !matches!(text.get(10), Some(b'T' | b't')) {
        return None;
    }
    let days = date(&text[..10])?;
    let time = &text[11..];
    if time.len() < 9 || time[2] != b':' || time[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (number(&time[..2])?, number(&time[3..5])?, number(&time[6..8])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_us, rest) = fraction(&time[8..])?;
    let offset_minutes = offset(rest)?;
    let minutes = i64::from(hour * 60 + minute) - offset_minutes;
    if second == 60 && minutes.rem_euclid(1440) != 1439 {
        return None;
    }
    let seconds = minutes * 60 + i64::from(second);
    Some(i64::from(days) * DAY_US + seconds * 1_000_000 + fraction_us)
}

/// Microseconds of `.25`, and what follows.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = text.strip_prefix(b".") else { return Some((0, text)) };
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    let us =
        (0..6).fold(0, |us, i| us * 10 + rest[..digits].get(i).map_or(0, |d| i64::from(d - b'0')));
    Some((us, &rest[digits..]))
}

/// Minutes east of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let offset = i64::from(hours * 60 + minutes);
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'+' { offset } else { -offset })
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i32::from(d - b'0')))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level
/// date algorithms": years of 400 begin in March).
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate};

    #[test]
    fn dates_are_those_of_the_calendar() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let mut day = NaiveDate::from_ymd_opt(0, 1, 1).unwrap();
        while day.format("%Y").to_string().len() == 4 {
            let expected = day.signed_duration_since(epoch).num_days();
            assert_eq!(date(day.to_string().as_bytes()).map(i64::from), Some(expected), "{day}");
            day += chrono::TimeDelta::days(97);
        }
        for wrong in
            ["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-1-01"]
        {
            assert_eq!(date(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_those_of_chrono() {
        for text in [
            "2024-02-29T12:34:56Z",
            "1969-12-31t23:59:59.999999z",
            "2024-02-29T12:34:56.1234567891+05:30",
            "0000-01-01T00:00:00-23:59",
            "9999-12-31T23:59:59.5+00:00",
        ] {
            let expected = DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
            assert_eq!(date_time(text.as_bytes()), Some(expected), "{text}");
        }
        let leap = date_time(b"2016-12-31T23:59:60Z");
        assert_eq!(leap, date_time(b"2017-01-01T00:00:00Z"));
        assert_eq!(date_time(b"2017-01-01T05:29:60+05:30"), leap);
        for wrong in [
            "2024-02-29 12:34:56Z",
            "2024-02-29T12:34:56",
            "2024-02-29T12:34:60Z",
            "2024-02-29T24:00:00Z",
            "2024-02-29T12:34:56.Z",
            "2024-02-29T12:34:56+0530",
            "2024-02-29T12:34:56+24:00",
            "2024-02-29T12:34Z",
        ] {
            assert_eq!(date_time(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
