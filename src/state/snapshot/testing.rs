//! Snapshots for the tests of components: one component alone, and forgeries of it.

use super::{
    Header, Ledger, LogPosition, OffsetRange, Saved, Saver, frame, frame::FrameWriter,
    sections::Sections, write,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, UInt64Array},
    compute::concat_batches,
    datatypes::{DataType, Float64Type, Int64Type, UInt64Type},
    ipc::writer::StreamWriter,
};
use std::{io, sync::Arc};

/// The name that [`written`] gives to a component.
pub(crate) const PART: &str = "part";

/// A component alone.
struct Root(Box<dyn Saved>);

impl Saved for Root {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        out.component(PART, &*self.0)
    }
}

/// A header that says something in each field.
pub(crate) fn header() -> Header {
    Header {
        pipeline: "cards".into(),
        state_hash: "abc".into(),
        fold_version: 1,
        platform: "test".into(),
        cluster_id: None,
        topic: "t".into(),
        topic_id: Some("id".into()),
        partition: 3,
        partitions: 9,
        position: LogPosition { offset: 17, tick: 1 },
        origin: 0,
        watermark: Some(-5),
        digest: "00ff".into(),
        ledger: Ledger { consumed: 2, published: 1, dropped: 1, ..Ledger::default() },
        skipped: vec![OffsetRange { from: 4, to: 6 }].try_into().expect("a range"),
        keys: 1,
        taken_ms: 9,
    }
}

/// A snapshot of a component alone.
pub(crate) fn written(saved: Box<dyn Saved>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&header(), &Root(saved), &mut bytes).unwrap();
    bytes
}

/// Snapshots whose checksums are right, each with one number or one row other than in `bytes`.
pub(crate) fn forgeries(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (_, frames) = frame::split_header(bytes).unwrap();
    let sections = Sections::read(frames).unwrap();
    let tables: Vec<(String, RecordBatch)> = sections
        .tables()
        .map(|(name, batches)| {
            let whole = concat_batches(batches[0].schema_ref(), batches).unwrap();
            (name.to_owned(), whole)
        })
        .collect();
    let mut forgeries = Vec::new();
    for (index, (_, batch)) in tables.iter().enumerate() {
        for changed in changes(batch) {
            let mut forged = tables.clone();
            forged[index].1 = changed;
            forgeries.push(file(&forged));
        }
    }
    forgeries
}

fn changes(batch: &RecordBatch) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    let mut changed = Vec::new();
    if rows == 0 {
        return changed;
    }
    changed.push(batch.slice(0, rows - 1));
    changed.push(batch.slice(1, rows - 1));
    changed.push(concat_batches(batch.schema_ref(), [batch, &batch.slice(0, 1)]).unwrap());
    for column in 0..batch.num_columns() {
        for row in [0, 1, rows / 2, rows - 1].into_iter().filter(|row| *row < rows) {
            for other in others(batch.column(column), row) {
                let mut columns = batch.columns().to_vec();
                columns[column] = other;
                changed.push(RecordBatch::try_new(batch.schema(), columns).unwrap());
            }
        }
    }
    changed
}

/// The column with other values in one row.
fn others(column: &ArrayRef, row: usize) -> Vec<ArrayRef> {
    match column.data_type() {
        DataType::Int64 => {
            let values: Vec<_> = column.as_primitive::<Int64Type>().iter().collect();
            let own = values[row].unwrap_or(3);
            [
                None,
                Some(own.wrapping_add(1)),
                Some(own.wrapping_sub(1)),
                Some(i64::MIN),
                Some(i64::MAX),
            ]
            .map(|value| {
                let mut values = values.clone();
                values[row] = value;
                Arc::new(Int64Array::from(values)) as ArrayRef
            })
            .to_vec()
        }
        DataType::UInt64 => {
            let values: Vec<_> = column.as_primitive::<UInt64Type>().iter().collect();
            let own = values[row].unwrap_or(3);
            [None, Some(own.wrapping_add(1)), Some(own.wrapping_sub(1)), Some(0), Some(u64::MAX)]
                .map(|value| {
                    let mut values = values.clone();
                    values[row] = value;
                    Arc::new(UInt64Array::from(values)) as ArrayRef
                })
                .to_vec()
        }
        DataType::Float64 => {
            let mut values: Vec<_> = column.as_primitive::<Float64Type>().iter().collect();
            values[row] = Some(f64::NAN);
            vec![Arc::new(Float64Array::from(values))]
        }
        _ => Vec::new(),
    }
}

fn file(tables: &[(String, RecordBatch)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = serde_json::to_vec(&header()).unwrap();
    let mut frames = FrameWriter::begin(&mut bytes, &header).unwrap();
    for (name, batch) in tables {
        let mut payload = Vec::new();
        let mut stream = StreamWriter::try_new(&mut payload, batch.schema_ref()).unwrap();
        stream.write(batch).and_then(|()| stream.finish()).unwrap();
        drop(stream);
        frames.frame(name, &payload).unwrap();
    }
    frames.end().unwrap();
    bytes
}
