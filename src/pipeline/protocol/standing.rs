//! Where each assigned partition stands, and what follows from taking and giving partitions.

use super::{Mutant, Protocol, State};

/// Number of one assignment of one partition; a partition that comes again has another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(in crate::pipeline) struct Epoch(pub(super) u64);

impl Epoch {
    /// The number, which messages carry.
    pub(in crate::pipeline) fn number(self) -> u64 {
        self.0
    }
}

/// What a partition does with the records it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Phase {
    /// Where it stands is being asked; nothing of it is folded.
    Asked,
    /// Folds in silence up to the committed offset.
    Replaying {
        /// The committed offset.
        until: i64,
    },
    /// Folds and emits.
    Live,
}

/// What may be done with a partition's next records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Limit {
    /// Fold those before the offset, emit nothing.
    Silent {
        /// The committed offset.
        until: i64,
    },
    /// Fold and emit.
    Emit,
}

/// Where an assignment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) struct Start {
    /// Next offset to fold: what the state at hand is the fold of.
    pub(in crate::pipeline) from: i64,
    /// The group's committed offset.
    pub(in crate::pipeline) committed: i64,
    /// True if the group has no offset yet: the position is made known before the first record.
    pub(in crate::pipeline) fresh: bool,
}

/// A position that a commit moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) struct Move<P> {
    /// The partition.
    pub(in crate::pipeline) id: P,
    /// Next offset to read.
    pub(in crate::pipeline) to: i64,
}

/// An assigned partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) epoch: Epoch,
    pub(super) phase: Phase,
    /// Next offset to fold.
    pub(super) next: i64,
    /// Next offset to read as the group has it.
    pub(super) committed: i64,
    pub(super) fresh: bool,
}

impl Standing {
    /// True if there is something to commit.
    pub(super) fn has_moved(&self) -> bool {
        self.phase == Phase::Live && (self.next != self.committed || self.fresh)
    }
}

impl<P: Ord + Clone> Protocol<P> {
    /// A partition is ours from now on, under the epoch returned; where it stands is to be asked.
    pub(in crate::pipeline) fn assigned(&mut self, id: P) -> Epoch {
        if self.mutant == Some(Mutant::NoEpochCheck)
            && let Some(stale) = self.partitions.get(&id)
        {
            return stale.epoch;
        }
        let epoch = self.next_epoch();
        let standing = Standing { epoch, phase: Phase::Asked, next: 0, committed: 0, fresh: false };
        self.partitions.insert(id, standing);
        epoch
    }

    /// The answer to where a partition stands. False if the assignment that asked is over.
    pub(in crate::pipeline) fn begin(&mut self, id: &P, epoch: Epoch, start: Start) -> bool {
        let mutant = self.mutant;
        let Some(standing) = self.partitions.get_mut(id) else { return false };
        if standing.epoch != epoch || standing.phase != Phase::Asked {
            return false;
        }
        let Start { from, committed, fresh } = start;
        assert!(from <= committed, "a state is never ahead of the committed position");
        (standing.next, standing.committed, standing.fresh) = (from, committed, fresh);
        standing.phase = if from == committed {
            Phase::Live
        } else if mutant == Some(Mutant::NoReplay) {
            standing.next = committed;
            Phase::Live
        } else {
            Phase::Replaying { until: committed }
        };
        true
    }

    /// A partition is not ours any more. What was folded of it and is not committed must not stand,
    /// so that the open transaction goes with it; commit before, where that is allowed.
    pub(in crate::pipeline) fn revoked(&mut self, id: &P) {
        if self.mutant == Some(Mutant::NoEpochCheck) {
            return;
        }
        let Some(gone) = self.partitions.remove(id) else { return };
        let was_member = self.members.remove(id).is_some();
        if !self.exactly_once {
            return;
        }
        match self.state {
            State::Folding if gone.has_moved() => self.failed(),
            State::Draining | State::Offsets | State::Ending if was_member => {
                self.early = false;
                self.state = State::Broken;
            }
            State::Asking if self.members.is_empty() => self.state = State::Folding,
            State::Folding
            | State::Draining
            | State::Offsets
            | State::Ending
            | State::Broken
            | State::Asking => {}
        }
    }

    /// What may be folded of a partition now.
    pub(in crate::pipeline) fn limit(&self, id: &P) -> Option<Limit> {
        match self.partitions.get(id)?.phase {
            Phase::Asked => None,
            Phase::Replaying { until } => Some(Limit::Silent { until }),
            Phase::Live => (self.state == State::Folding).then_some(Limit::Emit),
        }
    }

    /// Everything before `to` is folded, or is no record. True if that ends a replay.
    pub(in crate::pipeline) fn advanced(&mut self, id: &P, to: i64) -> bool {
        let folding = self.state == State::Folding;
        let standing = self.partitions.get_mut(id).expect("only assigned partitions are folded");
        match standing.phase {
            Phase::Asked => panic!("nothing is folded before it is known where to begin"),
            Phase::Live => {
                assert!(folding || to <= standing.next, "a commit under way is not added to");
                standing.next = standing.next.max(to);
                false
            }
            Phase::Replaying { until } => {
                standing.next = standing.next.max(to.min(until));
                if standing.next == until {
                    standing.phase = Phase::Live;
                }
                standing.next == until
            }
        }
    }

    /// Where a snapshot of the partition would stand, if one may be taken now: the fold is where
    /// the group is.
    pub(in crate::pipeline) fn snapshot_at(&self, id: &P) -> Option<i64> {
        let standing = self.partitions.get(id)?;
        let committed = standing.phase == Phase::Live
            && !standing.has_moved()
            && !self.members.contains_key(id);
        match self.mutant {
            Some(Mutant::SnapshotUncommitted) if standing.phase == Phase::Live => {
                Some(standing.committed)
            }
            Some(Mutant::WrongPosition) if committed => Some(standing.committed + 1),
            _ => committed.then_some(standing.committed),
        }
    }

    /// All partitions that are ours, those included whose state is not there yet.
    pub(in crate::pipeline) fn all(&self) -> impl Iterator<Item = &P> {
        self.partitions.keys()
    }

    /// Next offset to fold of a partition.
    pub(in crate::pipeline) fn next(&self, id: &P) -> Option<i64> {
        self.partitions.get(id).map(|standing| standing.next)
    }

    /// The group's position of a partition.
    pub(in crate::pipeline) fn committed(&self, id: &P) -> Option<i64> {
        self.partitions.get(id).map(|standing| standing.committed)
    }

    /// What a partition does.
    pub(in crate::pipeline) fn phase(&self, id: &P) -> Option<Phase> {
        self.partitions.get(id).map(|standing| standing.phase)
    }

    /// The epoch of a partition's assignment.
    pub(in crate::pipeline) fn epoch(&self, id: &P) -> Option<Epoch> {
        self.partitions.get(id).map(|standing| standing.epoch)
    }

    /// True while the assignment of that number lasts: only then may its messages be sent.
    pub(in crate::pipeline) fn is_current(&self, epoch: u64) -> bool {
        self.partitions.values().any(|standing| standing.epoch.0 == epoch)
    }

    pub(super) fn next_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        Epoch(self.epochs)
    }
}
