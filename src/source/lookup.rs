//! Where a partition stands: its committed position and the ends of its log.

use crate::kafka::{self, Consumer, TopicIdentity, TopicPartition};
use rdkafka::{
    Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError, groups::GroupInfo,
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

/// What `look` finds in the description of a group; none where the brokers do not answer or know no
/// such group.
pub(super) fn describe<T>(
    consumer: &Consumer,
    group: &str,
    look: impl FnOnce(&GroupInfo) -> T,
) -> Option<T> {
    let groups = consumer.fetch_group_list(Some(group), REQUEST_TIMEOUT).ok()?;
    groups.groups().iter().find(|found| found.name() == group).map(look)
}

/// Asks the cluster about partitions. Blocks; for threads beside the polling one.
#[derive(Clone)]
pub struct Asker {
    consumer: Arc<Consumer>,
}

impl Asker {
    pub(super) fn new(consumer: Arc<Consumer>) -> Self {
        Self { consumer }
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

    /// How many members a group has, where the brokers tell.
    pub fn members(&self, group: &str) -> Option<usize> {
        describe(&self.consumer, group, |found| found.members().len())
    }

    /// Which topics the names stand for now. A topic that is gone, or may not be described, is not
    /// among them; neither is any where the brokers do not tell ids.
    ///
    /// Errors: the sentence of the client when the brokers did not answer.
    pub fn identities(&self, topics: &[String]) -> Result<Vec<TopicIdentity>, String> {
        kafka::topic_identities(self.consumer.client(), topics, REQUEST_TIMEOUT)
    }
}
