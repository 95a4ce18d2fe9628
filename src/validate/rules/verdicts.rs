//! What the rules found, per row.

use arrow::{array::Array, array::ArrayRef, buffer::OffsetBuffer};

/// A row that every rule so far lets pass.
const PASS: u32 = u32::MAX;
/// A row that no rule refuses, but one has a doubt about.
const DOUBT: u32 = u32::MAX - 1;

/// The verdict on each row of a batch: pass, doubt, or the first rule that it breaks.
#[derive(Debug, Default)]
pub struct Verdicts {
    rows: Vec<u32>,
    any: bool,
    rule: u32,
    /// Where each row's items begin, if the rule judges items.
    offsets: Option<OffsetBuffer<i32>>,
}

impl Verdicts {
    /// Starts a batch.
    pub(in crate::validate) fn begin(&mut self, rows: usize) {
        self.rows.clear();
        self.rows.resize(rows, PASS);
        self.any = false;
    }

    /// The rule of that index speaks next, on items if there are offsets.
    pub(in crate::validate) fn rule(&mut self, rule: u32, offsets: Option<OffsetBuffer<i32>>) {
        self.rule = rule;
        self.offsets = offsets;
    }

    /// The value at `index` breaks the rule.
    #[cold]
    pub fn refuse(&mut self, index: usize) {
        let row = self.row(index);
        if self.rows[row] >= DOUBT {
            self.rows[row] = self.rule;
        }
        self.any = true;
    }

    /// The column does not hold enough of the value at `index` to tell.
    #[cold]
    pub fn doubt(&mut self, index: usize) {
        let row = self.row(index);
        if self.rows[row] == PASS {
            self.rows[row] = DOUBT;
        }
        self.any = true;
    }

    /// Asks `verdict` about every value that is not null: it is called with the value's index.
    #[inline]
    pub(super) fn each(&mut self, values: &ArrayRef, verdict: impl Fn(usize) -> Verdict) {
        let mut judge = |index| match verdict(index) {
            Verdict::Pass => {}
            Verdict::Refuse => self.refuse(index),
            Verdict::Doubt => self.doubt(index),
        };
        match values.nulls() {
            None => (0..values.len()).for_each(&mut judge),
            Some(nulls) => nulls.valid_indices().for_each(&mut judge),
        }
    }

    pub(in crate::validate) fn all_pass(&self) -> bool {
        !self.any
    }

    pub(in crate::validate) fn broken(&self, row: usize) -> Option<usize> {
        (self.rows[row] < DOUBT).then_some(self.rows[row] as usize)
    }

    pub(in crate::validate) fn doubtful(&self, row: usize) -> bool {
        self.rows[row] == DOUBT
    }

    fn row(&self, index: usize) -> usize {
        let Some(offsets) = &self.offsets else { return index };
        let index = i32::try_from(index).expect("a batch holds less than 2 GiB");
        offsets.partition_point(|start| *start <= index) - 1
    }
}

/// The verdict on one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Refuse,
    Doubt,
}

impl Verdict {
    #[inline]
    pub(super) fn pass_if(passes: bool) -> Self {
        if passes { Self::Pass } else { Self::Refuse }
    }
}
