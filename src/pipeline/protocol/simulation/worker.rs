//! A worker around the protocol: the same decisions as the real one, over the simulated cluster.

use super::{
    Action, Seen,
    cluster::{Cluster, Committed, Event, Failure, Member, Network, Vector},
};
use crate::pipeline::{
    failpoint::Mutant,
    protocol::{Epoch, Limit, Move, Protocol, Start, Step, usable_snapshots},
};
use std::collections::BTreeMap;

/// State of a partition: a hash over every record before `next`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fold {
    pub(super) next: i64,
    pub(super) value: u64,
}

impl Fold {
    /// Takes one entry of the log in and gives the value as of it, or none for a marker.
    pub(super) fn advance(&mut self, entry: Option<u64>) -> Option<u64> {
        self.next += 1;
        let record = entry?;
        self.value = (self.value ^ record).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17);
        Some(self.value)
    }
}

/// Snapshots of each partition by their position, shared by all workers.
pub(super) type Store = BTreeMap<(usize, i64), Fold>;

#[derive(Debug)]
struct Message {
    epoch: Epoch,
    vector: Vector,
}

/// One process with one worker.
#[derive(Debug)]
pub(super) struct Worker {
    /// Its transactional id.
    id: usize,
    mutant: Option<Mutant>,
    protocol: Protocol<usize>,
    folds: BTreeMap<usize, Fold>,
    outbox: Vec<Message>,
    sent: usize,
    producer: u64,
    member: u64,
    /// The group told it that it is out; until it joins again it has no member id.
    out: bool,
    lookups: Vec<(usize, Epoch)>,
    pub(super) divergences: usize,
}

impl Worker {
    /// A process starts: first the transactional id, so that a dead predecessor's transaction ends.
    pub(super) fn start(id: usize, cluster: &mut Cluster, mutant: Option<Mutant>) -> Self {
        let producer = cluster.initialise(id);
        Self {
            id,
            mutant,
            protocol: Protocol::new(true, mutant),
            folds: BTreeMap::new(),
            outbox: Vec::new(),
            sent: 0,
            producer,
            member: cluster.join(),
            out: false,
            lookups: Vec::new(),
            divergences: 0,
        }
    }

    pub(super) fn member(&self) -> u64 {
        self.member
    }

    /// One of its partitions, or any if it has none.
    pub(super) fn owned(&self, turn: usize) -> usize {
        let count = self.folds.len().max(1);
        self.folds.keys().nth(turn % count).copied().unwrap_or(turn)
    }

    /// The client's own thread notices that the session is over; the worker's does not yet.
    pub(super) fn notice(&mut self, cluster: &Cluster) -> bool {
        self.out |= !cluster.is_member(self.member);
        self.out
    }

    /// Serves the group: one event.
    pub(super) fn serve(&mut self, cluster: &mut Cluster, store: &mut Store, seen: &mut Seen) {
        match cluster.next_event(self.member) {
            Some(Event::Assigned(partition)) => {
                seen.note(Action::Assigned);
                let epoch = self.protocol.assigned(partition);
                self.lookups.push((partition, epoch));
            }
            Some(Event::Revoked(partition)) => {
                seen.note(Action::Revoked);
                self.settle(cluster, seen);
                self.snapshot(partition, store);
                self.give_back(partition);
                cluster.unassign(self.member, partition);
            }
            Some(Event::Lost(partition)) => {
                seen.note(Action::Lost);
                self.give_back(partition);
            }
            None if !cluster.is_member(self.member) => {
                seen.note(Action::Rejoined);
                self.member = cluster.join();
                self.out = false;
            }
            None => {}
        }
    }

    fn give_back(&mut self, partition: usize) {
        self.protocol.revoked(&partition);
        if self.protocol.epoch(&partition).is_none() {
            self.folds.remove(&partition);
        }
        let protocol = &self.protocol;
        self.outbox.retain(|message| protocol.is_current(message.epoch.number()));
    }

    /// Finishes the open commit if that takes few steps; its budget is limited.
    pub(super) fn settle(&mut self, cluster: &mut Cluster, seen: &mut Seen) {
        self.protocol.begin_commit();
        for _ in 0..8 {
            if self.protocol.step() == Step::Fold {
                if !self.protocol.has_moved() {
                    return;
                }
                self.protocol.begin_commit();
            }
            self.step(cluster, Network::Delivers, seen);
        }
    }

    /// Answers one open question about where a partition stands.
    pub(super) fn look_up(&mut self, cluster: &Cluster, store: &Store, seen: &mut Seen) {
        let Some((partition, epoch)) = self.lookups.pop() else { return };
        let committed = match cluster.committed(partition) {
            Ok(committed) => committed,
            Err(_) if self.mutant == Some(Mutant::ResetToEarliest) => None,
            Err(_) => {
                seen.note(Action::Unstable);
                self.lookups.push((partition, epoch));
                return;
            }
        };
        let (fold, start) = match committed {
            None => (Fold::default(), Start { from: 0, committed: 0, fresh: true }),
            Some(Committed { offset, .. }) => {
                let of_partition = store.range((partition, 0)..(partition + 1, 0));
                let positions = usable_snapshots(of_partition.map(|((_, s), _)| *s), offset, 0);
                let position = positions.first().copied();
                let fold = position.map_or_else(Fold::default, |s| store[&(partition, s)]);
                (fold, Start { from: position.unwrap_or(0), committed: offset, fresh: false })
            }
        };
        if self.protocol.begin(&partition, epoch, start) {
            if start.from < start.committed {
                seen.note(Action::Replayed);
            }
            self.folds
                .insert(partition, Fold { next: self.protocol.next(&partition).unwrap(), ..fold });
        }
    }

    /// Folds the next entry of a partition.
    pub(super) fn fold(&mut self, partition: usize, cluster: &Cluster, seen: &mut Seen) {
        let Some(limit) = self.protocol.limit(&partition) else { return };
        let Some(fold) = self.folds.get_mut(&partition) else { return };
        let Some(entry) = cluster.log[partition].get(usize::try_from(fold.next).unwrap()) else {
            return;
        };
        let offset = fold.next;
        let value = fold.advance(*entry);
        let (next, digest) = (fold.next, fold.value);
        let ended = self.protocol.advanced(&partition, next);
        match (limit, value) {
            (Limit::Emit, Some(value)) => {
                let epoch = self.protocol.epoch(&partition).unwrap();
                let vector = Vector { partition, offset, value };
                self.outbox.push(Message { epoch, vector });
            }
            (Limit::Emit, None) => seen.note(Action::Marker),
            (Limit::Silent { .. }, _) => {}
        }
        if ended
            && cluster
                .committed(partition)
                .is_ok_and(|c| c.is_some_and(|c| c.offset == next && c.digest != digest))
        {
            self.divergences += 1;
        }
    }

    /// Hands the next message to the producer.
    pub(super) fn send(&mut self, cluster: &mut Cluster) {
        if !self.protocol.may_send() {
            return;
        }
        let Some(message) = self.outbox.get(self.sent) else { return };
        match cluster.produce(self.id, self.producer, message.vector) {
            Ok(()) => self.sent += 1,
            Err(_) => self.protocol.failed(),
        }
    }

    pub(super) fn begin_commit(&mut self) {
        if self.protocol.has_moved() {
            self.protocol.begin_commit();
        }
    }

    /// One step of the commit.
    pub(super) fn step(&mut self, cluster: &mut Cluster, network: Network, seen: &mut Seen) {
        match self.protocol.step() {
            Step::Fold => {}
            Step::Drain if self.sent < self.outbox.len() => self.send(cluster),
            Step::Drain => self.protocol.drained(),
            Step::SendOffsets(moves) => {
                let member = self.membership(cluster);
                if !self.protocol.may_send_offsets(member.is_some()) {
                    seen.note(Action::Guarded);
                    self.protocol.failed();
                    return;
                }
                let offsets = self.offsets(&moves);
                let id = (self.id, self.producer);
                match cluster.send_offsets(id, member, &offsets, network) {
                    Ok(()) => self.protocol.offsets_sent(),
                    Err(failure) => self.fail(failure, seen),
                }
            }
            Step::End => match cluster.end(self.id, self.producer, network) {
                Ok(()) => {
                    seen.note(Action::Committed);
                    self.protocol.ended();
                    self.outbox.clear();
                    self.sent = 0;
                }
                Err(failure) => self.fail(failure, seen),
            },
            Step::Commit(moves) => {
                cluster.commit_offsets(&self.offsets(&moves));
                self.protocol.ended();
            }
            Step::Reopen => {
                self.producer = cluster.initialise(self.id);
                self.sent = 0;
                self.protocol.reopened();
            }
            Step::Ask(partitions) => self.resolve(&partitions, cluster, seen),
        }
    }

    fn fail(&mut self, failure: Failure, seen: &mut Seen) {
        seen.note(match failure {
            Failure::Fenced => Action::Fenced,
            Failure::Rebalanced => Action::Rebalanced,
            Failure::Uncertain => Action::Uncertain,
        });
        self.protocol.failed();
    }

    fn resolve(&mut self, partitions: &[usize], cluster: &Cluster, seen: &mut Seen) {
        let mut answers = BTreeMap::new();
        for partition in partitions {
            let Ok(committed) = cluster.committed(*partition) else { return };
            answers.insert(*partition, committed.map(|c| c.offset));
        }
        let resolution = self.protocol.resolved(&answers);
        if !resolution.stands.is_empty() {
            seen.note(Action::Stood);
        }
        if !resolution.again.is_empty() {
            seen.note(Action::SentAgain);
        }
        for (partition, epoch) in resolution.restore {
            seen.note(Action::Restored);
            self.folds.remove(&partition);
            self.lookups.push((partition, epoch));
        }
        self.outbox.retain(|message| resolution.again.contains(&message.epoch));
    }

    fn offsets(&self, moves: &[Move<usize>]) -> Vec<(usize, Committed)> {
        let committed = |m: &Move<usize>| {
            let digest = self.folds.get(&m.id).map_or(0, |fold| fold.value);
            (m.id, Committed { offset: m.to, digest })
        };
        moves.iter().map(committed).collect()
    }

    /// As the client has it: once it knows that it is out it has none.
    fn membership(&self, cluster: &Cluster) -> Member {
        (!self.out).then(|| (self.member, cluster.generation()))
    }

    /// Stores the state of a partition, where the protocol allows it.
    pub(super) fn snapshot(&self, partition: usize, store: &mut Store) -> bool {
        let position = self.protocol.snapshot_at(&partition);
        let (Some(position), Some(fold)) = (position, self.folds.get(&partition)) else {
            return false;
        };
        store.entry((partition, position)).or_insert(*fold);
        true
    }
}
