//! The columns of the records that came last: who leaves soon is not decoded twice.
//!
//! Not state: what is not here is decoded from its bytes, to the same columns.

use crate::batch::Rows;
use arrow::array::RecordBatch;
use std::collections::VecDeque;

/// Bytes of columns that are kept at most.
const BYTES_MAX: usize = 8 << 20;

/// Rows of a batch by offset.
#[derive(Debug)]
struct Batch {
    columns: RecordBatch,
    offsets: Vec<i64>,
    bytes: usize,
}

/// The newest batches, the oldest of them first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    batches: VecDeque<Batch>,
    bytes: usize,
}

impl Recent {
    /// Keeps the columns of a batch, and as many of those before as there is room for.
    pub(super) fn keep(&mut self, rows: &Rows) {
        let bytes = rows.columns.get_array_memory_size();
        if !rows.is_empty() {
            let (columns, offsets) = (rows.columns.clone(), rows.offsets.clone());
            self.batches.push_back(Batch { columns, offsets, bytes });
            self.bytes += bytes;
        }
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }

    /// The batches.
    pub(super) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.batches.iter().map(|batch| &batch.columns)
    }

    /// Which batch has the record of an offset, and where.
    pub(super) fn find(&self, offset: i64) -> Option<(usize, usize)> {
        let behind = self.batches.partition_point(|batch| batch.offsets[0] <= offset);
        let batch = behind.checked_sub(1)?;
        let row = self.batches[batch].offsets.binary_search(&offset).ok()?;
        Some((batch, row))
    }
}
