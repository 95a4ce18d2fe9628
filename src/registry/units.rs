//! Durations (`90s`, `1h`, `7d`), sizes (`900KiB`) and time zones as people write them.

use super::{Position, Problem, nearest};
use chrono_tz::{TZ_VARIANTS, Tz};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use std::{borrow::Cow, fmt};

/// A positive length of event time in microseconds, written `us ms s m h d w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Microseconds.
    pub us: i64,
}

const UNITS: [(&str, i64); 7] = [
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl Span {
    /// Reads `1h`, `90s`, `250ms`, also `1h30m`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut us: i64 = 0;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let factor = UNITS.iter().find(|(name, _)| *name == unit.trim())?.1;
            us = us.checked_add(number.parse::<i64>().ok()?.checked_mul(factor)?)?;
            rest = tail.trim_start();
        }
        Some(Self { us })
    }
}

/// The shortest exact form: `1h`, `90s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) = UNITS
            .iter()
            .find(|(_, factor)| self.us % factor == 0 && self.us >= *factor)
            .unwrap_or(&UNITS[6]);
        write!(f, "{}{name}", self.us / factor)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::invalid_value(
                serde::de::Unexpected::Str(&text),
                &"a duration such as 90s, 1h or 7d (units us ms s m h d w)",
            )
        })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A duration such as 90s, 1h or 7d (units us ms s m h d w).",
            "pattern": "^([0-9]+\\s*(us|ms|s|m|h|d|w)\\s*)+$"
        })
    }
}

/// A number of bytes, written plain or with `KB MB GB` (powers of 1000) or `KiB MiB GiB` (of 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

const SIZES: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl ByteSize {
    /// Reads `900KiB`, `1 MB`, `4096`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        let factor =
            if unit.is_empty() { 1 } else { SIZES.iter().find(|(name, _)| *name == unit)?.1 };
        number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written<'a> {
            Number(u64),
            #[serde(borrow)]
            Text(Cow<'a, str>),
        }
        let expected = &"a size such as 900KiB or 1MB";
        match Written::deserialize(deserializer) {
            Ok(Written::Number(bytes)) => Ok(Self(bytes)),
            Ok(Written::Text(text)) => Self::parse(&text).ok_or_else(|| {
                D::Error::invalid_value(serde::de::Unexpected::Str(&text), expected)
            }),
            Err(_) => {
                Err(D::Error::invalid_value(serde::de::Unexpected::Other("no size"), expected))
            }
        }
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer"],
            "description": "A size in bytes such as 900KiB, 1MB or 4096."
        })
    }
}

/// The time zone of that IANA name, or a problem at `at`.
pub fn time_zone(name: &str, at: Position) -> Result<Tz, Problem> {
    name.parse().map_err(|_| {
        let known = TZ_VARIANTS.iter().map(|zone| zone.name());
        let near = nearest(name, known).map(|near| format!("; did you mean `{near}`?"));
        Problem::new(at, format!("unknown time zone `{name}`"))
            .expected(format!("a name such as Europe/Berlin{}", near.unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_as_written() {
        assert_eq!(Span::parse("1h30m").unwrap().us, 5_400_000_000);
        assert_eq!(Span::parse("250ms").unwrap().to_string(), "250ms");
        assert_eq!(Span::parse("7d").unwrap().to_string(), "1w");
        assert_eq!(Span::parse("1.5h"), None);
        assert_eq!(Span::parse("h"), None);
        assert_eq!(ByteSize::parse("900KiB"), Some(ByteSize(921_600)));
        assert_eq!(ByteSize::parse("1 kb"), None);
    }
}
