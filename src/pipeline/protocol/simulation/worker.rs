//! A worker around the protocol: the same decisions as the real one, over the simulated cluster.

use super::{
    Action, Seen,
    cluster::{Cluster, Committed, Event, Failure, Member, Network, Vector},
    fold::Fold,
};
use crate::pipeline::{
    failpoint::Mutant,
    protocol::{Epoch, Limit, Move, Protocol, Start, Step, at, usable_snapshots},
};
use crate::state::snapshot::LogPosition;
use std::collections::BTreeMap;

/// Snapshots of each partition by their position, shared by all workers.
pub(super) type Store = BTreeMap<(usize, LogPosition), Fold>;

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
    /// Ticks of each partition since the beginning of its log.
    ticks: BTreeMap<usize, Vec<LogPosition>>,
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
            ticks: BTreeMap::new(),
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
        let mut known = Vec::new();
        let (mut fold, start) = match committed {
            None => {
                let start = Start { from: 0, committed: at(0), ticks: Vec::new(), fresh: true };
                (Fold::default(), start)
            }
            Some(Committed { position: committed, ticks, .. }) => {
                let of_partition = store.range((partition, at(0))..(partition + 1, at(0)));
                let positions = usable_snapshots(of_partition.map(|((_, s), _)| *s), committed, 0);
                let position = positions.first().copied();
                let fold = position.map_or_else(Fold::default, |s| store[&(partition, s)].clone());
                let from = position.unwrap_or(at(0));
                known.clone_from(&ticks);
                let ticks = ticks.iter().filter(|tick| **tick > from).map(|tick| tick.offset);
                let (from, ticks) = (from.offset, ticks.collect());
                (fold, Start { from, committed, ticks, fresh: false })
            }
        };
        let is_replay = start.from < start.committed.offset || !start.ticks.is_empty();
        if self.protocol.begin(&partition, epoch, start) {
            if is_replay {
                seen.note(Action::Replayed);
            }
            self.ticks.insert(partition, known);
            fold.next = self.protocol.next(&partition).unwrap();
            self.folds.insert(partition, fold);
        }
    }

    /// The partition is idle: what it holds goes.
    pub(super) fn tick(&mut self, partition: usize, seen: &mut Seen) {
        let Some(fold) = self.folds.get_mut(&partition).filter(|fold| fold.holds()) else {
            return;
        };
        if self.protocol.limit(&partition) != Some(Limit::Emit) {
            return;
        }
        seen.note(Action::Ticked);
        let released = fold.tick();
        self.protocol.ticked(&partition);
        let position = self.protocol.position(&partition).unwrap();
        self.ticks.entry(partition).or_default().push(position);
        self.emit(partition, &released);
    }

    fn emit(&mut self, partition: usize, released: &[(i64, u64)]) {
        let epoch = self.protocol.epoch(&partition).unwrap();
        let message = |(offset, value): &(i64, u64)| {
            let vector = Vector { partition, offset: *offset, value: *value };
            Message { epoch, vector }
        };
        self.outbox.extend(released.iter().map(message));
    }

    /// Folds the next entry of a partition.
    pub(super) fn fold(&mut self, partition: usize, cluster: &Cluster, seen: &mut Seen) {
        let Some(limit) = self.protocol.limit(&partition) else { return };
        let Some(fold) = self.folds.get_mut(&partition) else { return };
        if limit == Limit::SilentTick {
            seen.note(Action::TickReplayed);
            fold.tick();
            let (next, digest) = (fold.next, fold.digest());
            let ended = self.protocol.ticked(&partition);
            self.compare(ended, partition, (next, digest), cluster);
            return;
        }
        let Some(entry) = cluster.log[partition].get(usize::try_from(fold.next).unwrap()) else {
            return;
        };
        let released = fold.advance(*entry);
        let (next, digest) = (fold.next, fold.digest());
        let ended = self.protocol.advanced(&partition, next);
        if limit == Limit::Emit {
            if entry.is_none() {
                seen.note(Action::Marker);
            }
            self.emit(partition, &released);
        }
        self.compare(ended, partition, (next, digest), cluster);
    }

    /// At the end of a replay the state must be the one that was committed.
    fn compare(
        &mut self,
        ended: bool,
        partition: usize,
        (next, digest): (i64, u64),
        cluster: &Cluster,
    ) {
        let differs = |c: &Committed| c.position.offset == next && c.digest != digest;
        if ended && cluster.committed(partition).is_ok_and(|c| c.as_ref().is_some_and(differs)) {
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
                for (partition, committed) in &offsets {
                    let before = cluster.committed(*partition).ok().flatten();
                    if before.is_some_and(|b| b.position.offset == committed.position.offset) {
                        seen.note(Action::TickAlone);
                    }
                }
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
            answers.insert(*partition, committed.map(|c| c.position));
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
            let digest = self.folds.get(&m.id).map_or(0, Fold::digest);
            let made = self.ticks.get(&m.id).cloned().unwrap_or_default();
            let mut ticks = made.clone();
            if self.mutant == Some(Mutant::TickForgotten) {
                ticks.pop();
            }
            (m.id, Committed { position: m.to, digest, ticks, made })
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
        store.entry((partition, position)).or_insert_with(|| fold.clone());
        true
    }
}
