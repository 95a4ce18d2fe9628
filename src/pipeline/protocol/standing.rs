//! Where each assigned partition stands, and what follows from taking and giving partitions.

use super::{Mutant, Protocol, State};
use crate::state::snapshot::LogPosition;
use std::collections::VecDeque;

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
    /// Folds in silence up to the committed position.
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
        /// The committed offset, or that of a tick before it.
        until: i64,
    },
    /// Make a tick, emit nothing: here one was made.
    SilentTick,
    /// Fold and emit.
    Emit,
}

/// Where an assignment begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) struct Start {
    /// Next offset to fold: what the state at hand is the fold of.
    pub(in crate::pipeline) from: i64,
    /// The group's committed position.
    pub(in crate::pipeline) committed: LogPosition,
    /// Ticks between the state at hand and the committed position, by the offsets they were made
    /// at, in order.
    pub(in crate::pipeline) ticks: Vec<i64>,
    /// True if the group has no offset yet: the position is made known before the first record.
    pub(in crate::pipeline) fresh: bool,
}

/// A position that a commit moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) struct Move<P> {
    /// The partition.
    pub(in crate::pipeline) id: P,
    /// Next offset to read, and the ticks there.
    pub(in crate::pipeline) to: LogPosition,
}

/// An assigned partition.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) epoch: Epoch,
    pub(super) phase: Phase,
    /// Next offset to fold, and the ticks made there. While it replays, the offset alone counts.
    pub(super) next: LogPosition,
    /// Next offset to read as the group has it.
    pub(super) committed: LogPosition,
    pub(super) fresh: bool,
    /// Offsets of the ticks that a replay has still to make.
    pub(super) ticks: VecDeque<i64>,
}

/// The position at an offset where no tick was made.
pub(in crate::pipeline) fn at(offset: i64) -> LogPosition {
    LogPosition { offset, tick: 0 }
}

impl Standing {
    /// True if there is something to commit.
    pub(super) fn has_moved(&self) -> bool {
        self.phase == Phase::Live && (self.next != self.committed || self.fresh)
    }

    /// True if that ends a replay: the state is that of the committed position.
    fn arrive(&mut self) -> bool {
        let Phase::Replaying { until } = self.phase else { return false };
        let arrived = self.next.offset == until && self.ticks.is_empty();
        if arrived {
            (self.phase, self.next) = (Phase::Live, self.committed);
        }
        arrived
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
        let (phase, fresh, ticks) = (Phase::Asked, false, VecDeque::new());
        let standing = Standing { epoch, phase, next: at(0), committed: at(0), fresh, ticks };
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
        let Start { from, committed, fresh, ticks } = start;
        assert!(from <= committed.offset, "a state is never ahead of the committed position");
        (standing.next, standing.committed, standing.fresh) = (at(from), committed, fresh);
        standing.ticks = ticks.into();
        standing.phase = Phase::Replaying { until: committed.offset };
        if mutant == Some(Mutant::NoReplay) {
            (standing.phase, standing.next) = (Phase::Live, committed);
        }
        standing.arrive();
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
        let standing = self.partitions.get(id)?;
        match standing.phase {
            Phase::Asked => None,
            Phase::Replaying { until } => Some(match standing.ticks.front() {
                Some(tick) if *tick <= standing.next.offset => Limit::SilentTick,
                Some(tick) => Limit::Silent { until: until.min(*tick) },
                None => Limit::Silent { until },
            }),
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
                let further = to > standing.next.offset;
                assert!(folding || !further, "a commit under way is not added to");
                if further {
                    standing.next = at(to);
                }
                false
            }
            Phase::Replaying { until } => {
                let until = standing.ticks.front().map_or(until, |tick| until.min(*tick));
                standing.next = at(standing.next.offset.max(to.min(until)));
                standing.arrive()
            }
        }
    }

    /// A tick was made where the partition stands: one more, or in a replay the one that
    /// [`Protocol::limit`] asked for. True if that ends the replay.
    pub(in crate::pipeline) fn ticked(&mut self, id: &P) -> bool {
        let folding = self.state == State::Folding;
        let standing = self.partitions.get_mut(id).expect("only assigned partitions tick");
        match standing.phase {
            Phase::Asked => panic!("nothing is released before it is known where to begin"),
            Phase::Live => {
                assert!(folding, "a commit under way is not added to");
                standing.next.tick += 1;
                false
            }
            Phase::Replaying { .. } => {
                standing.ticks.pop_front().expect("a replay makes the ticks that were made");
                standing.arrive()
            }
        }
    }

    /// Where a snapshot of the partition would stand, if one may be taken now: the fold is where
    /// the group is.
    pub(in crate::pipeline) fn snapshot_at(&self, id: &P) -> Option<LogPosition> {
        let standing = self.partitions.get(id)?;
        let committed = standing.phase == Phase::Live
            && !standing.has_moved()
            && !self.members.contains_key(id);
        match self.mutant {
            Some(Mutant::SnapshotUncommitted) if standing.phase == Phase::Live => {
                Some(standing.committed)
            }
            Some(Mutant::WrongPosition) if committed => Some(at(standing.committed.offset + 1)),
            _ => committed.then_some(standing.committed),
        }
    }

    /// All partitions that are ours, those included whose state is not there yet.
    pub(in crate::pipeline) fn all(&self) -> impl Iterator<Item = &P> {
        self.partitions.keys()
    }

    /// Next offset to fold of a partition.
    pub(in crate::pipeline) fn next(&self, id: &P) -> Option<i64> {
        self.partitions.get(id).map(|standing| standing.next.offset)
    }

    /// Next offset to fold of a partition, and the ticks made there.
    pub(in crate::pipeline) fn position(&self, id: &P) -> Option<LogPosition> {
        self.partitions.get(id).map(|standing| standing.next)
    }

    /// The group's offset of a partition.
    pub(in crate::pipeline) fn committed(&self, id: &P) -> Option<i64> {
        self.partitions.get(id).map(|standing| standing.committed.offset)
    }

    /// True if all that was folded of a partition is committed.
    pub(in crate::pipeline) fn is_committed(&self, id: &P) -> bool {
        self.partitions.get(id).is_some_and(|standing| standing.next == standing.committed)
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
