//! What is remembered without a window: the states of one recursive aggregate.
//!
//! Rows are folded in as they come, each as of its own place in offset order. A row that does not
//! count is passed on as well: it is told what there is, and a decay by rows may take it for a step.

use super::condition::holds;
use crate::{
    aggregate::{Asked, Kept, Kind, Per, Recursive, States, Steps, read_keys},
    batch::{Rows, Slot},
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{Array, ArrayRef},
    datatypes::DataType,
};
use std::sync::Arc;

/// The states of one recursive aggregate.
#[derive(Debug)]
pub(super) struct Memory {
    inputs: Vec<Input>,
    /// Whether the values are looked at.
    reads_values: bool,
    condition: Option<usize>,
    per: Per,
    horizon: Horizon,
    reach: Horizon,
    states: Box<dyn States>,
    /// What is told of the rows of the current batch.
    told: Option<ArrayRef>,
    // Per batch, kept for their memory.
    keys: Vec<i64>,
    values: Vec<Vec<f64>>,
    counts: Vec<bool>,
    homes: Vec<Slot>,
}

/// A column that is read.
#[derive(Debug)]
struct Input {
    index: usize,
    kind: Kind,
}

impl Memory {
    /// Nothing is known yet. `inputs` are columns whose types the aggregate has taken.
    pub(super) fn new(
        inputs: &[(usize, DataType)],
        condition: Option<usize>,
        aggregate: &dyn Recursive,
        kept: Kept,
    ) -> Self {
        let input = |(index, data_type): &(usize, DataType)| Input {
            index: *index,
            kind: Kind::of(data_type).expect("an aggregate takes the type"),
        };
        let horizon = kept.horizon(aggregate);
        let Kept { per, exclude_current, min_count, .. } = kept;
        let reads_values = aggregate.reads_values();
        Self {
            values: inputs.iter().filter(|_| reads_values).map(|_| Vec::new()).collect(),
            inputs: inputs.iter().map(input).collect(),
            reads_values,
            condition,
            per,
            horizon,
            reach: kept.reach(aggregate),
            states: aggregate.states(Asked { horizon, exclude_current, min_count }),
            told: None,
            keys: Vec::new(),
            counts: Vec::new(),
            homes: Vec::new(),
        }
    }

    /// Index of the condition that rows have to meet.
    pub(super) fn condition(&self) -> Option<usize> {
        self.condition
    }

    /// Takes the rows in and leaves what each is told.
    ///
    /// `columns` are those of the rows, and behind them those that windows have computed.
    pub(super) fn advance(
        &mut self,
        rows: &Rows,
        columns: &[ArrayRef],
        condition: Option<&ArrayRef>,
    ) {
        self.read(rows, columns, condition);
        let slots = match self.per {
            Per::Key => &rows.slots,
            Per::Partition => {
                self.homes.resize(rows.len(), 0);
                &self.homes
            }
        };
        let steps = Steps {
            slots,
            times: &rows.event_times,
            watermarks: &rows.watermarks,
            counts: &self.counts,
            values: &self.values,
        };
        self.told = Some(Arc::new(self.states.advance(&steps)));
    }

    /// What the rows were told.
    pub(super) fn told(&mut self) -> ArrayRef {
        self.told.take().expect("rows were taken in")
    }

    /// Reads the values of the rows, and which rows count.
    fn read(&mut self, rows: &Rows, columns: &[ArrayRef], condition: Option<&ArrayRef>) {
        self.counts.clear();
        self.counts.resize(rows.len(), true);
        if let Some(condition) = condition {
            let counts = self.counts.iter_mut().enumerate();
            counts.for_each(|(row, counts)| *counts = holds(condition, row));
        }
        for (column, input) in self.inputs.iter().enumerate() {
            let array = &columns[input.index];
            if let Some(nulls) = array.nulls() {
                let counts = self.counts.iter_mut().zip(nulls);
                counts.for_each(|(counts, is_valid)| *counts &= is_valid);
            }
            if self.reads_values {
                read_keys(array, &mut self.keys);
                let values = &mut self.values[column];
                values.clear();
                values.extend(self.keys.iter().map(|key| input.kind.number(*key)));
            }
        }
    }

    /// How long after its last row a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        self.per.horizon(self.horizon)
    }

    /// How far before a row others may lie that it depends on.
    pub(super) fn reach(&self) -> Horizon {
        self.reach
    }

    /// Drops what is kept under `slot`; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.per == Per::Key {
            self.states.forget(slot);
        }
    }

    /// Bytes of all states.
    pub(super) fn state_bytes(&self) -> usize {
        self.states.bytes()
    }

    /// Holds on to the states as they are.
    pub(super) fn capture(&self) -> Box<dyn Saved> {
        self.states.capture()
    }

    /// Takes over the states that a snapshot holds; keys have `slots` slots.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        self.states.restore(section, self.per.homes(slots))
    }

    /// All that outlives a batch.
    #[cfg(test)]
    pub(super) fn state(&self) -> impl std::fmt::Debug {
        &self.states
    }
}
