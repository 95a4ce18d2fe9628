//! Whether a worker goes on, seen from outside: a thread that hangs cannot say so itself.

use crate::pipeline::clock;
use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::Duration,
};

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Doing {
    Start,
    Group,
    Fold,
    Send,
    Commit,
    Wait,
    Ended,
}

const NAMES: [&str; 7] = [
    "connecting",
    "serving the group",
    "folding",
    "sending",
    "committing",
    "waiting for records",
    "ended",
];

/// A worker's last sign of life.
#[derive(Debug)]
pub struct Pulse {
    doing: AtomicU8,
    at_ms: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        let pulse = Self { doing: AtomicU8::new(0), at_ms: AtomicU64::new(0) };
        pulse.beats(Doing::Start);
        pulse
    }
}

impl Pulse {
    /// The worker goes on, with this.
    pub(super) fn beats(&self, doing: Doing) {
        let now = u64::try_from(clock::monotonic().as_millis()).unwrap_or(u64::MAX);
        self.doing.store(doing as u8, Ordering::Relaxed);
        self.at_ms.store(now, Ordering::Relaxed);
    }

    /// Another attempt to be known to the coordinator begins.
    pub fn connects(&self) {
        self.beats(Doing::Start);
    }

    pub(super) fn ended(&self) {
        self.beats(Doing::Ended);
    }

    /// What the worker has been at for longer than `limit`, and for how long.
    pub fn stuck(&self, limit: Duration) -> Option<(&'static str, Duration)> {
        let at = Duration::from_millis(self.at_ms.load(Ordering::Relaxed));
        let since = clock::monotonic().saturating_sub(at);
        let doing = usize::from(self.doing.load(Ordering::Relaxed));
        let ended = doing == Doing::Ended as usize;
        (since > limit && !ended).then(|| (NAMES[doing], since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_hangs_is_named_by_what_it_does() {
        let pulse = Pulse::default();
        pulse.beats(Doing::Commit);
        assert_eq!(pulse.stuck(Duration::from_mins(1)), None);
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(pulse.stuck(Duration::from_millis(1)).map(|s| s.0), Some("committing"));
        pulse.ended();
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(pulse.stuck(Duration::from_millis(1)), None);
    }
}
