//! Where a partition stands: its committed position and the ends of its log.

use crate::kafka::{self, Consumer, ConsumerEvents, TopicIdentity, TopicPartition};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError,
    groups::GroupInfo,
};
use std::{sync::Arc, time::Duration};

/// A committed position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Next offset to read.
    pub offset: i64,
    /// What was stored with it.
    pub metadata: Vec<u8>,
}

/// What the cluster knows of one partition.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// Which.
    pub partition: TopicPartition,
    /// The group's position, if it has one.
    pub committed: Option<Committed>,
    /// First offset in the log.
    pub low: i64,
    /// Offset that the next record will have.
    pub high: i64,
}

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// An open transaction is waited for in pieces, so that a wait can be seen and given up.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(2);
/// Partitions that are asked about together where what is not told does not matter.
const TOLD_TOGETHER: usize = 4;

/// What `look` finds in the description of a group; none where the brokers know no such group.
pub(super) fn describe<T>(
    consumer: &Consumer,
    group: &str,
    look: impl FnOnce(&GroupInfo) -> T,
) -> Result<Option<T>, KafkaError> {
    let groups = consumer.fetch_group_list(Some(group), REQUEST_TIMEOUT)?;
    Ok(groups.groups().iter().find(|found| found.name() == group).map(look))
}

/// Asks the cluster about partitions. Blocks; for threads beside the polling one.
#[derive(Clone)]
pub struct Asker {
    consumer: Arc<Consumer>,
    config: Arc<ClientConfig>,
}

impl Asker {
    pub(super) fn new(consumer: Arc<Consumer>, config: Arc<ClientConfig>) -> Self {
        Self { consumer, config }
    }

    /// One with a client of its own, which is no member of the group.
    ///
    /// Errors: the client cannot be made.
    pub fn apart(&self) -> Result<Self, KafkaError> {
        let consumer = self.config.create_with_context(ConsumerEvents::default())?;
        Ok(Self::new(Arc::new(consumer), Arc::clone(&self.config)))
    }

    /// Committed positions of the group in as many of the partitions as are told at once. Elsewhere
    /// transactions are open, now and then or for long, and who asks for all waits for each of them.
    pub fn committed_as_told(
        &self,
        partitions: &[TopicPartition],
    ) -> Vec<(TopicPartition, Option<Committed>)> {
        let some = partitions.chunks(TOLD_TOGETHER);
        some.flat_map(|some| self.committed(some).unwrap_or_default()).collect()
    }

    /// Committed positions of the group. An open transaction that would move one of them is waited
    /// for; when that takes too long it is an error, and worth another try.
    pub fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Option<Committed>)>, KafkaError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&partition.topic, partition.partition);
        }
        let committed = self.consumer.committed_offsets(list, COMMITTED_TIMEOUT)?;
        let metadata = kafka::metadata(&committed);
        let mut answers = Vec::with_capacity(partitions.len());
        for (element, metadata) in committed.elements().iter().zip(metadata) {
            element.error()?;
            let committed = match element.offset() {
                Offset::Offset(offset) => Some(Committed { offset, metadata }),
                _ => None,
            };
            let (topic, partition) = (element.topic().to_owned(), element.partition());
            answers.push((TopicPartition { topic, partition }, committed));
        }
        Ok(answers)
    }

    /// Committed positions and the ends of the logs.
    pub fn look_up(&self, partitions: &[TopicPartition]) -> Result<Vec<Lookup>, KafkaError> {
        self.with_ends(self.committed(partitions)?)
    }

    /// The same for as many of the partitions as are told at once.
    pub fn look_up_as_told(&self, partitions: &[TopicPartition]) -> Vec<Lookup> {
        let some = partitions.chunks(TOLD_TOGETHER);
        some.flat_map(|some| self.look_up(some).unwrap_or_default()).collect()
    }

    /// The ends of the logs as if the group had no positions.
    pub fn ends(&self, partitions: &[TopicPartition]) -> Result<Vec<Lookup>, KafkaError> {
        self.with_ends(partitions.iter().map(|id| (id.clone(), None)).collect())
    }

    fn with_ends(
        &self,
        positions: Vec<(TopicPartition, Option<Committed>)>,
    ) -> Result<Vec<Lookup>, KafkaError> {
        let mut answers = Vec::with_capacity(positions.len());
        for (partition, committed) in positions {
            let (low, high) = self.consumer.fetch_watermarks(
                &partition.topic,
                partition.partition,
                REQUEST_TIMEOUT,
            )?;
            answers.push(Lookup { partition, committed, low, high });
        }
        Ok(answers)
    }

    /// True if a classic group has the member; none where the brokers do not tell.
    pub fn lists_member(&self, group: &str, id: &str) -> Option<bool> {
        let is_listed = |found: &GroupInfo| found.members().iter().any(|member| member.id() == id);
        describe(&self.consumer, group, is_listed).ok().flatten()
    }

    /// How many members a group has, where the brokers tell.
    pub fn members(&self, group: &str) -> Option<usize> {
        describe(&self.consumer, group, |found| found.members().len()).ok().flatten()
    }

    /// Which topics the names stand for now. A topic that is gone, or may not be described, is not
    /// among them; neither is any where the brokers do not tell ids.
    ///
    /// Errors: the sentence of the client when the brokers did not answer.
    pub fn identities(&self, topics: &[String]) -> Result<Vec<TopicIdentity>, String> {
        kafka::topic_identities(self.consumer.client(), topics, REQUEST_TIMEOUT)
    }
}
