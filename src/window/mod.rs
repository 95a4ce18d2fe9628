//! Windows per key: each row gets what its windows hold as of its own event time.
//!
//! A window `over: w` at a record with event time t holds the values of its key with event time in
//! (t - w, t], itself included, that precede it in (event time, offset) order. A record that comes
//! late, but not too late, is put in at its event time: its own row is as of its own time, later
//! rows see it, rows that have left are not changed.
//!
//! The other ends that `closed` gives are intervals too: `[t - w, t)` and `(t - w, t)` hold no event
//! of the record's own time, be it earlier by offset. A window by rows holds the last rows of the
//! key up to the record's own place and counts every row, as SQL's ROWS does; a null or a `where`
//! that does not hold leaves a row without value, as FILTER does. `closed: left` shifts it one row
//! back, off the record itself; `both` and `none` add and take a row at the far end, as in pandas.
//!
//! Windows that stand still are looked at from the record too: a tumbling one holds what its span
//! has up to the record, a session what follows each other without a long pause up to it; or each
//! the one before. So all shapes are ranges of the same events.
//!
//! What is kept is what a record at or after the watermark can see, by each row's own watermark. A
//! late record that is kept by policy sees what of the past is retained; inside the retention it is
//! put in, outside it only its own row sees it.
//!
//! With peers, which come together in order of event time, a record's own time belongs to all records
//! of that time: a window by time that is closed on the right, a tumbling one and a session hold the
//! record's peers too, whatever their offsets, as SQL's RANGE does. A window by rows is by place and
//! has none.
//!
//! What remembers without a window (ewma) is folded in offset order beside the lanes, in a
//! [`Memory`] for each. Features that remember ask for such a memory too; what it tells is a column
//! behind all others, which they alone find.
//!
//! Windows over one column under one condition, or over the same two, share a [`Lane`], one buffer per key:
//! another length costs a search, not a copy. Those with a `resolution` share tiles instead, sums by
//! spans of time, and their ends are rounded to these. Every row is taken in on its own, with its own
//! watermark, so that cutting the same rows into other batches changes no bit.

mod build;
mod by;
mod calendar;
mod column;
mod condition;
mod expectations;
mod extent;
mod input;
mod keys;
mod lane;
mod memory;
mod plan;
mod spec;
mod tiled;

pub use expectations::{
    Closing, Expectations, Frame as ExpectationsFrame, Judged, MEASURES, MeasureBuild,
    schema as expectation_schema, state_text as expectation_state_text, takes_out,
};
pub use plan::{WindowPlan, spec_schema};

use crate::{
    batch::{Reason, Rejections, Rows, Slot},
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::filter,
    datatypes::SchemaRef,
};
use column::Column;
use condition::Condition;
use lane::Lane;
use memory::Memory;
use std::sync::Arc;

/// All windows of a pipeline.
#[derive(Debug)]
pub struct Windows {
    schema: SchemaRef,
    conditions: Vec<Condition>,
    lanes: Vec<Lane>,
    memories: Vec<Memory>,
    /// What features have asked for: of any column before.
    asked: Vec<Memory>,
    columns: Vec<Column>,
    plans: Vec<WindowPlan>,
    /// Whether rows of one event time see each other.
    peers: bool,
}

impl Windows {
    /// True if the row and the next one are peers that see each other.
    pub fn sees_next(&self, rows: &Rows, row: usize) -> bool {
        self.peers && lane::is_peer_of_next(rows, row)
    }

    /// Columns of the rows after the step: those before it, then one per computed aggregate, then
    /// one per request of a feature, hidden.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Takes the rows in and appends the computed columns. A row that a `where` fails on is
    /// rejected and enters no window.
    pub fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let (mut rows, conditions) = self.judge(rows, rejected);
        for lane in &mut self.lanes {
            lane.advance(&rows, &conditions, self.peers);
        }
        for memory in &mut self.memories {
            let condition = memory.condition().map(|index| &conditions[index]);
            memory.advance(&rows, rows.columns.columns(), condition);
        }
        let mut columns = rows.columns.columns().to_vec();
        let (lanes, memories) = (&mut self.lanes, &mut self.memories);
        columns.extend(self.columns.iter().map(|column| match column {
            Column::Window(of_window) => of_window.of(&mut lanes[of_window.lane]),
            Column::Memory(index) => memories[*index].told(),
        }));
        for memory in &mut self.asked {
            memory.advance(&rows, &columns, None);
        }
        columns.extend(self.asked.iter_mut().map(Memory::told));
        rows.columns = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("one value per row, of the type that was declared");
        rows
    }

    /// Evaluates the conditions and takes out the rows that one of them fails on.
    fn judge(&self, rows: Rows, rejected: &mut Rejections) -> (Rows, Vec<ArrayRef>) {
        let mut failures: Vec<(usize, String)> = Vec::new();
        let mut judged = Vec::with_capacity(self.conditions.len());
        for condition in &self.conditions {
            let (values, failed) = condition.evaluate(&rows.columns);
            let said = |reason: String| format!("where {}: {reason}", condition.test);
            failures.extend(failed.into_iter().map(|(row, reason)| (row, said(reason))));
            judged.push(values);
        }
        if failures.is_empty() {
            return (rows, judged);
        }
        // A stable sort: of several conditions that fail on a row the first is named.
        failures.sort_by_key(|(row, _)| *row);
        failures.dedup_by_key(|(row, _)| *row);
        let mut keep = vec![true; rows.len()];
        for (row, reason) in failures {
            keep[row] = false;
            rejected.push_from("window", rows.records[row], Reason::Expression, reason);
        }
        let mask = BooleanArray::from(keep.clone());
        let judged = judged.iter().map(|j| filter(j, &mask).expect("a flag per row")).collect();
        (rows.filter(&keep), judged)
    }

    /// How long after a key's last row its windows can still be seen.
    pub fn horizon(&self) -> Horizon {
        let memories = self.all_memories().map(Memory::horizon);
        memories.fold(self.horizon_of_lanes(), Horizon::max)
    }

    /// How far before a row, in event time, other rows may lie that its values depend on.
    pub fn reach(&self) -> Horizon {
        let memories = self.all_memories().map(Memory::reach);
        memories.fold(self.horizon_of_lanes(), Horizon::max)
    }

    fn all_memories(&self) -> impl Iterator<Item = &Memory> {
        self.memories.iter().chain(&self.asked)
    }

    fn horizon_of_lanes(&self) -> Horizon {
        let horizon = |lane: &Lane| match lane.retention.rows {
            Some(_) => Horizon::Forever,
            // A tile is seen as long as a part of it is.
            None => Horizon::For(
                lane.retention
                    .time_us
                    .unwrap_or_default()
                    .saturating_add(lane.input.resolution_us.unwrap_or_default()),
            ),
        };
        self.lanes.iter().map(horizon).max().unwrap_or(Horizon::Stateless)
    }

    /// Drops what is kept under `slot`.
    pub fn forget(&mut self, slot: Slot) {
        self.lanes.iter_mut().for_each(|lane| lane.forget(slot));
        let memories = self.memories.iter_mut().chain(&mut self.asked);
        memories.for_each(|memory| memory.forget(slot));
    }

    /// Bytes of all state.
    pub fn state_bytes(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(Lane::state_bytes).sum();
        lanes + self.all_memories().map(Memory::state_bytes).sum::<usize>()
    }

    /// Bytes that are kept of so many keys: unlike [`state_bytes`](Self::state_bytes) without what
    /// lies ready for others.
    pub fn key_bytes(&self, keys: usize) -> usize {
        let lanes: usize = self.lanes.iter().map(|lane| lane.key_bytes(keys)).sum();
        lanes + self.all_memories().map(Memory::state_bytes).sum::<usize>()
    }

    /// Holds on to the state as it is, in parts: lanes in the order of the pipeline file, then what
    /// remembers without a window, then what features have asked for.
    pub fn capture(&self) -> Vec<Box<dyn Saved>> {
        let lanes = self.lanes.iter().map(|lane| Box::new(lane.capture()) as Box<dyn Saved>);
        lanes.chain(self.all_memories().map(Memory::capture)).collect()
    }

    /// What a part is called in snapshots: lanes by the first window that uses them, the rest by
    /// its place.
    pub fn part_name(&self, part: usize) -> String {
        let (lanes, memories) = (self.lanes.len(), self.memories.len());
        match part {
            part if part < lanes => format!("windows/{part}"),
            part if part < lanes + memories => format!("memories/{}", part - lanes),
            part => format!("features/{}", part - lanes - memories),
        }
    }

    /// Takes over the state of one part that a snapshot holds; keys have `slots` slots. After an
    /// error, the windows are of no use.
    pub fn restore(
        &mut self,
        part: usize,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        match part.checked_sub(self.lanes.len()) {
            Some(memory) => {
                let mut memories = self.memories.iter_mut().chain(&mut self.asked);
                memories.nth(memory).expect("one of the parts").restore(section, slots)
            }
            None => self.lanes[part].restore(section, slots),
        }
    }

    /// What is computed, from what, and what it costs; for `check`.
    pub fn describe(&self) -> Vec<WindowPlan> {
        self.plans.clone()
    }
}

#[cfg(test)]
mod tests;
