//! Features, encode, dead letters: what leaves. Holds no state across commits.

use super::{
    alone,
    fold::{Folded, settle},
    spec::{HeadersSpec, NullsSpec, Spec},
};
use crate::{
    batch::{Outbox, Outcomes, Policy, RawBatch, Reason, Rejections, Rows},
    encode::{self, Encode, EncodeInput, Envelope},
    feature::Features,
    registry::{self, Problem},
};
use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{Schema, SchemaRef},
};
use std::sync::Arc;

/// Turns folded rows into vectors and rejected records into dead letters.
#[derive(Debug)]
pub struct Emitter {
    pipeline: String,
    definition: String,
    carry: Vec<usize>,
    features: Features,
    schema: SchemaRef,
    encode: Box<dyn Encode>,
    outcomes: Outcomes,
    dead_letter_prefix: Option<String>,
}

impl Emitter {
    /// Appends the messages of a folded batch: vectors, then dead letters, each in offset order.
    ///
    /// What features and encoding reject is added to `folded`, whose totals are then complete.
    pub fn emit(&mut self, raw: &RawBatch, folded: &mut Folded, out: &mut Outbox) {
        let mut left = Rejections::default();
        let vectors = self.vectors(&mut folded.rows, &mut left);
        let envelope = Envelope {
            raw,
            rows: &folded.rows,
            pipeline: &self.pipeline,
            definition: &self.definition,
        };
        self.encode.encode(&envelope, &vectors, out, &mut left);
        folded.leave(settle(left, &self.outcomes));
        self.dead_letters(raw, folded, out);
    }

    /// Ends the commit: writes what an encoder gathered into one message.
    pub fn flush(&mut self, out: &mut Outbox) {
        self.encode.flush(out);
    }

    /// Carried columns, then features, of the rows that have all of them.
    fn vectors(&self, rows: &mut Rows, left: &mut Rejections) -> RecordBatch {
        let features = self.features.advance(&rows.columns, &rows.event_times);
        let carried = self.carry.iter().map(|index| Arc::clone(rows.columns.column(*index)));
        let columns: Vec<ArrayRef> =
            carried.chain(features.columns.columns().iter().map(Arc::clone)).collect();
        let vectors = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("a value per row and field");
        if features.failed.is_empty() {
            return vectors;
        }
        let mut keep = vec![true; rows.len()];
        for (row, detail) in features.failed {
            if std::mem::replace(&mut keep[row], false) {
                left.push(rows.records[row], Reason::Expression, detail);
            }
        }
        let kept = filter_record_batch(&vectors, &BooleanArray::from(keep.clone()))
            .expect("a flag per row");
        let all = std::mem::replace(rows, rows_of_none());
        *rows = all.filter(&keep);
        kept
    }

    fn dead_letters(&self, raw: &RawBatch, folded: &Folded, out: &mut Outbox) {
        let Some(prefix) = &self.dead_letter_prefix else { return };
        for gone in folded.rejected.iter().filter(|gone| gone.policy == Some(Policy::Reject)) {
            encode::dead_letter(raw, gone, prefix, out);
        }
    }
}
