//! Taking partitions and giving them back, between two turns.
//!
//! Revoked: finish, commit, store the state, drop it, unassign. Lost: drop everything, commit
//! nothing. Assigned: ask off this thread where the partition stands and bring its state back.

use super::{
    Asked, Found, Worker, WorkerError, checkup, partition::Partition, place::Place, start::Rules,
};
use crate::{
    kafka::{Membership, TopicPartition},
    pipeline::{
        Definition, clock,
        failpoint::{self, Place as FailPlace},
        protocol::{Epoch, Phase},
        tasks,
    },
    source::SourceEvent,
};
use rdkafka::error::KafkaError;
use std::{collections::BTreeSet, slice, sync::mpsc::TryRecvError};
use tracing::{info, warn};

impl Worker {
    /// Carries out what the group asks for.
    pub(super) fn serve_group(&mut self) -> Result<(), WorkerError> {
        if !self.member.is_in(|| self.source.rejoin().map(tasks::drop_elsewhere))? {
            return Ok(());
        }
        while let Some(event) = self.source.serve() {
            match event {
                SourceEvent::Assigned(partitions) => self.assigned(partitions)?,
                SourceEvent::Revoked { partitions, lost } => self.give_back(&partitions, lost)?,
                SourceEvent::Failed(error) => return self.left(error),
            }
            if !self.member.has_client() {
                return Ok(());
            }
        }
        self.hear_answers()
    }

    /// The client is of no use any more: everything is lost, and another one joins.
    fn left(&mut self, error: KafkaError) -> Result<(), WorkerError> {
        warn!(worker = self.report.worker(), %error, "out of the group for good, joining anew");
        self.member.lost(error)?;
        self.lose_everything();
        Ok(())
    }

    /// True if the group knows this worker as another member than the one that took its partitions:
    /// then everything is lost, and another client joins.
    pub(super) fn was_put_out(&mut self, membership: Option<&Membership>) -> bool {
        if !self.member.is_another(membership.and_then(Membership::member_id)) {
            return false;
        }
        warn!(worker = self.report.worker(), "was put out of the group meanwhile, joining anew");
        self.report.fenced();
        self.join_anew();
        true
    }

    /// Gives up this client and everything it has; another one joins at once.
    pub(super) fn join_anew(&mut self) {
        self.member.put_out();
        self.lose_everything();
    }

    fn lose_everything(&mut self) {
        // A stopped partition may have left the protocol and is ours all the same.
        let all: BTreeSet<TopicPartition> =
            self.protocol.all().chain(self.stopped.keys()).cloned().collect();
        let all: Vec<TopicPartition> = all.into_iter().collect();
        self.drop_partitions(&all);
        self.report.revoked(&all, true);
        self.refresh();
        // Nobody waits for answers of the client before any more.
        self.questions.clear();
        self.checkup = checkup::Checkup::default();
        self.unheard.asks();
    }

    fn assigned(&mut self, partitions: Vec<TopicPartition>) -> Result<(), WorkerError> {
        self.overlooked.told();
        self.unheard.told();
        if !partitions.is_empty() {
            let membership = self.source.membership();
            if self.was_put_out(membership.as_ref()) {
                return Ok(());
            }
            self.member.takes(membership.as_ref().and_then(Membership::member_id));
            let worker = self.report.worker();
            info!(worker, count = partitions.len(), "partitions assigned");
        }
        self.report.assigned(&partitions);
        // The group goes on at once; each partition is read from where it stands once that is known.
        if self.source.incremental() || partitions.is_empty() {
            self.source.assign(&[])?;
        }
        if partitions.is_empty() {
            return Ok(());
        }
        let mut asked: Asked = Vec::with_capacity(partitions.len());
        for id in partitions {
            let epoch = self.protocol.assigned(id.clone());
            match self.protocol.next(&id).zip(self.partitions.get(&id)) {
                Some((next, partition)) => {
                    let from = partition.reads_from(next);
                    self.source.assign(&[(id, from)])?;
                }
                None => asked.push((id, epoch)),
            }
        }
        self.question(asked);
        failpoint::passed(FailPlace::AfterAssign);
        Ok(())
    }

    pub(super) fn question(&mut self, asked: Asked) {
        if !asked.is_empty() {
            let answer = self.recovery.clone().spawn(self.source.asker(), asked.clone());
            self.questions.push((asked, answer));
        }
    }

    pub(super) fn give_back(
        &mut self,
        partitions: &[TopicPartition],
        lost: bool,
    ) -> Result<(), WorkerError> {
        let worker = self.report.worker();
        info!(worker, count = partitions.len(), lost, "partitions revoked");
        // Lost partitions may be folded by somebody else already: nothing of them is committed.
        if !lost {
            failpoint::passed(FailPlace::InRevoke);
            let deadline = clock::instant() + self.options.settle;
            self.settle()?;
            self.last_snapshots(partitions, deadline)?;
        }
        self.drop_partitions(partitions);
        self.report.revoked(partitions, lost);
        // Told before they go: another worker may count them right after.
        self.refresh();
        self.source.unassign(partitions)?;
        self.unheard.asks();
        if self.has_nothing() {
            self.member.has_nothing();
        }
        Ok(())
    }

    /// True if no partition is this worker's.
    pub(super) fn has_nothing(&self) -> bool {
        self.protocol.all().next().is_none() && self.stopped.is_empty()
    }

    fn drop_partitions(&mut self, partitions: &[TopicPartition]) {
        for id in partitions {
            self.drop_partition(id);
            self.stopped.remove(id);
            self.suspects.remove(id);
        }
    }

    /// A partition is not ours any more: its messages leave the outbox with it.
    pub(super) fn drop_partition(&mut self, id: &TopicPartition) {
        self.protocol.revoked(id);
        if self.protocol.epoch(id).is_none() {
            self.partitions.remove(id);
            self.snapshots.forget(id);
        }
        let protocol = &self.protocol;
        self.sent = self.outbox.retain_owners(self.sent, |owner| protocol.is_current(owner));
    }

    /// Drops a partition that stays ours; it begins under a new epoch, where it is found to stand.
    pub(super) fn take_anew(&mut self, id: &TopicPartition) -> Result<(), WorkerError> {
        self.drop_partition(id);
        self.source.withdraw(slice::from_ref(id))?;
        let epoch = self.protocol.assigned(id.clone());
        self.question(vec![(id.clone(), epoch)]);
        Ok(())
    }

    /// Partitions that stay ours, under new epochs, and whose states are no longer to be trusted.
    pub(super) fn begin_anew(
        &mut self,
        restore: Vec<(TopicPartition, Epoch)>,
    ) -> Result<(), WorkerError> {
        if restore.is_empty() {
            return Ok(());
        }
        let ids: Vec<TopicPartition> = restore.iter().map(|(id, _)| id.clone()).collect();
        info!(count = ids.len(), "partitions restored: somebody else moved their positions");
        for id in &ids {
            self.partitions.remove(id);
        }
        if self.source.incremental() {
            self.source.withdraw(&ids)?;
        }
        self.question(restore);
        Ok(())
    }

    pub(super) fn hear_answers(&mut self) -> Result<(), WorkerError> {
        let mut index = 0;
        while index < self.questions.len() {
            match self.questions[index].1.try_recv() {
                // An empty answer only tells that the question is still being asked.
                Ok(found) if found.is_empty() => {}
                Ok(found) => {
                    let asked = &mut self.questions[index].0;
                    asked.retain(|(id, _)| found.iter().all(|found| found.id != *id));
                    if asked.is_empty() {
                        self.questions.swap_remove(index);
                    }
                    self.take(found)?;
                }
                Err(TryRecvError::Empty) => index += 1,
                Err(TryRecvError::Disconnected) => {
                    let (asked, _) = self.questions.swap_remove(index);
                    self.question(asked);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes partitions from where they stand. What belongs to an assignment that is over is
    /// dropped.
    pub(super) fn take(&mut self, found: Vec<Found>) -> Result<(), WorkerError> {
        let (mut starts, mut stopped, mut fresh) = (Vec::new(), Vec::new(), false);
        for Found { id, epoch, high, result } in found {
            if self.protocol.epoch(&id) != Some(epoch) {
                continue;
            }
            match result {
                Ok((start, beginning)) => {
                    let (committed, is_fresh) = (start.committed.offset, start.fresh);
                    if !self.protocol.begin(&id, epoch, start) {
                        continue;
                    }
                    fresh |= is_fresh;
                    let mut partition = Partition::new(*beginning, epoch);
                    let next = self.protocol.next(&id).expect("it has just begun");
                    self.report.begins(&id, partition.lag(committed));
                    self.report.takes(&id, partition.held());
                    if let Some(Phase::Replaying { until }) = self.protocol.phase(&id) {
                        partition.replaying = Some((clock::instant(), next));
                        self.report.rebuilds(&id, next, until);
                    } else {
                        partition.reconcile();
                        self.report.replay_ended_at_once(&partition, next);
                    }
                    starts.push((id.clone(), partition.reads_from(next)));
                    self.partitions.insert(id, partition);
                }
                Err(stop) => {
                    // Assigned all the same: the group must see an owner, or it hands it on.
                    starts.push((id.clone(), high));
                    stopped.push((id, stop));
                }
            }
        }
        if starts.is_empty() {
            return Ok(());
        }
        self.source.assign(&starts)?;
        for (id, stop) in stopped {
            self.source.stop_fetching(&id)?;
            self.stop_partition(id, stop);
        }
        // A fresh origin is committed before the first record is folded.
        if fresh {
            self.begin_commit();
        }
        Ok(())
    }
}

/// What the pipeline file, the command line and the place say about where partitions begin.
pub(super) fn rules(
    definition: &Definition,
    (migrate, accept_growth): (bool, bool),
    place: &Place,
) -> Rules {
    let source = &definition.spec().source;
    Rules {
        start: source.start,
        out_of_range: source.out_of_range,
        state_hash: place.state_hash,
        migrate,
        accept_growth,
        cluster: place.cluster.clone(),
        platform: place.platform_hash(),
        expectations: definition.expectations().iter().map(|e| e.name.clone()).collect(),
    }
}
