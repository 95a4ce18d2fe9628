//! Being a member of the group, and becoming one again.
//!
//! A client that the group has put out for good fails for ever; another one joins in its place. It
//! happens to a static member that slept beyond its session and was replaced meanwhile, once; and to
//! one that was killed and starts again before the brokers have given up the one before, until they
//! have (KIP-848, `UNRELEASED_INSTANCE_ID`). What goes on is another process of the same name.
//!
//! A static member that the group has put out during a rebalance is not told: the client joins again
//! under a new member id and keeps what it had (librdkafka takes an assignment for lost when it is
//! made to fetch a member id first, which nobody asks of a static member). Somebody else has had
//! those partitions meanwhile, and may have them still, so what was taken under one member id is
//! never committed under another.

use super::{WorkerError, trouble::Lately};
use crate::{pipeline::clock, source::SourceError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::{
    ffi::{CStr, CString},
    time::{Duration, Instant},
};

/// Before the second attempt and those after it.
const PAUSE: Duration = Duration::from_secs(5);
/// Attempts to take a name that is not free: brokers give it up after the session, 45 s by default
/// and a minute at most unless they are set otherwise.
const TAKEN: (usize, Duration) = (24, Duration::from_mins(3));

/// Whether the worker's client is in the group, or when the next one tries.
#[derive(Debug)]
pub(super) struct Member {
    /// When another client joins; none while there is one that has not failed.
    joins: Option<Instant>,
    failed: Lately,
    taken: Lately,
    is_leaving: bool,
    /// The member id under which there are partitions.
    id: Option<CString>,
}

impl Default for Member {
    fn default() -> Self {
        let (times, within) = TAKEN;
        let taken = Lately::limit(times, within);
        Self { joins: None, failed: Lately::default(), taken, is_leaving: false, id: None }
    }
}

impl Member {
    /// Partitions are taken under this member id.
    pub(super) fn takes(&mut self, id: Option<&CStr>) {
        self.id = id.map(CStr::to_owned);
    }

    /// There are no partitions any more.
    pub(super) fn has_nothing(&mut self) {
        self.id = None;
    }

    /// True if the group now knows the client as another member than the one that took partitions.
    pub(super) fn is_another(&self, id: Option<&CStr>) -> bool {
        self.id.as_deref().zip(id).is_some_and(|(taken, now)| taken != now)
    }

    /// Everything is lost, and another client joins at once.
    pub(super) fn put_out(&mut self) {
        self.id = None;
        self.joins = Some(clock::instant());
    }

    /// The client failed for good. An error where another one would not fare better.
    pub(super) fn lost(&mut self, error: KafkaError) -> Result<(), WorkerError> {
        self.id = None;
        let code = error.rdkafka_error_code();
        let is_taken = code == Some(RDKafkaErrorCode::UnreleasedInstanceId);
        let lately = if is_taken { &mut self.taken } else { &mut self.failed };
        let often = lately.again();
        let at_once = lately.is_first() && !is_taken;
        self.joins = Some(clock::instant() + if at_once { Duration::ZERO } else { PAUSE });
        let Some(times) = often else { return Ok(()) };
        Err(match code {
            Some(RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::UnreleasedInstanceId) => {
                WorkerError::SlotUsedTwice(times)
            }
            _ => SourceError::Fatal(error).into(),
        })
    }

    /// True while the client is the one to ask.
    pub(super) fn has_client(&self) -> bool {
        self.joins.is_none()
    }

    /// The worker ends: it does not join any more.
    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
    }

    /// True while there is a client that may be asked; joins with another one when it is time to.
    pub(super) fn is_in(
        &mut self,
        join: impl FnOnce() -> Result<(), SourceError>,
    ) -> Result<bool, SourceError> {
        let Some(joins) = self.joins else { return Ok(true) };
        if self.is_leaving || clock::instant() < joins {
            return Ok(false);
        }
        self.joins = None;
        join().map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fatal(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::MessageConsumptionFatal(code)
    }

    #[test]
    fn one_that_failed_once_is_replaced_at_once() {
        let mut member = Member::default();
        assert!(member.is_in(|| panic!("it is in")).unwrap());
        member.lost(fatal(RDKafkaErrorCode::FencedInstanceId)).unwrap();
        let mut joined = 0;
        for _ in 0..2 {
            assert!(
                member
                    .is_in(|| {
                        joined += 1;
                        Ok(())
                    })
                    .unwrap()
            );
        }
        assert_eq!(joined, 1);
    }

    #[test]
    fn the_second_time_waits_and_the_third_ends() {
        let mut member = Member::default();
        member.lost(fatal(RDKafkaErrorCode::FencedInstanceId)).unwrap();
        member.lost(fatal(RDKafkaErrorCode::FencedInstanceId)).unwrap();
        assert!(!member.is_in(|| panic!("too early")).unwrap());
        let ended = member.lost(fatal(RDKafkaErrorCode::FencedInstanceId));
        assert!(matches!(ended, Err(WorkerError::SlotUsedTwice(3))), "{ended:?}");
    }

    #[test]
    fn a_name_that_is_not_free_yet_is_asked_for_again() {
        let mut member = Member::default();
        for _ in 1..TAKEN.0 {
            member.lost(fatal(RDKafkaErrorCode::UnreleasedInstanceId)).unwrap();
            assert!(!member.is_in(|| panic!("too early")).unwrap());
        }
        let ended = member.lost(fatal(RDKafkaErrorCode::UnreleasedInstanceId));
        assert!(matches!(ended, Err(WorkerError::SlotUsedTwice(_))), "{ended:?}");
    }

    #[test]
    fn partitions_of_one_member_are_not_anothers() {
        let mut member = Member::default();
        assert!(!member.is_another(Some(c"a-1")), "nothing was taken");
        member.takes(Some(c"a-1"));
        assert!(!member.is_another(Some(c"a-1")));
        assert!(!member.is_another(None), "who is no member commits nothing anyway");
        assert!(member.is_another(Some(c"a-2")));
        member.put_out();
        assert!(!member.is_another(Some(c"a-2")));
        let mut joined = false;
        assert!(
            member
                .is_in(|| {
                    joined = true;
                    Ok(())
                })
                .unwrap()
        );
        assert!(joined, "another client joins at once");
        member.takes(Some(c"a-2"));
        member.has_nothing();
        assert!(!member.is_another(Some(c"a-3")));
    }

    #[test]
    fn who_leaves_does_not_join() {
        let mut member = Member::default();
        member.lost(fatal(RDKafkaErrorCode::FencedInstanceId)).unwrap();
        member.leave();
        assert!(!member.is_in(|| panic!("it leaves")).unwrap());
    }
}
