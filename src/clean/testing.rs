//! Rows for the tests of operators, and the check that batch cuts do not show.

use super::{Clean, Input, OPERATORS};
use crate::{
    batch::{Rejected, Rejections, Rows},
    registry::{self, Node, Position, Problem},
};
use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray},
    compute::concat_batches,
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use std::sync::Arc;

/// The columns that examples and tests are written for.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("tx_id", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("items", DataType::Int64, true),
        Field::new("category", DataType::Utf8, true),
        Field::new("refunded", DataType::Boolean, true),
    ]))
}

/// A row: where it stands and what it holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row<'a> {
    pub(super) time: i64,
    pub(super) watermark: i64,
    pub(super) slot: u32,
    pub(super) tx_id: Option<&'a str>,
    pub(super) amount: Option<f64>,
    pub(super) items: Option<i64>,
    pub(super) category: Option<&'a str>,
    pub(super) refunded: Option<bool>,
}

/// The rows as one batch; offsets and record numbers count from 0.
pub(super) fn rows(rows: &[Row<'_>]) -> Rows {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| r.tx_id).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.amount).collect::<Float64Array>()),
        Arc::new(rows.iter().map(|r| r.items).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|r| r.category).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.refunded).collect::<BooleanArray>()),
    ];
    let count = u32::try_from(rows.len()).unwrap();
    Rows {
        columns: RecordBatch::try_new(schema(), columns).unwrap(),
        records: (0..count).collect(),
        offsets: (0..i64::from(count)).collect(),
        event_times: rows.iter().map(|r| r.time).collect(),
        watermarks: rows.iter().map(|r| r.watermark).collect(),
        slots: rows.iter().map(|r| r.slot).collect(),
        late: vec![false; rows.len()],
    }
}

/// The operator of that name, built against [`schema`].
pub(super) fn build(name: &str, options: &str) -> Result<Box<dyn Clean>, Problem> {
    let operator = registry::find(OPERATORS, "operator", name, Position::default())?;
    (operator.build)(&Node::parse(options)?, &Input::of(&schema()))
}

/// Runs the rows through `clean`, cut into batches of `cuts` lengths in turn.
pub(super) fn advance(clean: &mut dyn Clean, rows: &Rows, cuts: &[usize]) -> (Rows, Vec<Rejected>) {
    let mut rejected = Rejections::default();
    let mut pieces = Vec::new();
    let mut start = 0;
    for cut in cuts.iter().cycle() {
        let end = (start + cut).min(rows.len());
        pieces.push(clean.advance(slice(rows, start, end), &mut rejected));
        if end == rows.len() {
            break;
        }
        start = end;
    }
    let columns: Vec<&RecordBatch> = pieces.iter().map(|piece| &piece.columns).collect();
    let columns = concat_batches(&clean.schema(), columns).unwrap();
    let mut whole = Rows { columns, ..slice(rows, 0, 0) };
    for piece in pieces {
        whole.records.extend(piece.records);
        whole.offsets.extend(piece.offsets);
        whole.event_times.extend(piece.event_times);
        whole.watermarks.extend(piece.watermarks);
        whole.slots.extend(piece.slots);
        whole.late.extend(piece.late);
    }
    (whole, rejected.0)
}

/// Runs the rows through the operator whole and in pieces, and gives what came out.
///
/// Rows, rejections and state must be the same to the bit.
pub(super) fn advance_both_ways(
    name: &str,
    options: &str,
    rows: &Rows,
    cuts: &[usize],
) -> (Rows, Vec<Rejected>) {
    let (mut whole, mut pieces) = (build(name, options).unwrap(), build(name, options).unwrap());
    let one = advance(&mut *whole, rows, &[rows.len().max(1)]);
    let many = advance(&mut *pieces, rows, cuts);
    assert_eq!(format!("{one:?}"), format!("{many:?}"), "cuts {cuts:?} show in rows");
    assert_eq!(format!("{whole:?}"), format!("{pieces:?}"), "cuts {cuts:?} show in state");
    assert_eq!(one.0.columns.schema(), whole.schema(), "{name} does what its schema says");
    one
}

fn slice(rows: &Rows, start: usize, end: usize) -> Rows {
    Rows {
        columns: rows.columns.slice(start, end - start),
        records: rows.records[start..end].to_vec(),
        offsets: rows.offsets[start..end].to_vec(),
        event_times: rows.event_times[start..end].to_vec(),
        watermarks: rows.watermarks[start..end].to_vec(),
        slots: rows.slots[start..end].to_vec(),
        late: rows.late[start..end].to_vec(),
    }
}
