//! Dead letters counted: by reason and by the partition that their records came from.

use super::{Letter, show::timestamp};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Counts of dead letters.
#[derive(Debug, Default)]
pub struct Summary {
    groups: BTreeMap<(String, String), Group>,
    letters: u64,
}

#[derive(Debug, Default)]
struct Group {
    letters: u64,
    timestamps_ms: Option<Range>,
    offsets: Option<Range>,
    /// By partition of the dead-letter topic.
    places: BTreeMap<i32, Range>,
}

/// The form of a line; what is not known is null.
#[derive(Serialize)]
struct GroupJson<'a> {
    reason: Option<&'a String>,
    topic: Option<&'a str>,
    partition: Option<i32>,
    dead_letters: u64,
    timestamps_ms: Option<[i64; 2]>,
    offsets: Option<[i64; 2]>,
    places: Vec<(i32, i64, i64)>,
}

/// The lowest and the highest of some numbers.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: i64,
    last: i64,
}

impl Range {
    fn with(range: Option<Self>, number: i64) -> Self {
        let Self { first, last } = range.unwrap_or(Self { first: number, last: number });
        Self { first: first.min(number), last: last.max(number) }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}..{}", self.first, self.last)
        }
    }
}

/// What stands for the reason of a record that no pipeline rejected.
const NO_REASON: &str = "-";
/// Partitions of the dead-letter topic named in a line of the table.
const PLACES_SHOWN: usize = 3;

impl Summary {
    /// Counts a letter.
    pub fn add(&mut self, letter: &Letter<'_>) {
        self.letters += 1;
        let context = letter.context.as_ref();
        let reason = context.map_or(NO_REASON, |context| context.reason.as_str());
        let input = context.map_or_else(
            || NO_REASON.to_owned(),
            |context| format!("{}/{}", context.source.topic, context.source.partition),
        );
        let group = self.groups.entry((reason.to_owned(), input)).or_default();
        group.letters += 1;
        if let Some(ms) = letter.record.timestamp_ms {
            group.timestamps_ms = Some(Range::with(group.timestamps_ms, ms));
        }
        if let Some(context) = context {
            group.offsets = Some(Range::with(group.offsets, context.source.offset));
        }
        let place = group.places.get(&letter.place.partition).copied();
        group.places.insert(letter.place.partition, Range::with(place, letter.place.offset));
    }

    /// One JSON object per reason and input partition; times are milliseconds since the epoch, and
    /// all ranges are their first and last.
    pub fn json(&self) -> impl Iterator<Item = String> + use<'_> {
        self.groups.iter().map(|((reason, input), group)| {
            let range = |range: Range| [range.first, range.last];
            let (topic, partition) = input.rsplit_once('/').unzip();
            let places = group.places.iter();
            let line = GroupJson {
                reason: (reason != NO_REASON).then_some(reason),
                topic,
                partition: partition.and_then(|partition| partition.parse().ok()),
                dead_letters: group.letters,
                timestamps_ms: group.timestamps_ms.map(range),
                offsets: group.offsets.map(range),
                places: places.map(|(partition, r)| (*partition, r.first, r.last)).collect(),
            };
            serde_json::to_string(&line).expect("text and numbers have a JSON form")
        })
    }

    fn lines(&self) -> Vec<[String; 7]> {
        let titles =
            ["reason", "input", "letters", "first", "last", "offsets", "dead-letter offsets"];
        let mut lines = vec![titles.map(str::to_owned)];
        for ((reason, input), group) in &self.groups {
            let time = |pick: fn(Range) -> i64| {
                group.timestamps_ms.map_or_else(|| NO_REASON.to_owned(), |r| timestamp(pick(r)))
            };
            let mut places: Vec<String> = group
                .places
                .iter()
                .take(PLACES_SHOWN)
                .map(|(partition, range)| format!("{partition}/{range}"))
                .collect();
            if group.places.len() > PLACES_SHOWN {
                places.push(format!("and {} partitions", group.places.len() - PLACES_SHOWN));
            }
            lines.push([
                reason.clone(),
                input.clone(),
                group.letters.to_string(),
                time(|r| r.first),
                time(|r| r.last),
                group.offsets.map_or_else(|| NO_REASON.to_owned(), |r| r.to_string()),
                places.join(" "),
            ]);
        }
        lines
    }
}

/// A table with a line per reason and input partition, and their sum.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let width = |column: usize| lines.iter().map(|l| l[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..7).map(width).collect();
        for line in lines.iter().filter(|_| self.letters > 0) {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        let s = if self.letters == 1 { "" } else { "s" };
        write!(f, "{} dead letter{s}", self.letters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::RawBatch;

    fn letters() -> RawBatch {
        let mut raw = RawBatch::new("dlq".into(), 1);
        let rows = [("late", "0", "5", 1_000), ("late", "0", "2", 61_000), ("late", "1", "9", 5)];
        for (at, (reason, partition, offset, ms)) in (4..).zip(rows) {
            raw.push(at, Some(ms), None, Some(b"v"));
            let values = ["in", partition, offset, "validate", reason, "m"];
            for (name, value) in crate::encode::DEAD_LETTER_CONTEXT.into_iter().zip(values) {
                raw.header(format!("x.{name}").as_bytes(), Some(value.as_bytes()));
            }
        }
        raw.push(9, None, None, Some(b"somebody else's"));
        raw
    }

    #[test]
    fn letters_are_counted_by_reason_and_input_partition() {
        let raw = letters();
        let mut summary = Summary::default();
        (0..raw.len()).for_each(|index| summary.add(&Letter::read(&raw, index, "x.")));
        assert_eq!(
            summary.to_string(),
            "\
reason  input  letters  first                     last                      offsets  dead-letter offsets
-       -      1        -                         -                         -        1/9
late    in/0   2        1970-01-01T00:00:01.000Z  1970-01-01T00:01:01.000Z  2..5     1/4..5
late    in/1   1        1970-01-01T00:00:00.005Z  1970-01-01T00:00:00.005Z  9        1/6
4 dead letters"
        );
        let json: Vec<String> = summary.json().collect();
        assert_eq!(
            json[1],
            r#"{"reason":"late","topic":"in","partition":0,"dead_letters":2,"timestamps_ms":[1000,61000],"offsets":[2,5],"places":[[1,4,5]]}"#
        );
        assert!(json[0].starts_with(r#"{"reason":null,"topic":null,"partition":null,"#));
        assert_eq!(Summary::default().to_string(), "0 dead letters");
    }
}
