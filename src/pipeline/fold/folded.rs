//! A batch after the fold: what goes on, what has left, and of which records.

use crate::{
    batch::{Halt, Outcomes, RawBatch, Rejected, Rejections, Rows, Verdict},
    pipeline::Totals,
    window::Judged,
};
use arrow::{compute::concat_batches, datatypes::SchemaRef};

/// Records that leave in order of event time, with what became of them.
#[derive(Debug)]
pub(super) struct Departed {
    pub(super) raw: RawBatch,
    pub(super) rows: Rows,
    pub(super) rejected: Vec<Rejected>,
    pub(super) verdicts: Vec<Verdict>,
}

/// A batch after the fold: every record of [`Folded::batch`] is either a row or has left.
#[derive(Debug)]
pub struct Folded {
    /// The records that go on, with the columns of `clean` and `window`.
    pub rows: Rows,
    /// The records that left, in the order of the batch, each with its settled policy.
    pub rejected: Vec<Rejected>,
    /// What became of the records. [`Emitter::emit`](crate::pipeline::Emitter::emit) completes it.
    pub totals: Totals,
    /// The records that leave in order of event time: rejected ones, and those that were released,
    /// in the order of their triggers.
    staged: Option<RawBatch>,
    /// Records of the batch that were folded: all, or those up to the one that `halt` names.
    records: usize,
    /// Verdicts on the windows that these records have closed.
    pub verdicts: Vec<Verdict>,
    /// Where the partition stops, if an expectation halts it: the records behind were not folded,
    /// and the fold takes no more.
    pub halt: Option<Halt>,
}

impl Folded {
    /// A batch of which every record leaves at once, up to a halt.
    pub(super) fn new(raw: &RawBatch, rows: Rows, rejected: Vec<Rejected>, judged: Judged) -> Self {
        let Judged { verdicts, halt } = judged;
        let records = halt.map_or(raw.len(), |halt| halt.record as usize + 1);
        let mut totals = counted(records, records, &rejected);
        for verdict in &verdicts {
            totals.count_verdict(verdict);
        }
        Self { totals, rows, rejected, staged: None, records, verdicts, halt }.checked()
    }

    /// What leaves while `consumed` records came: at least one batch, several where it is more than
    /// one has room for. `schema` is that of the rows.
    pub(super) fn leaving(batches: Vec<Departed>, consumed: usize, schema: &SchemaRef) -> Self {
        let mut batches = batches.into_iter();
        let Departed { mut raw, mut rows, mut rejected, mut verdicts } =
            batches.next().expect("at least one batch");
        let mut columns = vec![rows.columns.clone()];
        for more in batches {
            let before = u32::try_from(raw.len()).expect("fewer than what can be held");
            more.raw.iter().for_each(|record| raw.push_released(&record));
            columns.push(more.rows.columns.clone());
            rows.append(more.rows, before);
            let moved = |gone: Rejected| Rejected { record: gone.record + before, ..gone };
            rejected.extend(more.rejected.into_iter().map(moved));
            let moved = |told: Verdict| Verdict { record: told.record + before, ..told };
            verdicts.extend(more.verdicts.into_iter().map(moved));
        }
        if columns.len() > 1 {
            rows.columns = concat_batches(schema, &columns).expect("batches of one schema");
        }
        let (records, mut totals) = (raw.len(), counted(consumed, raw.len(), &rejected));
        for verdict in &verdicts {
            totals.count_verdict(verdict);
        }
        let staged = Some(raw);
        Self { rows, rejected, totals, staged, records, verdicts, halt: None }.checked()
    }

    /// The records that `rows` and `rejected` are of, where `raw` is the batch that was folded: that
    /// one, or in order of event time those that left with it.
    pub fn batch<'a>(&'a self, raw: &'a RawBatch) -> &'a RawBatch {
        self.staged.as_ref().unwrap_or(raw)
    }

    /// Takes the records out that leave in order of event time.
    pub(in crate::pipeline) fn take_staged(&mut self) -> Option<RawBatch> {
        self.staged.take()
    }

    /// Puts them back.
    pub(in crate::pipeline) fn put_staged(&mut self, staged: Option<RawBatch>) {
        self.staged = staged;
    }

    fn checked(self) -> Self {
        assert!(self.accounts_for_all(), "every record has exactly one outcome");
        self
    }

    /// Completes the batch: `gone` are the rows that features and encoding gave up on, the rest is
    /// published.
    pub(in crate::pipeline) fn complete(&mut self, gone: Vec<Rejected>) {
        if !gone.is_empty() {
            let left = |record: &u32| gone.binary_search_by_key(record, |gone| gone.record).is_ok();
            let keep: Vec<bool> = self.rows.records.iter().map(|record| !left(record)).collect();
            self.rows = self.rows.clone().filter(&keep);
        }
        for gone in &gone {
            self.totals.count(gone);
        }
        self.totals.published += self.rows.len() as u64;
        self.rejected.extend(gone);
        self.rejected.sort_by_key(|gone| gone.record);
        assert!(self.accounts_for_all(), "every record has exactly one outcome");
    }

    /// True if every record that was folded is either a row or has left, and none is both.
    fn accounts_for_all(&self) -> bool {
        if self.rows.len() + self.rejected.len() != self.records {
            return false;
        }
        let mut rows = self.rows.records.iter().peekable();
        let mut rejected = self.rejected.iter().peekable();
        (0..self.records).all(|record| {
            let kept = rows.next_if(|row| **row as usize == record).is_some();
            let left = rejected.next_if(|gone| gone.record as usize == record).is_some();
            kept != left
        })
    }
}

/// What became of `consumed` records, while so many left.
fn counted(consumed: usize, left: usize, rejected: &[Rejected]) -> Totals {
    let [consumed, left] = [consumed, left].map(|records| records as u64);
    let held = consumed.cast_signed() - left.cast_signed();
    let mut totals = Totals { consumed, held, ..Totals::default() };
    for gone in rejected {
        totals.count(gone);
    }
    totals
}

/// Puts the records that left in the order of their batch, each with the policy that holds for it.
pub(in crate::pipeline) fn settle(left: Rejections, outcomes: &Outcomes) -> Vec<Rejected> {
    let mut rejected = left.0;
    rejected.sort_by_key(|gone| gone.record);
    for gone in &mut rejected {
        gone.policy.get_or_insert(outcomes.policy(gone.reason));
    }
    rejected
}
