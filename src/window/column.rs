//! The columns that windows compute, and what each is made by.

use super::lane::Lane;
use crate::aggregate::{Frame, OfSummary};
use arrow::{array::ArrayRef, compute::nullif};

/// A computed column.
#[derive(Debug)]
pub(super) enum Column {
    Window(OfWindow),
    /// What a memory has told, by its index.
    Memory(usize),
}

/// An aggregate of one window of one lane.
#[derive(Debug)]
pub(super) struct OfWindow {
    pub(super) lane: usize,
    pub(super) window: usize,
    pub(super) made: Made,
    /// Null in windows of fewer values.
    pub(super) min_count: u64,
}

/// What a column is made by.
#[derive(Debug)]
pub(super) enum Made {
    Summaries(Box<dyn OfSummary>),
    /// A scan of the window, by its index there.
    Scan(usize),
}

impl OfWindow {
    /// One value per row that its lane has taken in.
    pub(super) fn of(&self, lane: &mut Lane) -> ArrayRef {
        let column = self.computed(lane);
        let summaries = &lane.windows[self.window].summaries;
        if summaries.iter().all(|summary| summary.n >= self.min_count) {
            return column;
        }
        let few = summaries.iter().map(|summary| Some(summary.n < self.min_count));
        nullif(&column, &few.collect()).expect("a flag per value")
    }

    fn computed(&self, lane: &mut Lane) -> ArrayRef {
        match &self.made {
            Made::Scan(index) => lane.scanned(self.window, *index),
            Made::Summaries(aggregate) => aggregate.column(&Frame {
                summaries: &lane.windows[self.window].summaries,
                input: lane.input.data_type(),
                texts: &lane.texts,
            }),
        }
    }
}
