//! The contexts of our clients: logs go to `tracing`, rebalances into a queue, delivery failures
//! into a counter.

use rdkafka::{
    ClientContext, Statistics, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseProducer, ProducerContext},
    types::RDKafkaRespErr,
};
use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tracing::{debug, error, info, warn};

/// Our consumer type.
pub type Consumer = BaseConsumer<ConsumerEvents>;
/// Our producer type.
pub type Producer = BaseProducer<Deliveries>;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
}

/// A change of the assignment, as the group coordinator asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebalance {
    /// These partitions are ours, once we assign them.
    Assigned(Vec<TopicPartition>),
    /// These partitions go, once we unassign them.
    Revoked(Vec<TopicPartition>),
}

/// Context of the consumer.
///
/// A rebalance is only noted here; the worker carries it out between two batches on the same
/// thread, which alone polls, folds, produces and commits. librdkafka waits for our (un)assign.
#[derive(Debug, Default)]
pub struct ConsumerEvents {
    rebalances: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
    missed: AtomicBool,
    errors: AtomicU64,
    outages: AtomicU64,
}

/// True of a log line that tells of a heartbeat to the brokers that assign (KIP-848) without an
/// answer in time; there is no other word of it.
fn is_missed_answer(facility: &str, message: &str) -> bool {
    facility == "REQTMOUT" && message.contains("Timed out ConsumerGroupHeartbeatRequest")
}

impl ConsumerEvents {
    /// The next rebalance to carry out.
    pub fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// From now on every rebalance is answered at once, with nothing: the consumer is being closed.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// True if a heartbeat had no answer since this was asked last, where brokers assign. The answer
    /// may have told partitions.
    pub fn missed_answer(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
    }

    /// Errors reported by the client so far.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// How often the client has told so far that no broker is there.
    pub fn outages(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }
}

impl ClientContext for ConsumerEvents {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if is_missed_answer(facility, message) {
            self.missed.store(true, Ordering::Relaxed);
        }
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.outages.fetch_add(1, Ordering::Relaxed);
        }
        report(&error, reason);
    }

    fn stats(&self, _: Statistics) {}
}

impl ConsumerContext for ConsumerEvents {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            // What is dealt out just then is not taken; without an answer the client never closes.
            let list = if assigned { TopicPartitionList::new() } else { taken(consumer, list) };
            if let Err(error) = unassign(consumer, &list) {
                warn!(%error, "partitions not given back while closing");
            }
            return;
        }
        let partitions = partitions(list);
        let event =
            if assigned { Rebalance::Assigned(partitions) } else { Rebalance::Revoked(partitions) };
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }
}

/// Gives partitions back as the group's protocol asks.
pub(crate) fn unassign(consumer: &Consumer, list: &TopicPartitionList) -> Result<(), KafkaError> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    }
}

/// Of these partitions those that the client was told to take; it refuses to give back others.
fn taken(consumer: &Consumer, list: &TopicPartitionList) -> TopicPartitionList {
    let held = consumer.assignment().unwrap_or_default();
    let mut taken = TopicPartitionList::new();
    for element in list.elements() {
        if held.find_partition(element.topic(), element.partition()).is_some() {
            taken.add_partition(element.topic(), element.partition());
        }
    }
    taken
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements()
        .iter()
        .map(|e| TopicPartition { topic: e.topic().to_owned(), partition: e.partition() })
        .collect()
}

/// Context of the producer: counts what could not be delivered.
#[derive(Debug, Default)]
pub struct Deliveries {
    failed: AtomicU64,
    last_error: Mutex<Option<KafkaError>>,
    errors: AtomicU64,
}

impl Deliveries {
    /// Messages that could not be delivered so far, and the newest reason.
    pub fn failed(&self) -> (u64, Option<KafkaError>) {
        let last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.failed.load(Ordering::Relaxed), last)
    }

    /// Errors reported by the client so far.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        report(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed.fetch_add(1, Ordering::Relaxed);
            *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
    }
}

fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        _ if is_for_the_other_client(facility, message) => {
            debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            debug!(target: "librdkafka", facility, "{message}");
        }
    }
}

/// True if librdkafka only says that a property is the other client's. `kafka.properties` is for
/// both, so that says nothing of the settings.
fn is_for_the_other_client(facility: &str, message: &str) -> bool {
    facility == "CONFWARN" && message.contains("property and will be ignored by this")
}

/// librdkafka retries by itself; only a fatal error needs a person.
pub(super) fn report(error: &KafkaError, reason: &str) {
    if matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::Fatal)) {
        error!(%error, reason, "kafka client failed for good");
    } else {
        warn!(%error, reason, "kafka client error, librdkafka retries");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_other_clients_properties_are_left_out() {
        let other = "[thrd:app]: Configuration property linger.ms is a producer property and will \
                     be ignored by this consumer instance";
        assert!(is_for_the_other_client("CONFWARN", other));
        let deprecated = "[thrd:app]: Configuration property socket.blocking.max.ms is deprecated";
        assert!(!is_for_the_other_client("CONFWARN", deprecated));
        assert!(!is_for_the_other_client("FAIL", other));
    }

    #[test]
    fn a_heartbeat_without_an_answer_is_known_by_its_log_line() {
        let line = "[thrd:GroupCoordinator]: GroupCoordinator/1: Timed out \
                    ConsumerGroupHeartbeatRequest in flight (after 1005ms, timeout #0)";
        let events = ConsumerEvents::default();
        assert!(!events.missed_answer());
        events.log(RDKafkaLogLevel::Info, "REQTMOUT", line);
        assert!(events.missed_answer() && !events.missed_answer());
        // Nothing was answered to what was not sent.
        let queued = "[thrd:GroupCoordinator]: GroupCoordinator/1: Timed out 0 in-flight, 0 \
                      retry-queued, 1 out-queue, 0 partially-sent requests";
        events.log(RDKafkaLogLevel::Warning, "REQTMOUT", queued);
        assert!(!events.missed_answer());
    }
}
