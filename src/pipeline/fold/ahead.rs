//! What steps that look ahead are told: rows as they were sent, when they begin to wait and right
//! before they come.

use super::Fold;
use crate::{batch::Rows, clean::LookAhead, state::KeyColumns};

impl Fold {
    /// Rows begin to wait.
    pub(super) fn tell_of_waiting(&mut self, rows: &Rows) {
        self.tell(rows, |step, keys| step.begin_to_wait(rows, keys));
    }

    /// Rows that waited come next; of each, the highest offset that had come when it was let go.
    pub(super) fn tell_of_coming(&mut self, rows: &Rows, seen: &[i64]) {
        self.tell(rows, |step, keys| step.about_to_come(rows, keys, seen));
    }

    fn tell(&mut self, rows: &Rows, tell: impl Fn(&mut dyn LookAhead, &KeyColumns<'_>)) {
        if self.gates.wait_us() == 0 {
            return;
        }
        let keys = KeyColumns::new(self.key.iter().map(|index| rows.columns.column(*index)));
        let steps = self.clean.iter_mut().filter_map(|step| step.look_ahead());
        steps.for_each(|step| tell(step, &keys));
    }
}
