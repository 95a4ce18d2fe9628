//! How far a partition has come in event time.

/// This many records beyond `max_jump` in a row are no mistake: the last of them passes.
const JUMPS_IN_A_ROW: u32 = 20;

/// Progress of a partition in event time: all the state that the gates have beside the records that
/// wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Highest event time of a record that passed `future`, microseconds.
    pub highest: Option<i64>,
    /// Records beyond `max_jump` since the last one that was not.
    pub jumps: u32,
    /// What the watermark was raised to, microseconds, where held records were released before
    /// their time: by a tick, or because there were too many.
    pub raised: Option<i64>,
}

impl Progress {
    /// Highest event time - lateness, or the lowest number before the first record; more where it
    /// was raised.
    pub(super) fn watermark(&self, lateness_us: i64) -> i64 {
        let watermark =
            self.highest.map_or(i64::MIN, |highest| highest.saturating_sub(lateness_us));
        self.raised.map_or(watermark, |raised| raised.max(watermark))
    }

    /// Raises the watermark to right behind `event_time`, but not further than right behind the
    /// highest event time: what passed by policy alone must not make everybody else late.
    pub(super) fn raise_behind(&mut self, event_time: i64) {
        let Some(highest) = self.highest else { return };
        self.raised = self.raised.max(Some(event_time.min(highest) + 1));
    }

    /// Notes a record that passed `future`.
    pub(super) fn advance(&mut self, event_time: i64) {
        self.highest = Some(self.highest.map_or(event_time, |highest| highest.max(event_time)));
    }

    /// True if `event_time` is beyond `limit` and that may be a mistake.
    pub(super) fn is_jump(&mut self, event_time: i64, limit: i64) -> bool {
        if event_time <= limit {
            self.jumps = 0;
            return false;
        }
        self.jumps = self.jumps.saturating_add(1);
        if self.jumps < JUMPS_IN_A_ROW {
            return true;
        }
        self.jumps = 0;
        false
    }
}
