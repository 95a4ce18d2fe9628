//! How far back the log has to go for a state to be made again without its beginning.
//!
//! What is known at a watermark `w` of a component with horizon `h` depends on rows with event
//! times from `w - h` on. Their values come from the step before, which looks back again: the
//! horizons of a chain add up. A record's Kafka timestamp is at most `max_ahead` before its event
//! time, so that all of them lie behind the first record with a Kafka timestamp of
//! `w - sum - max_ahead`. The lateness is added on top for producers that write out of order.
//!
//! A fold that begins there sees the same rows pass: what it wrongly takes for in time, for want of
//! the watermark before it, lies before the horizon. Sums are begun anew, so that floating-point
//! results agree to rounding (1e-9), not to the bit.

use super::Fold;
use crate::state::Horizon;

impl Fold {
    /// How far before the watermark, in microseconds of Kafka timestamps, the first record may lie
    /// that the state depends on; none where that can be any record.
    pub fn reach(&self) -> Option<i64> {
        let chain = self.clean.iter().map(|step| step.reach()).chain([self.windows.horizon()]);
        chain
            .map(Horizon::microseconds)
            .try_fold(self.gates.reach()?, |sum, horizon| Some(sum.saturating_add(horizon?)))
    }
}
