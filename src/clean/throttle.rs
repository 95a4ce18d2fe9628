//! `throttle`: at most one record of a key in each interval of event time.

use super::{Build, Clean, Input};
use crate::{
    batch::{Reason, Rejections, Rows, Slot},
    registry::{self, Component, Node, Problem, Span, schema_of},
    state::{
        Horizon, Paged,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
    },
};
use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use smallvec::SmallVec;
use std::{io, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "throttle",
    summary: "Keeps the first record of each key in each interval of event time.",
    example: "{ every: 1m }",
    details: "Intervals follow each other from 1970-01-01T00:00Z, begun included, as those of pandas' \
              `resample`. The first by offset wins; the others are `sampled`. An interval is forgotten \
              once the watermark has reached its end: a late record that is kept then passes.",
    state: "8 bytes an interval that the watermark has not passed, of those with records: one and what \
            the lateness adds",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(Throttle::build(options, input)?)),
};

/// Options of `throttle`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Length of an interval.
    every: Span,
}

/// Numbers of intervals with a record, ascending.
type Taken = SmallVec<[i64; 2]>;

#[derive(Debug)]
struct Throttle {
    schema: SchemaRef,
    every_us: i64,
    detail: String,
    by_slot: Paged<Taken>,
    /// Intervals of all keys.
    count: usize,
}

impl Throttle {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let Options { every } = registry::options(node)?;
        if every.us == 0 {
            return Err(Problem::new(node.at("every"), "wrong value: 0")
                .expected("a duration above 0, such as 1m"));
        }
        Ok(Self {
            schema: Arc::clone(input.schema),
            every_us: every.us,
            detail: format!("throttle: another record came before in the same {every}"),
            by_slot: Paged::default(),
            count: 0,
        })
    }

    /// True if the record is the first of its interval.
    fn is_first(&mut self, slot: Slot, time: i64, watermark: i64) -> bool {
        let taken = self.by_slot.get_mut(slot);
        // Begun at or before the watermark and not over.
        let open = watermark.div_euclid(self.every_us);
        let over = taken.iter().take_while(|interval| **interval < open).count();
        taken.drain(..over);
        self.count -= over;
        let interval = time.div_euclid(self.every_us);
        match taken.binary_search(&interval) {
            Ok(_) => false,
            Err(_) if interval < open => true,
            Err(place) => {
                taken.insert(place, interval);
                self.count += 1;
                true
            }
        }
    }
}

impl Clean for Throttle {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let mut keep = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            let (slot, time) = (rows.slots[row], rows.event_times[row]);
            let is_first = self.is_first(slot, time, rows.watermarks[row]);
            keep.push(is_first);
            if !is_first {
                rejected.push(rows.records[row], Reason::Sampled, self.detail.as_str());
            }
        }
        rows.filter(&keep)
    }

    fn horizon(&self) -> Horizon {
        Horizon::For(self.every_us)
    }

    fn forget(&mut self, slot: Slot) {
        if self.by_slot.get(slot).is_some_and(|taken| !taken.is_empty()) {
            self.count -= self.by_slot.get(slot).map_or(0, SmallVec::len);
            *self.by_slot.get_mut(slot) = Taken::new();
        }
    }

    fn state_bytes(&self) -> usize {
        self.count * size_of::<i64>()
    }

    fn order_sensitive(&self) -> bool {
        true
    }

    fn capture(&self) -> Option<Box<dyn Saved>> {
        Some(Box::new(SavedTaken(self.by_slot.clone())))
    }

    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError> {
        (self.by_slot, self.count) = (Paged::default(), 0);
        let mut rows = section.table("taken", TAKEN)?;
        let mut before = None;
        while rows.next_row() {
            let (slot, interval) = (rows.word::<Slot>(0)?, rows.int(1)?);
            let follows = slot < slots && before.is_none_or(|before| before < (slot, interval));
            rows.check(follows, "intervals out of order or without a key")?;
            before = Some((slot, interval));
            self.by_slot.get_mut(slot).push(interval);
            self.count += 1;
        }
        Ok(())
    }
}

const TAKEN: &[Column] = &[("slot", Type::Word), ("interval", Type::Int)];

/// Intervals by slot, as they were.
struct SavedTaken(Paged<Taken>);

impl Saved for SavedTaken {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("taken", TAKEN);
        for (slot, taken) in (0..).zip(self.0.iter()) {
            for interval in taken {
                rows.row(&[Cell::Word(slot), Cell::Int(*interval)])?;
            }
        }
        rows.finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        batch::{Reason, Rejections},
        clean::testing::{self, Row},
    };
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_of_each_interval_passes(
            steps in prop::collection::vec((-25i64..30, 0u32..3, 0i64..6), 1..150),
            cuts in prop::collection::vec(1usize..9, 1..4),
        ) {
            let mut watermark = -40;
            let rows: Vec<Row<'_>> = steps
                .iter()
                .map(|(ahead, slot, step)| {
                    watermark += step;
                    Row { time: watermark + ahead, watermark, slot: *slot, ..Row::default() }
                })
                .collect();
            let (kept, rejected) =
                testing::advance_both_ways("throttle", "{ every: 10us }", &testing::rows(&rows), &cuts);
            prop_assert!(rejected.iter().all(|gone| gone.reason == Reason::Sampled));
            let begin = |row: &Row<'_>| row.time - row.time.rem_euclid(10);
            let is_first = |i: &usize| {
                let own = &rows[*i];
                let is_over = begin(own) + 10 <= own.watermark;
                let mut same = rows[..*i].iter().filter(|before| {
                    let was_open = begin(before) + 10 > before.watermark;
                    before.slot == own.slot && begin(before) == begin(own) && was_open
                });
                is_over || same.next().is_none()
            };
            let expected: Vec<usize> = (0..rows.len()).filter(is_first).collect();
            let kept: Vec<usize> = kept.records.iter().map(|record| *record as usize).collect();
            prop_assert_eq!(kept, expected);
        }
    }

    #[test]
    fn memory_follows_the_watermark_and_the_keys() {
        let mut clean = testing::build("throttle", "{ every: 10us }").unwrap();
        let row = |time: i64| Row { time, watermark: time - 35, ..Row::default() };
        let rows: Vec<Row<'_>> = (0..1_000).map(row).collect();
        clean.advance(testing::rows(&rows), &mut Rejections::default());
        assert_eq!(clean.state_bytes(), 4 * 8, "from 964 on");
        clean.forget(0);
        clean.forget(7);
        assert_eq!(clean.state_bytes(), 0);
    }
}
