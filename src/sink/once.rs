//! A set of messages that is written in one transaction: all of them, or none.

use crate::{
    batch::Message,
    kafka::{Deliveries, Producer, ProducerTopic},
};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::Producer as _,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    ffi::CStr,
    sync::Arc,
    time::Duration,
};

/// Why the messages are not written.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// The client could not be made: a property is wrong.
    #[error("the transactional producer cannot be created")]
    Create(#[source] KafkaError),
    /// The transaction was not begun; nothing was sent.
    #[error("no transaction: nothing was sent")]
    Begin(#[source] KafkaError),
    /// A message was not taken; the transaction is aborted.
    #[error("a message for topic {topic} was not delivered: nothing was sent")]
    Undelivered {
        /// Its topic.
        topic: String,
        /// Why.
        #[source]
        error: KafkaError,
    },
    /// The transaction was aborted.
    #[error("the transaction was refused: nothing was sent")]
    Aborted(#[source] KafkaError),
    /// The broker did not say how the transaction ended.
    #[error("how the transaction ended is not known: either all was sent or nothing")]
    Unknown(#[source] KafkaError),
}

/// How long one request of the transaction may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// An open transaction keeps the readers of its topics waiting, this long at most.
const TRANSACTION_TIMEOUT_MS: &str = "60000";
/// How often an end of the transaction that timed out is asked for again.
const COMMIT_ATTEMPTS: usize = 3;
const POLL: Duration = Duration::from_millis(10);
/// Polls without any message going: half a minute.
const STALL_POLLS: u32 = 3_000;

/// Writes the messages in order, each to the topic beside it, in one transaction of
/// `transactional_id`. An open transaction of that id, left by a process that died, is aborted
/// first. The target in a message's parts is not looked at.
pub fn write_once<'m>(
    config: &ClientConfig,
    transactional_id: &str,
    messages: impl Iterator<Item = (&'m CStr, Message<'m>)>,
) -> Result<(), OnceError> {
    let mut config = config.clone();
    config.set("transactional.id", transactional_id);
    config.set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS);
    config.set("message.timeout.ms", TRANSACTION_TIMEOUT_MS);
    let producer: Producer =
        config.create_with_context(Deliveries::default()).map_err(OnceError::Create)?;
    let producer = Arc::new(producer);
    producer.init_transactions(REQUEST_TIMEOUT).map_err(OnceError::Begin)?;
    producer.begin_transaction().map_err(OnceError::Begin)?;
    let written = send(&producer, messages).and_then(|()| commit(&producer));
    if let Err(error) = &written
        && !matches!(error, OnceError::Unknown(_))
    {
        abort(&producer);
    }
    written
}

fn send<'m>(
    producer: &Arc<Producer>,
    messages: impl Iterator<Item = (&'m CStr, Message<'m>)>,
) -> Result<(), OnceError> {
    let mut last = "";
    let mut topics = BTreeMap::new();
    for (name, message) in messages {
        last = name.to_str().unwrap_or_default();
        loop {
            let topic = match topics.entry(name) {
                Entry::Occupied(entry) => Ok(entry.into_mut()),
                Entry::Vacant(entry) => {
                    ProducerTopic::new(producer, name).map(|topic| entry.insert(topic))
                }
            };
            match topic.and_then(|topic| topic.produce(&message)) {
                Ok(()) => break,
                Err(RDKafkaErrorCode::QueueFull) => {
                    producer.poll(POLL);
                }
                Err(code) => {
                    let error = KafkaError::MessageProduction(code);
                    return Err(OnceError::Undelivered { topic: last.to_owned(), error });
                }
            }
        }
        failed(producer, last)?;
    }
    // A commit that has to wait for messages takes its whole poll interval for it; and one that
    // waits for messages which never go would say only that the time was over.
    let (mut left, mut polls) = (producer.in_flight_count(), 0);
    while left > 0 && polls < STALL_POLLS {
        producer.poll(POLL);
        failed(producer, last)?;
        let now = producer.in_flight_count();
        polls = if now == left { polls + 1 } else { 0 };
        left = now;
    }
    failed(producer, last)
}

fn failed(producer: &Producer, topic: &str) -> Result<(), OnceError> {
    match producer.context().failed() {
        (0, _) => Ok(()),
        (_, last) => Err(OnceError::Undelivered {
            topic: topic.to_owned(),
            error: last.unwrap_or(KafkaError::Canceled),
        }),
    }
}

fn commit(producer: &Producer) -> Result<(), OnceError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match producer.commit_transaction(REQUEST_TIMEOUT) {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(error)) if error.is_retriable() => {
                if attempt == COMMIT_ATTEMPTS {
                    return Err(OnceError::Unknown(KafkaError::Transaction(error)));
                }
            }
            Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
                return Err(OnceError::Aborted(KafkaError::Transaction(error)));
            }
            // The end of the transaction was never asked for.
            Err(error @ KafkaError::Flush(_)) => return Err(OnceError::Aborted(error)),
            Err(error) => return Err(OnceError::Unknown(error)),
        }
    }
}

/// What fails here the broker does by itself, once the transaction's time is over or a producer of
/// the same id begins.
fn abort(producer: &Producer) {
    producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    while producer.in_flight_count() > 0 {
        producer.poll(POLL);
    }
    if let Err(error) = producer.abort_transaction(REQUEST_TIMEOUT) {
        tracing::warn!(%error, "the transaction was not aborted; the broker does it in time");
    }
}
