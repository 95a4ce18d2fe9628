//! Points on the line between the key's values before a record and behind it.
//!
//! With `order: event_time` alone, and as the first step: rows then wait `within` longer than the
//! watermark asks for, and what they were sent with is noted when they begin to wait. A row that was
//! released before its time, by a tick or because too many waited, knows what had come by then; a
//! late one that the policy keeps did not wait and gets nothing.

use super::knots::Knots;
use crate::{
    batch::Rows,
    clean::{Input, LookAhead, column::wrong_type},
    registry::{Node, Problem, Span},
    state::{
        Horizon, KeyColumns,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array},
    datatypes::{DataType, Float64Type},
};
use std::sync::Arc;

/// Linear interpolation of a column.
#[derive(Debug)]
pub(super) struct Linear {
    within_us: i64,
    /// Place of the column, also in rows as they were sent.
    column: usize,
    knots: Knots,
    /// What the rows at hand get that have no value, by record.
    points: Vec<(u32, f64)>,
}

impl Linear {
    pub(super) fn build(
        column: usize,
        within: Option<Span>,
        node: &Node,
        input: &Input<'_>,
    ) -> Result<Self, Problem> {
        let field = input.schema.field(column);
        if *field.data_type() != DataType::Float64 {
            let expected = "a column of numbers: integers have no values between them";
            return Err(wrong_type(field, node.at("column"), expected));
        }
        if !input.waits() {
            let what = "`with: linear` needs the next value: records have to wait for it";
            return Err(Problem::new(node.at("with"), what)
                .expected("`order: event_time` in `source`, or `with: last`"));
        }
        if !input.untouched {
            let what = "`with: linear` behind other operators: it looks ahead at what was sent";
            return Err(Problem::new(node.at("with"), what).expected("its place first in `clean`"));
        }
        let expected = "how far away the next value may be, and the last one, such as `10m`: all \
                        records wait that much longer";
        let within_us = match within {
            Some(Span { us }) if us > 0 => us,
            Some(_) => {
                let what = "wrong value: 0";
                return Err(Problem::new(node.at("within"), what).expected(expected));
            }
            None => return Err(Problem::new(node.at, "missing key `within`").expected(expected)),
        };
        Ok(Self { within_us, column, knots: Knots::default(), points: Vec::new() })
    }

    /// The column with each null replaced by its point, if it has one.
    pub(super) fn advance(&self, column: &ArrayRef, rows: &Rows) -> ArrayRef {
        if self.points.is_empty() {
            return Arc::clone(column);
        }
        let values = column.as_primitive::<Float64Type>();
        let point = |record: u32| {
            let found = self.points.binary_search_by_key(&record, |(record, _)| *record);
            found.ok().map(|at| self.points[at].1)
        };
        let filled: Float64Array = values
            .iter()
            .zip(&rows.records)
            .map(|(own, record)| own.or_else(|| point(*record)))
            .collect();
        Arc::new(filled)
    }

    pub(super) fn reach(&self) -> Horizon {
        Horizon::For(self.within_us)
    }

    pub(super) fn bytes(&self) -> usize {
        self.knots.bytes()
    }

    pub(super) fn capture(&self) -> Box<dyn Saved> {
        self.knots.capture()
    }

    pub(super) fn restore(&mut self, section: &Section<'_>) -> Result<(), SnapshotError> {
        self.knots.restore(section)
    }

    fn sent<'a>(&self, rows: &'a Rows) -> &'a Float64Array {
        rows.columns.column(self.column).as_primitive()
    }
}

impl LookAhead for Linear {
    fn wait_us(&self) -> i64 {
        self.within_us
    }

    fn begin_to_wait(&mut self, rows: &Rows, keys: &KeyColumns<'_>) {
        let mut scratch = Vec::new();
        for (row, value) in self.sent(rows).iter().enumerate() {
            if let Some(value) = value.filter(|value| value.is_finite() && !rows.late[row]) {
                let place = (rows.event_times[row], rows.offsets[row]);
                self.knots.insert(keys.bytes(row, &mut scratch), place, value);
            }
        }
    }

    fn about_to_come(&mut self, rows: &Rows, keys: &KeyColumns<'_>, seen: &[i64]) {
        let mut scratch = Vec::new();
        self.points.clear();
        let sent = self.sent(rows);
        let gaps = (0..rows.len()).filter(|row| sent.is_null(*row) && !rows.late[*row]);
        for row in gaps {
            let place = (rows.event_times[row], rows.offsets[row]);
            let key = keys.bytes(row, &mut scratch);
            let point = self.knots.point(key, place, self.within_us, seen[row]);
            self.points.extend(point.map(|point| (rows.records[row], point)));
        }
        if let Some(watermark) = rows.watermarks.last() {
            self.knots.forget_before(watermark.saturating_sub(self.within_us));
        }
    }
}
