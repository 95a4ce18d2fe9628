//! A member of the consumer group: one queue per partition, one bell for all of them.

use super::lookup::Asker;
use crate::{
    batch::RawBatch,
    kafka::{
        self, Consumer, ConsumerEvents, Membership, Notice, PartitionQueue, Rebalance,
        TopicPartition, Wakeup,
    },
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer as _, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::Duration,
};

/// Why the source cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The client could not be made: a property is wrong.
    #[error("the consumer cannot be created")]
    Create(#[source] KafkaError),
    /// The wake-up could not be made.
    #[error("no wake-up for the consumer's queues")]
    Wakeup(#[source] io::Error),
    /// The client failed for good.
    #[error("the consumer failed for good")]
    Fatal(#[source] KafkaError),
    /// Assigning or giving back partitions failed.
    #[error("the assignment cannot be carried out")]
    Assign(#[source] KafkaError),
}

/// Why offsets were not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The group has moved on: the partitions are, or will be, somebody else's. Routine.
    #[error("the group has rebalanced")]
    Rebalanced(#[source] KafkaError),
    /// The coordinator did not take it this time.
    #[error("the offsets were not committed")]
    Retry(#[source] KafkaError),
}

/// Polls after which nothing waits: one may only serve a notice that is of no interest.
const POLLS: usize = 4;
/// Polls, of a tenth of a second at most, in which a client that leaves gives back what it has.
const LEAVE_POLLS: usize = 20;

/// Something that happened to the assignment.
#[derive(Debug, Clone)]
pub enum SourceEvent {
    /// Partitions to take: look their positions up, then [`Source::assign`].
    Assigned(Vec<TopicPartition>),
    /// Partitions to give back with [`Source::unassign`]; `lost` forbids committing first.
    Revoked {
        /// Which.
        partitions: Vec<TopicPartition>,
        /// True if they may be somebody else's already.
        lost: bool,
    },
    /// The client failed for good, such as by another member of the same `group.instance.id`: what
    /// it had is lost, and [`Source::rejoin`] makes another.
    Failed(KafkaError),
}

/// A position to commit.
#[derive(Debug, Clone)]
pub struct Position {
    /// Of which partition.
    pub partition: TopicPartition,
    /// Next offset to read.
    pub offset: i64,
    /// What to store with it: ASCII, under 4096 bytes.
    pub metadata: String,
}

/// The consumer side of a worker.
pub struct Source {
    // Queues go first: they ring the wake-up and hold the consumer.
    queues: BTreeMap<TopicPartition, PartitionQueue>,
    consumer: Arc<Consumer>,
    wakeup: Wakeup,
    /// What the client was told to take; it refuses to give back anything else.
    assigned: BTreeSet<TopicPartition>,
    /// What it was told not to fetch.
    paused: BTreeSet<TopicPartition>,
    /// True if it may have taken something else for the answer to a revocation.
    is_unsure: bool,
    config: Arc<ClientConfig>,
    topics: Vec<String>,
}

impl Source {
    /// Joins the group for `topics`; without any it stays outside and is told what to take.
    pub fn join(config: &ClientConfig, topics: &[String]) -> Result<Self, SourceError> {
        let consumer: Consumer =
            config.create_with_context(ConsumerEvents::default()).map_err(SourceError::Create)?;
        let wakeup = Wakeup::new().map_err(SourceError::Wakeup)?;
        kafka::ring_events(&consumer, &wakeup).map_err(SourceError::Create)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        if !names.is_empty() {
            consumer.subscribe(&names).map_err(SourceError::Create)?;
        }
        Ok(Self {
            queues: BTreeMap::new(),
            consumer: Arc::new(consumer),
            wakeup,
            assigned: BTreeSet::new(),
            paused: BTreeSet::new(),
            is_unsure: false,
            config: Arc::new(config.clone()),
            topics: topics.to_vec(),
        })
    }

    /// Joins the group anew with another client, which has no partitions yet, and returns the one
    /// before: to drop it may block.
    pub fn rejoin(&mut self) -> Result<Self, SourceError> {
        let joined = Self::join(&self.config, &self.topics)?;
        Ok(std::mem::replace(self, joined))
    }

    /// How long the group bears its silence; none where the brokers say (KIP-848).
    pub fn session(&self) -> Option<Duration> {
        kafka::classic_session(&self.config)
    }

    /// Serves the group and returns the next change of the assignment, if any.
    pub fn serve(&mut self) -> Option<SourceEvent> {
        for _ in 0..if self.is_unsure { POLLS } else { 1 } {
            if let Some(Err(error)) = self.consumer.poll(Duration::ZERO)
                && let KafkaError::MessageConsumptionFatal(_) = error
            {
                return Some(SourceEvent::Failed(error));
            }
            match self.consumer.context().next_rebalance() {
                Some(Rebalance::Assigned(partitions)) => {
                    return Some(SourceEvent::Assigned(partitions));
                }
                Some(Rebalance::Revoked(partitions)) => {
                    let lost = self.is_unsure || kafka::assignment_lost(&self.consumer);
                    return Some(SourceEvent::Revoked { partitions, lost });
                }
                None => {}
            }
        }
        self.is_unsure = false;
        None
    }

    /// True while the client may have taken [`Source::withdraw`] for the answer to a revocation that
    /// nobody has seen yet, or hide with [`Source::assign`] that it is lost: nothing may be committed
    /// before [`Source::serve`] has told of it.
    pub fn is_unsure(&self) -> bool {
        self.is_unsure
    }

    /// True if an answer was missed since this was asked last that may have told partitions.
    pub fn missed_answer(&self) -> bool {
        self.consumer.context().missed_answer()
    }

    /// Who asks for committed positions and the ends of logs, off this thread: the answer may have
    /// to wait for a broker or for a dead peer's transaction.
    pub fn asker(&self) -> Asker {
        Asker::new(Arc::clone(&self.consumer), Arc::clone(&self.config))
    }

    /// This consumer's place in the group now; none before the client has one at all.
    pub fn membership(&self) -> Option<Membership> {
        kafka::membership(&self.consumer)
    }

    /// Takes partitions, each from its offset; one that is ours already goes there. Their queues
    /// are split off before the fetch starts. Nothing to take is an answer too: where partitions
    /// are taken one by one, the group goes on with it and they are taken later.
    pub fn assign(&mut self, starts: &[(TopicPartition, i64)]) -> Result<(), SourceError> {
        let (mut list, mut new) = (TopicPartitionList::new(), 0);
        for (partition, offset) in starts {
            if self.assigned.contains(partition) {
                self.seek(partition, *offset)?;
                continue;
            }
            let TopicPartition { topic, partition: number } = partition;
            let queue = PartitionQueue::split(&self.consumer, topic, *number)
                .ok_or_else(|| SourceError::Assign(KafkaError::Subscription(topic.clone())))?;
            queue.ring(&self.wakeup);
            self.queues.insert(partition.clone(), queue);
            list.add_partition_offset(topic, *number, Offset::Offset(*offset))
                .map_err(SourceError::Assign)?;
            new += 1;
        }
        if new == 0 && !starts.is_empty() {
            return Ok(());
        }
        match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_assign(&list),
            RebalanceProtocol::Eager | RebalanceProtocol::None => self.consumer.assign(&list),
        }
        .map_err(SourceError::Assign)?;
        // It forgets that what waits to be revoked is lost.
        self.is_unsure |= new > 0;
        self.assigned.extend(starts.iter().map(|(partition, _)| partition.clone()));
        Ok(())
    }

    /// Leaves partitions that stay ours, to take them from elsewhere. To the client this is the
    /// answer to a revocation that waits to be served, if one does: it joins again at once as another
    /// generation, and forgets that what it revokes is lost. So a revocation that is served next
    /// counts as lost.
    pub fn withdraw(&mut self, partitions: &[TopicPartition]) -> Result<(), SourceError> {
        self.is_unsure = true;
        self.unassign(partitions)
    }

    /// Gives partitions back to the group, those included that were never taken.
    pub fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), SourceError> {
        let (mut list, mut paused) = (TopicPartitionList::new(), TopicPartitionList::new());
        for partition in partitions {
            self.queues.remove(partition);
            let TopicPartition { topic, partition: number } = partition;
            if self.assigned.remove(partition) {
                list.add_partition(topic, *number);
            }
            if self.paused.remove(partition) {
                paused.add_partition(topic, *number);
            }
        }
        if paused.count() > 0 {
            // The client keeps a pause beyond the assignment: should the partition come back, it
            // would never be fetched again.
            self.consumer.resume(&paused).map_err(SourceError::Assign)?;
        }
        kafka::unassign(&self.consumer, &list).map_err(SourceError::Assign)
    }

    /// Moves waiting records of a partition into `batch`, at most `max`; records at or below
    /// `after` are skipped. Returns how many messages were taken off the queue.
    pub fn consume(
        &mut self,
        partition: &TopicPartition,
        (max, after): (usize, i64),
        batch: &mut RawBatch,
        notice: impl FnMut(Notice),
    ) -> usize {
        self.queues.get_mut(partition).map_or(0, |q| q.consume(max, after, batch, notice))
    }

    /// The offset before which everything has been handed out, for a partition whose queue is
    /// empty and whose last record was before `next`, and the end of its log. Markers of
    /// transactions take offsets but are no records, so the position decides.
    pub fn standing(&self, partition: &TopicPartition, next: i64) -> Option<(i64, i64)> {
        let TopicPartition { topic, partition } = partition;
        let end = kafka::log_end(&self.consumer, topic, *partition)?;
        if next >= end {
            return Some((next, end));
        }
        let positions = self.consumer.position().ok()?;
        let position = positions.find_partition(topic, *partition)?.offset().to_raw()?;
        Some((position.max(next), end))
    }

    /// Goes back to `offset`, after an error may have moved the position.
    pub fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), SourceError> {
        let TopicPartition { topic, partition } = partition;
        self.consumer
            .seek(topic, *partition, Offset::Offset(offset), Duration::from_secs(1))
            .map_err(SourceError::Assign)
    }

    /// True if single partitions can be taken and given back between two rebalances.
    pub fn incremental(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
    }

    /// Stops fetching a partition without giving it back: it stays ours, so that nobody folds it.
    pub fn stop_fetching(&mut self, partition: &TopicPartition) -> Result<(), SourceError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.topic, partition.partition);
        self.queues.remove(partition);
        self.paused.insert(partition.clone());
        self.consumer.pause(&list).map_err(SourceError::Assign)
    }

    /// Waits until a record, a rebalance or an event is there, or the time is over.
    pub fn wait(&mut self, timeout: Duration) -> Result<(), SourceError> {
        self.wakeup.wait(timeout).map_err(SourceError::Wakeup)
    }

    /// Commits positions with their metadata and waits for the coordinator's answer.
    pub fn commit(&self, positions: &[Position]) -> Result<(), CommitError> {
        let list = offsets(positions).map_err(CommitError::Retry)?;
        self.consumer.commit(&list, CommitMode::Sync).map_err(|error| {
            match error.rdkafka_error_code() {
                Some(
                    RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::RebalanceInProgress
                    | RDKafkaErrorCode::FencedInstanceId
                    | RDKafkaErrorCode::AssignmentLost
                    | RDKafkaErrorCode::StaleMemberEpoch,
                ) => CommitError::Rebalanced(error),
                _ => CommitError::Retry(error),
            }
        })
    }

    /// Errors the client reported so far.
    pub fn errors(&self) -> u64 {
        self.consumer.context().errors()
    }

    /// How often the client has told so far that no broker is there.
    pub fn outages(&self) -> u64 {
        self.consumer.context().outages()
    }
}

/// Positions with their metadata, as the client takes them.
pub fn offsets(positions: &[Position]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for position in positions {
        let TopicPartition { topic, partition } = &position.partition;
        let mut element = list.add_partition(topic, *partition);
        element.set_metadata(position.metadata.as_str());
        element.set_offset(Offset::Offset(position.offset))?;
    }
    Ok(list)
}

impl Drop for Source {
    /// Leaves the group. Blocks until the coordinator was told or the session has timed out.
    fn drop(&mut self) {
        self.consumer.context().close();
        self.queues.clear();
        kafka::silence_events(&self.consumer);
        if Arc::strong_count(&self.consumer) > 1 {
            self.leave();
        }
    }
}

impl Source {
    /// Somebody still asks something through this client, which ends it only with the answer: until
    /// then it would stay a member that reads nothing.
    fn leave(&self) {
        self.consumer.unsubscribe();
        for _ in 0..LEAVE_POLLS {
            self.consumer.poll(Duration::from_millis(100));
            if self.consumer.assignment().is_ok_and(|assigned| assigned.count() == 0) {
                break;
            }
        }
    }
}
