//! A strptime format, compiled once.

use crate::registry::Problem;
use chrono::{
    DateTime,
    format::{Item, Parsed, StrftimeItems, parse},
};

/// A strptime format that gives a moment, or a date alone.
#[derive(Debug)]
pub(super) struct Pattern {
    items: Vec<Item<'static>>,
}

impl Pattern {
    /// Compiles `text`; a format that does not give a date is a problem.
    pub(super) fn compile(text: &str) -> Result<Self, Problem> {
        let wrong = |why: &str| {
            Problem::nowhere(format!("event time format `{text}` {why}"))
                .expected("a strptime format such as `%Y-%m-%d %H:%M:%S` or `%d/%b/%Y:%T %z`")
        };
        let items = StrftimeItems::new(text)
            .parse_to_owned()
            .map_err(|_| wrong("has an unknown conversion"))?;
        let pattern = Self { items };
        // What the format writes it must be able to read back.
        let moment = DateTime::from_timestamp_micros(1_234_567_890_123_456)
            .expect("a moment in range")
            .fixed_offset();
        let written = moment.format_with_items(pattern.items.iter()).to_string();
        let read = pattern.micros(&written);
        read.ok_or_else(|| wrong("does not give a date with or without a time"))?;
        Ok(pattern)
    }

    /// Microseconds since the epoch; without an offset the text is UTC, a date alone its midnight.
    pub(super) fn micros(&self, text: &str) -> Option<i64> {
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        let time = if parsed.offset().is_some() || parsed.timestamp().is_some() {
            return Some(parsed.to_datetime().ok()?.timestamp_micros());
        } else if parsed.hour_mod_12().is_none() && parsed.minute().is_none() {
            parsed.to_naive_date().ok()?.and_hms_opt(0, 0, 0)?
        } else {
            parsed.to_naive_datetime_with_offset(0).ok()?
        };
        Some(time.and_utc().timestamp_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(format: &str, text: &str) -> Option<i64> {
        Pattern::compile(format).unwrap().micros(text)
    }

    #[test]
    fn without_an_offset_it_is_utc() {
        let expected = Some(1_357_035_420_000_000);
        assert_eq!(micros("%Y-%m-%d %H:%M", "2013-01-01 10:17"), expected);
        assert_eq!(micros("%d/%b/%Y:%T %z", "01/Jan/2013:05:17:00 -0500"), expected);
        assert_eq!(micros("%s", "1357035420"), expected);
        assert_eq!(
            micros("%Y-%m-%dT%H:%M:%S%.f", "2013-01-01T10:17:00.5"),
            Some(1_357_035_420_500_000)
        );
        assert_eq!(micros("%Y%m%d", "20130101"), Some(1_356_998_400_000_000));
    }

    #[test]
    fn text_of_another_form_is_not_read() {
        for text in ["", "2013-01-01", "2013-01-01 10:17 ", "2013-13-01 10:17", "2013-02-30 10:17"]
        {
            assert_eq!(micros("%Y-%m-%d %H:%M", text), None, "{text}");
        }
    }

    #[test]
    fn a_format_that_gives_no_date_is_a_problem() {
        for format in ["%H:%M", "%Y-%m", "%Q", "%Y-%m-%d %H"] {
            assert!(Pattern::compile(format).is_err(), "{format}");
        }
    }
}
