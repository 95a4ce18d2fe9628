//! A group that does not say what this member has.
//!
//! Who joins a group, at the start or after a rebalance took its partitions, is told its partitions
//! sooner or later, none included. librdkafka waits for the answer to its request as long as
//! `max.poll.interval.ms` allows, five minutes by default. So a worker that has nothing and has waited
//! for some sessions joins anew, with another client. Where the group is slow because a member that
//! died is still waited for that does no harm; the time counts while brokers are there.
//!
//! Where the brokers assign (KIP-848) there is no such request; [`super::overlooked`] is for those. A
//! client that has no brokers any more, and a member that the group does not have although it has
//! partitions or was told that it has none, are found by [`super::checkup`].

use super::Worker;
use crate::pipeline::clock;
use std::time::{Duration, Instant};
use tracing::warn;

/// Sessions for which the group is waited for at first: one for a member that died, and then some.
const SESSIONS: u32 = 3;
/// How many times as long at most, when it stays silent.
const GROWTH_MAX: u32 = 4;

/// Since when the group owes an answer.
#[derive(Debug)]
pub(super) struct Unheard {
    /// None where it is not waited for.
    patience: Option<Duration>,
    since: Option<Instant>,
    growth: u32,
    /// How often the client had told by then that no broker is there.
    outages: u64,
}

impl Unheard {
    /// A member of that session that joins now; none where the brokers assign.
    pub(super) fn new(session: Option<Duration>) -> Self {
        let patience = session.map(|session| session * SESSIONS);
        Self { patience, since: Some(clock::instant()), growth: 1, outages: 0 }
    }

    /// The member joins again.
    pub(super) fn asks(&mut self) {
        self.since = Some(clock::instant());
    }

    /// The group has said what the member has.
    pub(super) fn told(&mut self) {
        (self.since, self.growth) = (None, 1);
    }

    /// For how long it was waited, once that is too long; the next time it takes longer. While the
    /// client tells that no broker is there nobody has heard the question yet.
    fn is_enough(&mut self, outages: u64) -> Option<Duration> {
        if std::mem::replace(&mut self.outages, outages) != outages && self.since.is_some() {
            self.asks();
        }
        let (patience, waited) = (self.patience? * self.growth, self.since?.elapsed());
        if waited < patience {
            return None;
        }
        self.growth = (self.growth * 2).min(GROWTH_MAX);
        self.asks();
        Some(waited)
    }
}

impl Worker {
    /// Joins anew where the group has been silent for too long.
    pub(super) fn watch_join(&mut self) {
        if !self.has_nothing() || !self.member.has_client() {
            return;
        }
        let Some(waited) = self.unheard.is_enough(self.source.outages()) else { return };
        let (worker, seconds) = (self.report.worker(), waited.as_secs());
        warn!(worker, seconds, "the group does not say what to take, joining anew");
        self.join_anew();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(10);
    const PATIENCE: Duration = Duration::from_secs(30);

    fn after(unheard: &mut Unheard, wait: Duration) -> bool {
        unheard.since = unheard.since.map(|since| since.checked_sub(wait).unwrap());
        unheard.is_enough(0).is_some()
    }

    #[test]
    fn silence_is_borne_for_a_while_and_then_longer() {
        let mut unheard = Unheard::new(Some(SESSION));
        assert!(!after(&mut unheard, SESSION * 2));
        assert!(after(&mut unheard, SESSION));
        assert!(!after(&mut unheard, PATIENCE));
        assert!(after(&mut unheard, PATIENCE));
        assert!(after(&mut unheard, PATIENCE * 4));
        assert!(after(&mut unheard, PATIENCE * 4), "and not longer than that");
    }

    #[test]
    fn who_was_told_waits_no_more_until_it_asks_again() {
        let mut unheard = Unheard::new(Some(SESSION));
        assert!(after(&mut unheard, PATIENCE));
        unheard.told();
        assert!(!after(&mut unheard, PATIENCE * 10));
        unheard.asks();
        assert!(!after(&mut unheard, PATIENCE / 2));
        assert!(after(&mut unheard, PATIENCE / 2), "as patient as at first");
    }

    #[test]
    fn while_no_broker_is_there_nobody_has_heard() {
        let mut unheard = Unheard::new(Some(SESSION));
        let mut after = |wait: Duration, outages: u64| {
            unheard.since = unheard.since.map(|since| since.checked_sub(wait).unwrap());
            unheard.is_enough(outages).is_some()
        };
        assert!(!after(SESSION * 2, 0));
        assert!(!after(SESSION * 2, 1), "another outage");
        assert!(!after(SESSION * 2, 1));
        assert!(after(SESSION, 1));
    }

    #[test]
    fn where_the_brokers_assign_nobody_waits() {
        let mut unheard = Unheard::new(None);
        assert!(!after(&mut unheard, PATIENCE * 100));
    }
}
