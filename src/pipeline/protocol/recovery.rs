//! What stands after a failure, and where a lost state begins again.

use super::{Epoch, Move, Mutant, Phase, Protocol, State};
use crate::state::snapshot::LogPosition;
use std::collections::BTreeMap;

/// What the committed positions say about an open transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) struct Resolution<P> {
    /// It stood: these positions have moved.
    pub(in crate::pipeline) stands: Vec<Move<P>>,
    /// It did not stand: the messages of these assignments are sent again, all others are dropped.
    pub(in crate::pipeline) again: Vec<Epoch>,
    /// Neither: somebody else moved the position. These begin anew, under new epochs, and where
    /// they stand is to be asked.
    pub(in crate::pipeline) restore: Vec<(P, Epoch)>,
}

impl<P: Ord + Clone> Protocol<P> {
    /// The committed positions of the asked partitions, none for a group without one.
    pub(in crate::pipeline) fn resolved(
        &mut self,
        committed: &BTreeMap<P, Option<LogPosition>>,
    ) -> Resolution<P> {
        assert_eq!(self.state, State::Asking, "asked before it is answered");
        let mut resolution =
            Resolution { stands: Vec::new(), again: Vec::new(), restore: Vec::new() };
        for (id, member) in std::mem::take(&mut self.members) {
            if self.epoch(&id) != Some(member.epoch) {
                continue;
            }
            let answer = committed.get(&id).copied().flatten();
            let before = if member.fresh { None } else { Some(member.from) };
            if answer == before || self.mutant == Some(Mutant::NoEpochCheck) {
                resolution.again.push(member.epoch);
                self.members.insert(id, member);
            } else if answer == Some(member.to) {
                resolution.stands.extend(self.stands(id, member));
            } else {
                let epoch = self.restore(&id);
                resolution.restore.push((id, epoch));
            }
        }
        self.state = if self.members.is_empty() { State::Folding } else { State::Draining };
        resolution
    }

    /// A partition whose state is no longer to be trusted: it stays ours and begins anew.
    pub(in crate::pipeline) fn restore(&mut self, id: &P) -> Epoch {
        let epoch = self.next_epoch();
        if let Some(standing) = self.partitions.get_mut(id) {
            standing.epoch = epoch;
            standing.phase = Phase::Asked;
        }
        epoch
    }
}

/// The positions of snapshots that a state at `committed` can be built from with a log that begins
/// at `low`, the newest first. A snapshot ahead of the committed position is none: it holds what
/// never stood. One before the log is of use only where no record is left to replay.
pub(in crate::pipeline) fn usable_snapshots(
    snapshots: impl IntoIterator<Item = LogPosition>,
    committed: LogPosition,
    low: i64,
) -> Vec<LogPosition> {
    let usable =
        |at: &LogPosition| *at <= committed && (low <= at.offset || at.offset == committed.offset);
    let mut positions: Vec<LogPosition> = snapshots.into_iter().filter(usable).collect();
    positions.sort_unstable_by(|a, b| b.cmp(a));
    positions
}
