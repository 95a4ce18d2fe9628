//! Rows of one window, taken into what it knows of each expectation.

use super::{SEED, kept::scattered, measure::Kind, tally::Tally};
use crate::{
    batch::{Halt, Rows},
    state::KeyColumns,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray},
    datatypes::{Float64Type, Int64Type, TimestampMillisecondType},
};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// True where the condition is.
pub(super) fn holds(values: &BooleanArray, row: usize) -> bool {
    values.is_valid(row) && values.value(row)
}

/// Rows of a batch, and what was said of them.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) rows: &'a Rows,
    pub(super) conditions: &'a [Option<BooleanArray>],
    pub(super) leaving: &'a [Option<usize>],
}

impl Batch<'_> {
    /// The halt that a row brings about which leaves.
    pub(super) fn halt_at(&self, row: usize) -> Halt {
        Halt {
            record: self.rows.records[row],
            watermark: self.rows.watermarks[row],
            expectation: self.leaving[row].expect("it is the row that leaves"),
            window: None,
        }
    }
}

/// Rows of one window that follow each other.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) rows: Range<usize>,
    /// Event time of the row before them.
    pub(super) before: i64,
    /// Values up to which what is kept is all of them.
    pub(super) exact: usize,
}

impl Part<'_> {
    /// Takes the rows into what a window knows of the expectation `index`.
    pub(super) fn take_into(&self, index: usize, kind: &Kind, tally: &mut Tally) {
        match kind {
            Kind::Records => tally.count += self.staying().count() as u64,
            Kind::NullRate { column } => {
                let column = self.column(*column);
                self.staying().for_each(|row| tally.judged(column.is_null(row)));
            }
            Kind::Distinct { column } | Kind::Unique { column } => {
                self.each_value(*column, |bytes| {
                    tally.occurs(xxh3_64_with_seed(bytes, SEED), self.exact);
                });
            }
            Kind::Allowed { column, values } => {
                self.each_value(*column, |bytes| tally.judged(values.contains(bytes)));
            }
            Kind::Mean { column } => self.each_number(*column, |_, value| tally.add(value)),
            Kind::Quantile { column, .. } => self.each_number(*column, |row, value| {
                tally.number(scattered(self.batch.rows.offsets[row]), value, self.exact);
            }),
            Kind::Freshness { column, max_us } => {
                let stamps = self.column(*column).as_primitive::<TimestampMillisecondType>();
                for row in self.staying().filter(|row| stamps.is_valid(*row)) {
                    let stamp = stamps.value(row).saturating_mul(1_000);
                    let behind = stamp.saturating_sub(self.batch.rows.event_times[row]);
                    tally.judged(behind <= *max_us);
                }
            }
            Kind::Monotonic => {
                let mut before = self.before;
                for row in self.staying() {
                    let time = self.batch.rows.event_times[row];
                    tally.judged(before <= time);
                    before = time;
                }
            }
            Kind::Row { .. } => {
                let values = self.batch.conditions[index].as_ref().expect("it was evaluated");
                self.rows.clone().for_each(|row| tally.judged(holds(values, row)));
            }
        }
    }

    /// The rows that no condition takes out.
    fn staying(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.clone().filter(|row| self.batch.leaving[*row].is_none())
    }

    fn column(&self, index: usize) -> &ArrayRef {
        self.batch.rows.columns.column(index)
    }

    fn each_value(&self, index: usize, mut take: impl FnMut(&[u8])) {
        let keys = KeyColumns::new([self.column(index)]);
        let mut scratch = Vec::new();
        for row in self.staying().filter(|row| !keys.has_null(*row)) {
            take(keys.bytes(row, &mut scratch));
        }
    }

    fn each_number(&self, index: usize, mut take: impl FnMut(usize, f64)) {
        let column = self.column(index);
        let rows = self.staying().filter(|row| column.is_valid(*row));
        if let Some(integers) = column.as_primitive_opt::<Int64Type>() {
            rows.for_each(|row| take(row, integers.value(row) as f64));
        } else {
            let numbers = column.as_primitive::<Float64Type>();
            rows.for_each(|row| take(row, numbers.value(row)));
        }
    }
}
