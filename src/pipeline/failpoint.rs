//! Places where a test makes the process die, sleep or fail, and faults that it switches on.
//!
//! Compiled into builds with debug assertions only, such as the profile `ci`; in a release build
//! every call here is nothing. `MILLSTREAM_FAILPOINTS=after_send_offsets=kill@3;in_revoke=panic`
//! acts at the third passage of one place and at the first of another; `MILLSTREAM_MUTANT=no_replay`
//! plants a fault that the chaos suite must notice; `MILLSTREAM_PANIC_AT=topic/partition/offset`
//! makes the fold panic at that record.

#[cfg(not(debug_assertions))]
use crate::batch::RawBatch;

/// A step of the protocol at which a fault is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Records were polled, nothing is folded.
    AfterPoll,
    /// Some messages of a commit are with the producer, some are not.
    MidProduce,
    /// All messages stand, offsets are not sent.
    BeforeSendOffsets,
    /// Offsets are in the transaction, it is not committed.
    AfterSendOffsets,
    /// The commit is under way; acts beside it.
    DuringEndTransaction,
    /// The commit stands, the kept messages are not dropped yet.
    AfterCommit,
    /// A snapshot is encoded, not stored.
    SnapshotBeforePut,
    /// A snapshot is stored, not yet known to be.
    SnapshotAfterPut,
    /// A partition is assigned, its committed position is not known.
    AfterAssign,
    /// Partitions are being given back, their commit is not done.
    InRevoke,
    /// A partition is being replayed.
    DuringReplay,
    /// The process was told to end, its last commit is not done.
    DuringShutdown,
}

/// A fault planted in the protocol or the fold: the chaos suite must notice each of them.
#[cfg_attr(
    not(debug_assertions),
    expect(
        dead_code,
        reason = "a release build can plant none, and asks for some only by pattern"
    )
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Emits from the snapshot on, or from the committed offset without a replay.
    NoReplay,
    /// Goes on with what was folded before an assignment changed.
    NoEpochCheck,
    /// Sends offsets with the metadata of a member that never joined.
    UnfencedMetadata,
    /// Commits offsets before the messages are written.
    CommitBeforeFlush,
    /// Snapshots what is not committed yet, under the committed position.
    SnapshotUncommitted,
    /// Names snapshots by a later position than theirs.
    WrongPosition,
    /// Goes to the beginning of the log when in doubt.
    ResetToEarliest,
    /// Emits in the order of a randomly seeded table.
    HashOrder,
    /// Writes dead letters outside of the transaction.
    DeadLetterOutside,
    /// Leaves the newest tick out of what is committed.
    TickForgotten,
}

#[cfg(debug_assertions)]
impl Place {
    const ALL: [Self; 12] = [
        Self::AfterPoll,
        Self::MidProduce,
        Self::BeforeSendOffsets,
        Self::AfterSendOffsets,
        Self::DuringEndTransaction,
        Self::AfterCommit,
        Self::SnapshotBeforePut,
        Self::SnapshotAfterPut,
        Self::AfterAssign,
        Self::InRevoke,
        Self::DuringReplay,
        Self::DuringShutdown,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::AfterPoll => "after_poll",
            Self::MidProduce => "mid_produce",
            Self::BeforeSendOffsets => "before_send_offsets",
            Self::AfterSendOffsets => "after_send_offsets",
            Self::DuringEndTransaction => "during_end_txn",
            Self::AfterCommit => "after_commit",
            Self::SnapshotBeforePut => "snapshot_before_put",
            Self::SnapshotAfterPut => "snapshot_after_put",
            Self::AfterAssign => "after_assign",
            Self::InRevoke => "in_revoke",
            Self::DuringReplay => "during_replay",
            Self::DuringShutdown => "during_shutdown",
        }
    }
}

#[cfg(debug_assertions)]
impl Mutant {
    const ALL: [Self; 10] = [
        Self::NoReplay,
        Self::NoEpochCheck,
        Self::UnfencedMetadata,
        Self::CommitBeforeFlush,
        Self::SnapshotUncommitted,
        Self::WrongPosition,
        Self::ResetToEarliest,
        Self::HashOrder,
        Self::DeadLetterOutside,
        Self::TickForgotten,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::NoReplay => "no_replay",
            Self::NoEpochCheck => "no_epoch_check",
            Self::UnfencedMetadata => "unfenced_metadata",
            Self::CommitBeforeFlush => "commit_before_flush",
            Self::SnapshotUncommitted => "snapshot_uncommitted",
            Self::WrongPosition => "wrong_position",
            Self::ResetToEarliest => "reset_to_earliest",
            Self::HashOrder => "hash_order",
            Self::DeadLetterOutside => "dead_letter_outside",
            Self::TickForgotten => "tick_forgotten",
        }
    }
}

/// The records are about to be folded.
#[cfg(not(debug_assertions))]
pub(super) const fn folds(_: &RawBatch) {}

/// A step is passed. True if the caller is to fail as on a full disk.
#[cfg(not(debug_assertions))]
pub(super) const fn passed(_: Place) -> bool {
    false
}

/// The planted fault, if there is one.
#[cfg(not(debug_assertions))]
pub(super) const fn mutant() -> Option<Mutant> {
    None
}

#[cfg(debug_assertions)]
pub(super) use armed::{folds, mutant, passed};

#[cfg(debug_assertions)]
mod armed {
    use super::{Mutant, Place};
    use crate::{batch::RawBatch, settings};
    use std::{
        process::Command,
        sync::{
            LazyLock,
            atomic::{AtomicU32, Ordering},
        },
        thread,
        time::Duration,
    };

    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Action {
        Kill,
        Stop,
        Sleep(Duration),
        Panic,
        Exit,
        NoSpace,
    }

    /// What happens at the `at`-th passage of a place.
    #[derive(Debug)]
    struct Failpoint {
        place: Place,
        action: Action,
        at: u32,
        passages: AtomicU32,
    }

    struct Faults {
        points: Vec<Failpoint>,
        mutant: Option<Mutant>,
        panic_at: Option<(String, i32, i64)>,
    }

    static FAULTS: LazyLock<Faults> = LazyLock::new(|| {
        let variable = |name: &str| settings::environment().find(|(n, _)| n == name);
        let points = variable("MILLSTREAM_FAILPOINTS").map_or_else(Vec::new, |(_, text)| {
            parse(&text).unwrap_or_else(|part| panic!("MILLSTREAM_FAILPOINTS: `{part}`"))
        });
        let mutant = variable("MILLSTREAM_MUTANT").map(|(_, text)| {
            let known = Mutant::ALL.into_iter().find(|mutant| mutant.name() == text);
            known.unwrap_or_else(|| panic!("MILLSTREAM_MUTANT: `{text}`"))
        });
        let panic_at = variable("MILLSTREAM_PANIC_AT").map(|(_, text)| {
            record(&text).unwrap_or_else(|| panic!("MILLSTREAM_PANIC_AT: `{text}`"))
        });
        Faults { points, mutant, panic_at }
    });

    /// The planted fault, if there is one.
    pub(in crate::pipeline) fn mutant() -> Option<Mutant> {
        FAULTS.mutant
    }

    /// The records are about to be folded.
    pub(in crate::pipeline) fn folds(batch: &RawBatch) {
        let Some((topic, partition, offset)) = &FAULTS.panic_at else { return };
        let is_here = **batch.topic() == **topic && batch.partition() == *partition;
        let planted = is_here && batch.iter().any(|record| record.offset == *offset);
        assert!(!planted, "failpoint at offset {offset}");
    }

    /// A step is passed. True if the caller is to fail as on a full disk.
    pub(in crate::pipeline) fn passed(place: Place) -> bool {
        let mut no_space = false;
        for point in FAULTS.points.iter().filter(|point| point.place == place) {
            if point.passages.fetch_add(1, Ordering::Relaxed) + 1 == point.at {
                tracing::warn!(place = place.name(), action = ?point.action, "failpoint");
                no_space |= act(place, &point.action);
            }
        }
        no_space
    }

    fn act(place: Place, action: &Action) -> bool {
        match action {
            // The commit is under way while the process ends.
            Action::Kill | Action::Stop if place == Place::DuringEndTransaction => {
                let name = if *action == Action::Kill { "-KILL" } else { "-STOP" };
                let late = move || {
                    thread::sleep(Duration::from_millis(1));
                    signal(name);
                };
                let thread = thread::Builder::new().name("failpoint".to_owned()).spawn(late);
                thread.expect("a thread can be started");
            }
            Action::Kill => signal("-KILL"),
            Action::Stop => signal("-STOP"),
            Action::Sleep(time) => thread::sleep(*time),
            Action::Panic => panic!("failpoint {}", place.name()),
            #[expect(clippy::exit, reason = "what the test asks for")]
            Action::Exit => std::process::exit(3),
            Action::NoSpace => return true,
        }
        false
    }

    fn signal(name: &str) {
        let id = std::process::id().to_string();
        let sent = Command::new("kill").args([name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "a process can signal itself");
    }

    /// `place=action[@n]`, parted by `;`. Errors: the part that is wrong.
    fn parse(text: &str) -> Result<Vec<Failpoint>, String> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| failpoint(part).ok_or_else(|| part.to_owned())).collect()
    }

    /// `topic/partition/offset`.
    fn record(text: &str) -> Option<(String, i32, i64)> {
        let mut parts = text.rsplitn(3, '/');
        let (offset, partition) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((parts.next()?.to_owned(), partition, offset))
    }

    fn failpoint(part: &str) -> Option<Failpoint> {
        let (place, action) = part.split_once('=')?;
        let (action, at) = match action.split_once('@') {
            Some((action, at)) => (action, at.parse().ok()?),
            None => (action, 1),
        };
        let action = match action.split_once(':') {
            Some(("sleep", ms)) => Action::Sleep(Duration::from_millis(ms.parse().ok()?)),
            Some(_) => return None,
            None => match action {
                "kill" => Action::Kill,
                "stop" => Action::Stop,
                "panic" => Action::Panic,
                "exit" => Action::Exit,
                "enospc" => Action::NoSpace,
                _ => return None,
            },
        };
        let place = Place::ALL.into_iter().find(|known| known.name() == place)?;
        Some(Failpoint { place, action, at, passages: AtomicU32::new(0) })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn failpoints_are_read_and_mistakes_named() {
            let points = parse("after_poll=kill@3; mid_produce=sleep:20;").unwrap();
            assert_eq!((points[0].place, points[0].at), (Place::AfterPoll, 3));
            assert_eq!(points[1].action, Action::Sleep(Duration::from_millis(20)));
            assert_eq!(parse("after_pol=kill").unwrap_err(), "after_pol=kill");
            assert_eq!(record("a/b/3/7"), Some(("a/b".to_owned(), 3, 7)));
            assert_eq!(record("3/7"), None);
            assert_eq!(parse("after_poll=kil").unwrap_err(), "after_poll=kil");
        }
    }
}
