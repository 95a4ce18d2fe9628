//! `drop_duplicates`: keeps the first of the records with the same values, per partition.
//!
//! A record is a duplicate if a first one with the same values in the `by` columns lies within
//! `within` of it in event time, before or after: `|t - t_first| <= within`. The first in offset
//! order wins, a duplicate does not refresh it, and it is forgotten at
//! `watermark > t_first + within`; then memory holds the records of about that time and the
//! lateness. A record with a null in a `by` column is like no other and never a duplicate.

mod prints;
mod seen;

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Reason, Rejections, Rows, Slot},
    registry::{self, Component, Node, Problem, Span, schema_of},
    state::{
        Horizon, KeyColumns, is_key_type,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::datatypes::SchemaRef;
use prints::{Prints, RECORDS_MAX};
use schemars::JsonSchema;
use seen::Seen;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "drop_duplicates",
    summary: "Keeps the first of several records with the same values within a time.",
    example: "{ by: [tx_id], within: 10m }",
    details: "A record is a duplicate if a first one with the same values in `by` lies within `within` of \
              it in event time, before or after. The first by offset wins; a duplicate does not refresh it. \
              It is forgotten once the watermark has passed it by more than `within`. A null in a `by` \
              column makes a record like no other.\n\n\
              `approximate: { records: 1000000 }` says the same in memory of a fixed size: of each first \
              record 32 bits of a hash are kept in one of two buckets. Fewer than four records in a billion \
              are wrongly dropped; of more first records at a time than it is meant for the oldest are \
              forgotten, so that their repetitions pass.",
    state: "Of the partition, of each first record in `within` and the lateness: its values and 72 \
            bytes. `approximate`: 20 bytes for each of `records`, at once",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(DropDuplicates::build(options, input)?)),
};

/// Options of `drop_duplicates`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns that together say which records are the same.
    by: Vec<String>,
    /// How far apart in event time duplicates may be.
    within: Span,
    /// For very many different values: hashes instead of the values, in memory of a fixed size.
    approximate: Option<Approximate>,
}

/// A memory of a fixed size.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Approximate {
    /// First records that are remembered at a time: those of `within` and the lateness.
    records: u64,
}

/// What remembers first records.
#[derive(Debug)]
enum Memory {
    Exact(Seen),
    Approximate(Prints),
}

impl Memory {
    fn build(options: &Options, node: &Node) -> Result<Self, Problem> {
        let Some(Approximate { records }) = options.approximate else {
            return Ok(Self::Exact(Seen::new(options.within.us)));
        };
        if !(1..=RECORDS_MAX).contains(&records) {
            let at = node.get("approximate").map_or(node.at, |node| node.at("records"));
            return Err(Problem::new(at, format!("wrong value: {records}"))
                .expected(format!("a number of records from 1 to {RECORDS_MAX}")));
        }
        Ok(Self::Approximate(Prints::new(options.within.us, records)))
    }

    fn is_first(&mut self, key: &[u8], time: i64, watermark: i64) -> bool {
        match self {
            Self::Exact(seen) => seen.is_first(key, time, watermark),
            Self::Approximate(prints) => prints.is_first(key, time, watermark),
        }
    }
}

#[derive(Debug)]
struct DropDuplicates {
    schema: SchemaRef,
    by: Vec<usize>,
    /// What a duplicate is told.
    detail: String,
    memory: Memory,
}

impl DropDuplicates {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let by = column::listed(input.schema, &options.by, node, "by")?;
        for (index, at) in &by {
            let field = input.schema.field(*index);
            if !is_key_type(field.data_type()) {
                return Err(column::wrong_type(field, *at, "a column of single values"));
            }
        }
        let names = options.by.join(", ");
        let memory = Memory::build(&options, node)?;
        Ok(Self {
            schema: Arc::clone(input.schema),
            by: by.into_iter().map(|(index, _)| index).collect(),
            detail: format!("a record with the same {names} came before within {}", options.within),
            memory,
        })
    }
}

impl Clean for DropDuplicates {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let keys = KeyColumns::new(self.by.iter().map(|index| rows.columns.column(*index)));
        let mut scratch = Vec::new();
        let mut keep = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            let (time, watermark) = (rows.event_times[row], rows.watermarks[row]);
            let is_first = keys.has_null(row)
                || self.memory.is_first(keys.bytes(row, &mut scratch), time, watermark);
            if let Memory::Exact(seen) = &mut self.memory {
                seen.sweep(watermark);
            }
            keep.push(is_first);
            if !is_first {
                rejected.push(rows.records[row], Reason::Duplicate, self.detail.as_str());
            }
        }
        rows.filter(&keep)
    }

    /// Whether a record is a first one depends on the first before it, and so on.
    fn reach(&self) -> Horizon {
        Horizon::Forever
    }

    fn state_bytes(&self) -> usize {
        match &self.memory {
            Memory::Exact(seen) => seen.bytes(),
            Memory::Approximate(prints) => prints.bytes(),
        }
    }

    /// What was seen is the partition's.
    fn key_bytes(&self, _keys: usize) -> usize {
        0
    }

    fn order_sensitive(&self) -> bool {
        true
    }

    fn capture(&self) -> Option<Box<dyn Saved>> {
        Some(match &self.memory {
            Memory::Exact(seen) => Box::new(seen.capture()),
            Memory::Approximate(prints) => Box::new(prints.capture()),
        })
    }

    fn restore(&mut self, section: &Section<'_>, _slots: Slot) -> Result<(), SnapshotError> {
        match &mut self.memory {
            Memory::Exact(seen) => seen.restore(section),
            Memory::Approximate(prints) => prints.restore(section),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        batch::Reason,
        clean::testing::{self, Row},
    };
    use proptest::prelude::*;

    const WITHIN: i64 = 10;
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    /// The rows that pass, each judged over the whole history.
    fn firsts(rows: &[Row<'_>]) -> Vec<usize> {
        let mut firsts: Vec<usize> = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let duplicate = firsts.iter().any(|first| {
                let first = &rows[*first];
                let remembered = row.watermark <= first.time + WITHIN;
                row.tx_id.is_some()
                    && first.tx_id == row.tx_id
                    && (row.time - first.time).abs() <= WITHIN
                    && remembered
            });
            if !duplicate {
                firsts.push(i);
            }
        }
        firsts
    }

    proptest! {
        #[test]
        fn the_first_within_the_time_wins(
            steps in prop::collection::vec((-20i64..20, prop::option::weighted(0.95, 0usize..4), 0i64..5), 1..150),
            cuts in prop::collection::vec(1usize..9, 1..4), approximate in any::<bool>(),
        ) {
            let mut watermark = 0;
            let rows: Vec<Row<'_>> = steps
                .iter()
                .map(|(ahead, name, step)| {
                    watermark += step;
                    let tx_id = name.map(|name| NAMES[name]);
                    Row { time: watermark + ahead, watermark, tx_id, ..Row::default() }
                })
                .collect();
            let how = if approximate { ", approximate: { records: 400 }" } else { "" };
            let options = format!("{{ by: [tx_id], within: 10us{how} }}");
            let (kept, rejected) =
                testing::advance_both_ways("drop_duplicates", &options, &testing::rows(&rows), &cuts);
            let kept: Vec<usize> = kept.records.iter().map(|r| *r as usize).collect();
            prop_assert_eq!(&kept, &firsts(&rows));
            prop_assert_eq!(kept.len() + rejected.len(), rows.len());
            prop_assert!(rejected.iter().all(|r| r.reason == Reason::Duplicate && r.policy.is_none()));
        }
    }

    #[test]
    fn several_columns_must_agree() {
        let row = |tx_id, amount, time| Row {
            tx_id: Some(tx_id),
            amount: Some(amount),
            time,
            ..Row::default()
        };
        let rows = [row("a", 1.0, 0), row("a", 2.0, 1), row("a", 1.0, 10), row("a", 1.0, 11)];
        let options = "{ by: [tx_id, amount], within: 10us }";
        let (kept, rejected) =
            testing::advance_both_ways("drop_duplicates", options, &testing::rows(&rows), &[1]);
        assert_eq!(kept.records, [0, 1, 3]);
        let detail = "a record with the same tx_id, amount came before within 10us";
        assert_eq!(rejected[0].detail, detail);
    }

    #[test]
    fn a_memory_has_a_size() {
        let options = "{ by: [tx_id], within: 1h, approximate: { records: 0 } }";
        let problem = testing::build("drop_duplicates", options).unwrap_err().to_string();
        assert_eq!(
            problem,
            "1:52: wrong value: 0; expected a number of records from 1 to 2000000000"
        );
    }

    #[test]
    fn memory_follows_the_time_and_not_the_number_of_records() {
        let mut clean = testing::build("drop_duplicates", "{ by: [tx_id], within: 50us }").unwrap();
        let mut bytes = Vec::new();
        for batch in 0..40 {
            let names: Vec<String> = (0..250).map(|i| format!("tx {}", batch * 250 + i)).collect();
            let rows: Vec<Row<'_>> = names
                .iter()
                .zip(batch * 250..)
                .map(|(name, t)| Row { tx_id: Some(name), time: t, watermark: t, ..Row::default() })
                .collect();
            let mut rejected = crate::batch::Rejections::default();
            clean.advance(testing::rows(&rows), &mut rejected);
            bytes.push(clean.state_bytes());
        }
        let steady = |later: &usize| later.abs_diff(bytes[20]) * 20 < bytes[20];
        assert!(bytes[20..].iter().all(steady), "{bytes:?}");
        assert!(bytes[20] < 100 * 100, "{} bytes for the ids of 50 us", bytes[20]);
    }
}
