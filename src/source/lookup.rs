//! Where a partition stands: its committed position and the ends of its log.

use crate::kafka::{self, Consumer, TopicPartition};
use rdkafka::{Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError};
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use tracing::warn;

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
const BACKOFF: Duration = Duration::from_millis(250);

/// Asks on a thread of its own until all is answered; ends early when nobody waits any more.
pub(super) fn spawn(
    consumer: Arc<Consumer>,
    partitions: Vec<TopicPartition>,
) -> mpsc::Receiver<Vec<Lookup>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // The probe tells that the receiver is gone without sending a result.
    let work = move || {
        loop {
            match ask(&consumer, &partitions) {
                Ok(answer) => {
                    drop(consumer);
                    drop(sender.send(answer));
                    return;
                }
                Err(error) => {
                    warn!(%error, "committed offsets not read, trying again");
                    if sender
                        .try_send(Vec::new())
                        .is_err_and(|e| matches!(e, mpsc::TrySendError::Disconnected(_)))
                    {
                        return;
                    }
                    thread::sleep(BACKOFF);
                }
            }
        }
    };
    thread::Builder::new().name("lookup".to_owned()).spawn(work).expect("a thread can be started");
    receiver
}

fn ask(consumer: &Consumer, partitions: &[TopicPartition]) -> Result<Vec<Lookup>, KafkaError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.partition);
    }
    let committed = consumer.committed_offsets(list, REQUEST_TIMEOUT)?;
    let metadata = kafka::metadata(&committed);
    let mut answers = Vec::with_capacity(partitions.len());
    for (element, metadata) in committed.elements().iter().zip(metadata) {
        element.error()?;
        let committed = match element.offset() {
            Offset::Offset(offset) => Some(Committed { offset, metadata }),
            _ => None,
        };
        let (low, high) =
            consumer.fetch_watermarks(element.topic(), element.partition(), REQUEST_TIMEOUT)?;
        let partition =
            TopicPartition { topic: element.topic().to_owned(), partition: element.partition() };
        answers.push(Lookup { partition, committed, low, high });
    }
    Ok(answers)
}
