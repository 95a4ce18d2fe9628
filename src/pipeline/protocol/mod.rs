//! The commit protocol of a worker, without its I/O: what may be folded, sent and committed, when,
//! and what follows from a failure.
//!
//! ```text
//!            begin_commit          drained            offsets_sent        ended
//! Folding ------------> Draining ---------> Offsets -------------> Ending ------> Folding
//!    \______________________\__________________\______________________/
//!                     failed, or a partition went with its messages
//!                                        v
//!                   reopened           resolved: nothing stands -> Draining, sent again
//!        Broken ---------------> Asking --------> all stands    -> Folding
//!                                               \> anything else -> that partition is restored
//! ```
//!
//! A worker and the simulation drive the same type: [`Protocol::step`] says what to do, the caller
//! does it and tells how it went. The rules that it keeps:
//!
//! * Positions move only with the messages behind them, in one transaction.
//! * What was folded for an assignment that is over is never committed: every assignment has an
//!   epoch, messages carry it, and a partition that goes takes the open transaction with it. The
//!   caller drops the messages of epochs that are over as soon as a partition goes.
//! * After a failure nothing is assumed. A new producer of the same transactional id ends whatever
//!   was under way, then the committed positions say what stands. The fold is not repeated: the
//!   kept messages are sent again.
//! * A snapshot is taken where the fold stands at the committed position, at no other time.
//! * A partition emits from its committed position on; what lies before is folded in silence.
//! * A tick, which releases held records without a record, is a position of its own between two
//!   offsets: it stands with the transaction that moves the position over it, and a replay makes it
//!   again at its place.

mod recovery;
mod standing;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub(super) use recovery::usable_snapshots;
pub(super) use standing::{Epoch, Limit, Move, Phase, Start, at};

use super::failpoint::Mutant;
use crate::state::snapshot::LogPosition;
use standing::Standing;
use std::collections::BTreeMap;

/// What the caller is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step<P> {
    /// Fold what [`Protocol::limit`] allows and send as there is room; begin a commit when due.
    Fold,
    /// Send everything and wait until it stands, then [`Protocol::drained`].
    Drain,
    /// Put these positions into the transaction, then [`Protocol::offsets_sent`].
    SendOffsets(Vec<Move<P>>),
    /// Commit the transaction, then [`Protocol::ended`].
    End,
    /// Commit these positions by themselves, then [`Protocol::ended`]: at-least-once.
    Commit(Vec<Move<P>>),
    /// Replace the producer by a new one of the same id, then [`Protocol::reopened`].
    Reopen,
    /// Read the committed positions of these partitions, then [`Protocol::resolved`].
    Ask(Vec<P>),
}

/// Where the open transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Folding,
    Draining,
    Offsets,
    Ending,
    Broken,
    Asking,
}

/// A partition whose position the open commit moves.
#[derive(Debug, Clone, Copy)]
struct Member {
    epoch: Epoch,
    from: LogPosition,
    to: LogPosition,
    fresh: bool,
}

/// The protocol of one worker; `P` names a partition.
#[derive(Debug)]
pub(super) struct Protocol<P> {
    exactly_once: bool,
    mutant: Option<Mutant>,
    partitions: BTreeMap<P, Standing>,
    state: State,
    members: BTreeMap<P, Member>,
    epochs: u64,
    /// Positions were committed before their messages: a planted fault.
    early: bool,
}

impl<P: Ord + Clone> Protocol<P> {
    /// Nothing is assigned and nothing is open.
    pub(super) fn new(exactly_once: bool, mutant: Option<Mutant>) -> Self {
        Self {
            exactly_once,
            mutant,
            partitions: BTreeMap::new(),
            state: State::Folding,
            members: BTreeMap::new(),
            epochs: 0,
            early: false,
        }
    }

    /// What to do next.
    pub(super) fn step(&self) -> Step<P> {
        match self.state {
            State::Folding => Step::Fold,
            State::Draining if self.commits_early() => Step::Commit(self.moves()),
            State::Draining => Step::Drain,
            State::Offsets if self.early => Step::End,
            State::Offsets if self.exactly_once => Step::SendOffsets(self.moves()),
            State::Offsets => Step::Commit(self.moves()),
            State::Ending => Step::End,
            State::Broken => Step::Reopen,
            State::Asking => Step::Ask(self.members.keys().cloned().collect()),
        }
    }

    /// True if some position has moved, or must be made known.
    pub(super) fn has_moved(&self) -> bool {
        self.partitions.values().any(Standing::has_moved)
    }

    /// True if messages may be handed to the producer: it is not known to be over, and what is in
    /// the outbox is to stand.
    pub(super) fn may_send(&self) -> bool {
        matches!(self.state, State::Folding | State::Draining)
    }

    /// From now on nothing is folded until the commit stands or has failed.
    pub(super) fn begin_commit(&mut self) {
        if self.state == State::Folding {
            self.state = State::Draining;
            self.gather();
        }
    }

    /// All messages stand.
    pub(super) fn drained(&mut self) {
        assert_eq!(self.state, State::Draining, "messages are waited for before a commit");
        self.state = State::Offsets;
    }

    /// True if offsets may be put into the transaction by a member of this generation; the broker
    /// takes them from somebody who never joined.
    pub(super) fn may_send_offsets(&self, is_member: bool) -> bool {
        is_member || self.mutant == Some(Mutant::UnfencedMetadata)
    }

    /// The transaction holds the positions.
    pub(super) fn offsets_sent(&mut self) {
        assert_eq!(self.state, State::Offsets, "offsets follow the messages");
        self.state = State::Ending;
    }

    /// The commit stands. Returns the positions that moved with it.
    pub(super) fn ended(&mut self) -> Vec<Move<P>> {
        if self.commits_early() && self.state == State::Draining {
            self.early = true;
            return Vec::new();
        }
        assert!(matches!(self.state, State::Offsets | State::Ending), "a commit was under way");
        self.state = State::Folding;
        self.early = false;
        let members = std::mem::take(&mut self.members);
        members.into_iter().filter_map(|(id, member)| self.stands(id, member)).collect()
    }

    /// A message or a step of the commit failed; whether the broker carried it out is unknown.
    pub(super) fn failed(&mut self) {
        if self.state == State::Folding {
            self.gather();
        }
        self.early = false;
        self.state = State::Broken;
    }

    /// The group took the commit for one of a member that is gone: the messages stand, whoever has
    /// the partitions next repeats them. At-least-once only.
    pub(super) fn refused(&mut self) {
        if self.exactly_once {
            // A planted fault commits beside its transaction.
            return self.failed();
        }
        self.members.clear();
        self.state = State::Folding;
    }

    /// There is a new producer; everything that was open before is over.
    pub(super) fn reopened(&mut self) {
        assert_eq!(self.state, State::Broken, "only a failure replaces the producer");
        self.state = match (self.exactly_once, self.members.is_empty()) {
            (_, true) => State::Folding,
            (true, false) => State::Asking,
            (false, false) => State::Draining,
        };
    }

    /// Takes every partition whose position has moved into the commit.
    fn gather(&mut self) {
        let moved = self.partitions.iter().filter(|(_, standing)| standing.has_moved());
        self.members = moved
            .map(|(id, s)| {
                let Standing { epoch, next: to, committed: from, fresh, .. } = s;
                let (epoch, from, to, fresh) = (*epoch, *from, *to, *fresh);
                (id.clone(), Member { epoch, from, to, fresh })
            })
            .collect();
    }

    fn moves(&self) -> Vec<Move<P>> {
        self.members.iter().map(|(id, m)| Move { id: id.clone(), to: m.to }).collect()
    }

    fn stands(&mut self, id: P, member: Member) -> Option<Move<P>> {
        let standing = self.partitions.get_mut(&id)?;
        if standing.epoch != member.epoch {
            return None;
        }
        assert_eq!(standing.next, member.to, "nothing is folded while a commit is under way");
        standing.committed = member.to;
        standing.fresh = false;
        Some(Move { id, to: member.to })
    }

    fn commits_early(&self) -> bool {
        self.exactly_once && !self.early && self.mutant == Some(Mutant::CommitBeforeFlush)
    }
}
