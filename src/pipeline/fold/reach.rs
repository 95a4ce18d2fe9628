//! How far back the log has to go for a state to be made again without its beginning.
//!
//! What is known at a watermark `w` of a component with horizon `h` depends on rows with event
//! times from `w - h` on. Their values come from the step before, which looks back again: the
//! horizons of a chain add up. All records that were folded while the watermark was `v` have event
//! times of at most `v + lateness`, whatever their Kafka timestamps are. So nothing matters that
//! was folded before the watermark was past `w - sum - lateness`.
//!
//! A fold that begins there sees the same rows pass: what it wrongly takes for in time, for want of
//! the watermark before it, lies before the horizon. Sums are begun anew, so that floating-point
//! results agree to rounding (1e-9), not to the bit.

use super::Fold;
use crate::{state::Horizon, window::Expectations};

impl Fold {
    /// How far the watermark must have gone on since a record, in microseconds, for the state not
    /// to depend on it any more; none where it may depend on every record.
    pub fn reach(&self) -> Option<i64> {
        // Which keys had to give way depends on all that were there.
        if self.keys.gives_way() {
            return None;
        }
        let expectations = self.expectations.as_ref().map(Expectations::horizon);
        let last = expectations.into_iter().fold(self.windows.reach(), Horizon::max);
        let chain = self.clean.iter().map(|step| step.reach()).chain([last]);
        chain
            .map(Horizon::microseconds)
            .try_fold(self.gates.reach()?, |sum, horizon| Some(sum.saturating_add(horizon?)))
    }
}
