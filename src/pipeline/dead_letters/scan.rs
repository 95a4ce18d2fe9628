//! Reads the dead letters that a filter means.

use super::{filter::Filter, letter::Letter};
use crate::{
    kafka::{
        self, ConsumerGroup, Operation, Resource,
        admin::{Admin, AdminError},
    },
    pipeline::{Definition, connect, supervisor},
    settings::Settings,
    sink::OnceError,
    source::{ReadError, TopicReader},
};
use std::io;

/// Why dead letters were not read or not sent.
#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// The pipeline file names no topic for them.
    #[error("the pipeline has no `dead_letter` topic")]
    NoTopic,
    /// The cluster does not answer, or not as it should.
    #[error(transparent)]
    Cluster(#[from] AdminError),
    /// The principal may not do what it takes.
    #[error("{}", .0.join("\n"))]
    Forbidden(Vec<String>),
    /// The dead-letter topic has no such partition.
    #[error("topic `{topic}` has {partitions} partitions; there is no partition {partition}")]
    NoPartition {
        /// The dead-letter topic.
        topic: String,
        /// How many it has.
        partitions: i32,
        /// The one that was asked for.
        partition: i32,
    },
    /// The topic was not read to its end.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was asked for holds more bytes than are kept for one transaction.
    #[error(
        "the dead letters hold more than {} MiB, too much for one transaction; choose fewer by \
         --limit, --partition with --offsets, --reason or --since",
        .bytes_max >> 20
    )]
    TooMuch {
        /// The limit.
        bytes_max: usize,
    },
    /// They were not sent.
    #[error(transparent)]
    Send(#[from] OnceError),
    /// Whoever takes the letters could not.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Records taken from the topic at once.
const BATCH_RECORDS: usize = 1_000;

/// Hands the dead letters that the filter means to `take`, partition by partition in offset order.
/// Returns how many there were.
pub fn scan(
    definition: &Definition,
    settings: &Settings,
    filter: &Filter,
    take: &mut dyn FnMut(&Letter<'_>) -> Result<(), DeadLettersError>,
) -> Result<u64, DeadLettersError> {
    let spec = definition.spec();
    let dead_letter = spec.dead_letter.as_ref().ok_or(DeadLettersError::NoTopic)?;
    let (topic, limit) = (&dead_letter.topic, filter.limit.unwrap_or(u64::MAX));
    let partitions = partitions(settings, topic)?;
    if let Some(partition) = filter.partition.filter(|only| !(0..partitions).contains(only)) {
        return Err(DeadLettersError::NoPartition { topic: topic.clone(), partitions, partition });
    }
    // Records are read by assignment, so that the pipeline's group does not notice.
    let group = ConsumerGroup { id: spec.pipeline.clone(), instance: None };
    let properties = supervisor::consumer_properties(settings, None);
    let config = kafka::consumer_config(&properties, &group);
    let mut reader = TopicReader::open(&config, topic, partitions, filter.read_from())?;
    let mut found = 0;
    while found < limit {
        let Some(batch) = reader.read(BATCH_RECORDS)? else { break };
        for index in 0..batch.len() {
            let letter = Letter::read(&batch, index, &dead_letter.prefix);
            if found < limit && filter.matches(&letter) {
                found += 1;
                take(&letter)?;
            }
        }
    }
    Ok(found)
}

/// The partitions of a topic. Tells what is wrong with the cluster before anything is read.
fn partitions(settings: &Settings, topic: &str) -> Result<i32, DeadLettersError> {
    let admin = supervisor::admin(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let facts = runtime.block_on(admin.describe(topic))?;
    permitted(&admin, topic, Operation::Read)?;
    Ok(facts.partitions)
}

/// Asked before it is tried: what the client says of a refusal comes late and without the reason.
pub(super) fn permitted(
    admin: &Admin,
    topic: &str,
    operation: Operation,
) -> Result<(), DeadLettersError> {
    let forbidden = connect::forbidden(admin, Resource::Topic(topic), &[operation]);
    if forbidden.is_empty() { Ok(()) } else { Err(DeadLettersError::Forbidden(forbidden)) }
}
