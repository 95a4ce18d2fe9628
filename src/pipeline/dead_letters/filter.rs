//! Which dead letters are meant.

use super::letter::Letter;
use crate::{
    batch::Reason,
    pipeline::clock,
    registry::{Problem, Span},
    source::ReadFrom,
};
use chrono::DateTime;
use std::fmt;

/// A place in Kafka, written topic/partition/offset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// Offsets from `from` up to but without `to`; where one is absent, the log is the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offsets {
    /// The first.
    pub from: Option<i64>,
    /// The one behind the last.
    pub to: Option<i64>,
}

/// Which dead letters are meant: those for which all of it holds.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One of these reasons; any where it is empty.
    pub reasons: Vec<Reason>,
    /// A Kafka timestamp at or after this one, in milliseconds.
    pub since_ms: Option<i64>,
    /// A Kafka timestamp before this one, in milliseconds.
    pub until_ms: Option<i64>,
    /// In this partition of the dead-letter topic.
    pub partition: Option<i32>,
    /// At these offsets of the dead-letter topic.
    pub offsets: Offsets,
    /// Made of this record.
    pub source: Option<Place>,
    /// Not more than so many, the first ones.
    pub limit: Option<u64>,
}

impl Filter {
    /// True if the letter is meant, `limit` aside.
    pub fn matches(&self, letter: &Letter<'_>) -> bool {
        let context = letter.context.as_ref();
        let reason = |reason: &Reason| context.is_some_and(|c| c.reason == reason.name());
        let since = |since: i64| letter.record.timestamp_ms.is_some_and(|ms| ms >= since);
        let until = |until: i64| letter.record.timestamp_ms.is_some_and(|ms| ms < until);
        let Place { partition, offset, .. } = letter.place;
        (self.reasons.is_empty() || self.reasons.iter().any(reason))
            && self.since_ms.is_none_or(since)
            && self.until_ms.is_none_or(until)
            && self.partition.is_none_or(|only| only == partition)
            && self.offsets.from.is_none_or(|from| offset >= from)
            && self.offsets.to.is_none_or(|to| offset < to)
            && self.source.as_ref().is_none_or(|s| context.is_some_and(|c| c.source == *s))
    }

    /// What need not be read. Timestamps of dead letters are those of their records and in no
    /// order, so that `until` ends nothing.
    pub(super) fn read_from(&self) -> ReadFrom {
        ReadFrom {
            partition: self.partition,
            offset: self.offsets.from,
            timestamp_ms: self.since_ms,
            until_offset: self.offsets.to,
        }
    }
}

/// Reads the name of a reason.
pub fn reason(text: &str) -> Result<Reason, String> {
    Reason::ALL.into_iter().find(|reason| reason.name() == text).ok_or_else(|| {
        let problem = Problem::nowhere(format!("unknown reason `{text}`"));
        problem.expected_one_of(text, Reason::ALL.map(Reason::name)).to_string()
    })
}

/// Reads a point in time, in milliseconds since the epoch: RFC 3339, or a duration before now.
pub fn time(text: &str) -> Result<i64, String> {
    time_at(text, clock::now_ms())
}

fn time_at(text: &str, now_ms: i64) -> Result<i64, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    Span::parse(text).map(|ago| now_ms.saturating_sub(ago.us / 1_000)).ok_or_else(|| {
        format!(
            "`{text}` is no time; expected RFC 3339 such as 2026-01-31T12:00:00Z, or a duration \
             before now such as 90s, 2h or 7d"
        )
    })
}

/// Reads `FROM..TO`, `FROM..` or `..TO`.
pub fn offsets(text: &str) -> Result<Offsets, String> {
    let wrong = || format!("`{text}` is no range of offsets; expected FROM..TO, FROM.. or ..TO");
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let offset = |text: &str| match text {
        "" => Ok(None),
        _ => text.parse().ok().filter(|offset| *offset >= 0).map(Some).ok_or_else(wrong),
    };
    let offsets = Offsets { from: offset(from)?, to: offset(to)? };
    match offsets {
        Offsets { from: None, to: None } => Err(wrong()),
        Offsets { from: Some(from), to: Some(to) } if from >= to => {
            Err(format!("`{text}` holds no offset: TO is not part of it"))
        }
        offsets => Ok(offsets),
    }
}

/// Reads `TOPIC/PARTITION/OFFSET`, as vectors and dead letters name their record.
pub fn place(text: &str) -> Result<Place, String> {
    let mut parts = text.rsplitn(3, '/');
    let mut read = || {
        let offset = parts.next()?.parse().ok()?;
        let partition = parts.next()?.parse().ok()?;
        let topic = parts.next().filter(|topic| !topic.is_empty())?.to_owned();
        Some(Place { topic, partition, offset })
    };
    read().ok_or_else(|| format!("`{text}` is no record; expected TOPIC/PARTITION/OFFSET"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch::{Outbox, RawBatch, Rejected},
        encode::dead_letter,
    };

    const NOW_MS: i64 = 1_767_225_600_000;

    /// Four letters, at the offsets 0 to 3 of partition 1, from the records 10 to 13 of in/2.
    fn letters() -> RawBatch {
        let mut letters = RawBatch::new("dlq".into(), 1);
        let reasons = [Reason::Late, Reason::Invalid, Reason::Late, Reason::Undecodable];
        for ((offset, ms), reason) in (0..).zip([Some(50), Some(10), None, Some(30)]).zip(reasons) {
            let mut raw = RawBatch::new("in".into(), 2);
            raw.push(10 + offset, ms, None, Some(b"v"));
            let (stage, detail) = (reason.stage(), String::new());
            let rejected = Rejected { record: 0, reason, stage, detail, policy: None };
            let mut out = Outbox::default();
            dead_letter(&raw, &rejected, "x.", &mut out);
            let message = out.message(0);
            letters.push(offset, message.parts.timestamp_ms, None, message.value);
            for header in message.headers() {
                letters.header(header.name, header.value);
            }
        }
        letters
    }

    fn found(filter: &Filter) -> Vec<i64> {
        let raw = letters();
        (0..raw.len())
            .map(|index| Letter::read(&raw, index, "x."))
            .filter(|letter| filter.matches(letter))
            .map(|letter| letter.place.offset)
            .collect()
    }

    #[test]
    fn each_condition_alone_and_all_together() {
        let all = Filter::default();
        assert_eq!(found(&all), [0, 1, 2, 3]);
        let reasons = vec![Reason::Late, Reason::Undecodable];
        assert_eq!(found(&Filter { reasons: reasons.clone(), ..all.clone() }), [0, 2, 3]);
        assert_eq!(found(&Filter { since_ms: Some(30), ..all.clone() }), [0, 3]);
        assert_eq!(found(&Filter { until_ms: Some(30), ..all.clone() }), [1]);
        assert_eq!(found(&Filter { partition: Some(0), ..all.clone() }), [] as [i64; 0]);
        let offsets = Offsets { from: Some(1), to: Some(3) };
        assert_eq!(found(&Filter { offsets, ..all.clone() }), [1, 2]);
        let source =
            |topic: &str| Some(Place { topic: topic.to_owned(), partition: 2, offset: 12 });
        assert_eq!(found(&Filter { source: source("in"), ..all.clone() }), [2]);
        assert_eq!(found(&Filter { source: source("out"), ..all.clone() }), [] as [i64; 0]);
        let together = Filter { reasons, since_ms: Some(40), partition: Some(1), ..all };
        assert_eq!(found(&together), [0]);
    }

    #[test]
    fn a_wrong_reason_names_the_nearest() {
        assert_eq!(reason("late"), Ok(Reason::Late));
        let wrong = reason("undecodeable").unwrap_err();
        assert!(wrong.starts_with("unknown reason `undecodeable`; expected one of"), "{wrong}");
        assert!(wrong.ends_with("did you mean `undecodable`?"), "{wrong}");
    }

    #[test]
    fn times_are_points_or_durations_before_now() {
        assert_eq!(time_at("2026-01-01T01:00:00+01:00", NOW_MS + 5), Ok(NOW_MS));
        assert_eq!(time_at("2h", NOW_MS), Ok(NOW_MS - 7_200_000));
        assert!(time_at("yesterday", NOW_MS).unwrap_err().contains("RFC 3339"));
        assert!(time_at("2026-01-01", NOW_MS).is_err());
    }

    #[test]
    fn ranges_and_places_read_as_written() {
        assert_eq!(offsets("3..7"), Ok(Offsets { from: Some(3), to: Some(7) }));
        assert_eq!(offsets("..7"), Ok(Offsets { from: None, to: Some(7) }));
        assert_eq!(offsets("3.."), Ok(Offsets { from: Some(3), to: None }));
        for wrong in ["", "..", "3", "7..3", "3..3", "-1..3", "a..b"] {
            assert!(offsets(wrong).is_err(), "{wrong}");
        }
        let expected = Place { topic: "a.b".to_owned(), partition: 1, offset: 22 };
        assert_eq!(place("a.b/1/22").as_ref(), Ok(&expected));
        assert_eq!(expected.to_string(), "a.b/1/22");
        for wrong in ["a", "/1/2", "a/1", "a/x/2", "a/1/x"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
