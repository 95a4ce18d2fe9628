//! What passes by itself, and what does not: pauses between attempts, and fences.

use crate::pipeline::clock;
use rand::Rng as _;
use std::time::{Duration, Instant};

/// Growing pauses between attempts, each shortened at random, so that many who failed together do
/// not try again together.
#[derive(Debug)]
pub(super) struct Backoff {
    longest: Duration,
    attempts: u32,
    until: Option<Instant>,
    reason: Option<String>,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl Default for Backoff {
    fn default() -> Self {
        Self::up_to(Duration::from_secs(10))
    }
}

impl Backoff {
    /// With pauses of at most `longest`.
    pub(super) fn up_to(longest: Duration) -> Self {
        Self { longest, attempts: 0, until: None, reason: None }
    }

    /// An attempt failed, for this reason. Returns the pause before the next.
    pub(super) fn failed(&mut self, reason: &str) -> Duration {
        let pause = (FIRST_PAUSE * 2_u32.saturating_pow(self.attempts.min(10))).min(self.longest);
        self.attempts += 1;
        let pause = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.until = Some(clock::instant() + pause);
        self.reason = Some(reason.to_owned());
        pause
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::up_to(self.longest);
    }

    pub(super) fn waiting(&self) -> bool {
        self.until.is_some_and(|until| clock::instant() < until)
    }

    /// Why nothing goes on, once it is more than one bad moment.
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref().filter(|_| self.attempts > 1)
    }
}

/// How often something happened lately, and how often is no accident any more.
#[derive(Debug)]
pub(super) struct Lately {
    times: usize,
    within: Duration,
    at: Vec<Instant>,
}

impl Default for Lately {
    /// Three times a minute.
    fn default() -> Self {
        Self::limit(3, Duration::from_mins(1))
    }
}

impl Lately {
    /// So often within that time is no accident.
    pub(super) fn limit(times: usize, within: Duration) -> Self {
        Self { times, within, at: Vec::new() }
    }

    /// It happened again. How often, if that is too often to be by accident.
    pub(super) fn again(&mut self) -> Option<usize> {
        let now = clock::instant();
        self.at.retain(|at| now - *at < self.within);
        self.at.push(now);
        (self.at.len() >= self.times).then_some(self.at.len())
    }

    /// True if it happened once.
    pub(super) fn is_first(&self) -> bool {
        self.at.len() == 1
    }
}

/// A thread that was away for so long may have outlived its own transaction.
const AWAY: Duration = Duration::from_secs(5);

/// How often this worker was fenced lately.
#[derive(Debug, Default)]
pub(super) struct Fences {
    fenced: Lately,
    alive: Option<Instant>,
}

impl Fences {
    /// The worker goes on; told at every step of a commit.
    pub(super) fn alive(&mut self) {
        self.alive = Some(clock::instant());
    }

    /// Fenced. How often, if somebody else uses the transactional id. A worker that was stopped for
    /// longer than its transaction lasts is fenced without anybody else.
    pub(super) fn fenced(&mut self) -> Option<usize> {
        let was_there = self.alive.is_some_and(|alive| alive.elapsed() <= AWAY);
        was_there.then(|| self.fenced.again()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_moment_is_no_degradation() {
        let mut backoff = Backoff::default();
        backoff.failed("a broker is away");
        assert!(backoff.waiting() && backoff.reason().is_none());
        backoff.failed("a broker is away");
        assert_eq!(backoff.reason(), Some("a broker is away"));
        backoff.succeeded();
        assert!(!backoff.waiting() && backoff.reason().is_none());
    }

    #[test]
    fn three_fences_of_a_worker_that_was_there_are_no_accident() {
        let mut fences = Fences::default();
        assert_eq!(fences.fenced(), None, "nobody was there");
        fences.alive();
        assert_eq!((fences.fenced(), fences.fenced()), (None, None));
        assert_eq!(fences.fenced(), Some(3));
    }
}
