//! Where messages go: the producer side of a worker.
//!
//! The sink writes the messages of an [`Outbox`] in order and tells when all of them stand. It never
//! drops one: what fails is reported, and the caller sends the outbox again through a new producer.
//! With a transactional id in its configuration the messages stand with the positions that
//! [`Sink::send_offsets`] puts beside them, once [`Sink::end`] has committed both.

mod error;
mod once;

pub use error::{Remedy, SinkError};
pub use once::{OnceError, write_once};

use crate::{
    batch::{Message, Outbox, Target},
    kafka::{self, Membership, Producer, ProducerTopic, TransactionError},
};
use rdkafka::{
    ClientConfig, TopicPartitionList,
    error::{KafkaError, RDKafkaErrorCode},
    producer::Producer as _,
};
use std::{ffi::CString, sync::Arc, time::Duration};

/// Topics to write to.
#[derive(Debug, Clone)]
pub struct Topics {
    /// Feature vectors.
    pub output: String,
    /// Rejected records.
    pub dead_letter: Option<String>,
    /// Verdicts on expectations.
    pub quality: Option<String>,
}

/// A producer that was replaced. The client may take long to end it, or hang for good while brokers
/// come and go: drop it on a thread of its own.
#[must_use = "to drop it may block"]
pub struct Retired(#[expect(dead_code, reason = "it is there to be dropped")] Arc<Producer>);

/// How long one request of a transaction may take: less than the transaction itself.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);

/// The producer side of a worker.
pub struct Sink {
    /// Shared with a call that did not come back in time.
    producer: Arc<Producer>,
    config: ClientConfig,
    output: Way,
    dead_letter: Option<Way>,
    quality: Option<Way>,
    transaction: Transaction,
    /// Takes dead letters past the transaction: a planted fault.
    outside: Option<Arc<Producer>>,
}

/// Where the messages of one kind go.
struct Way {
    name: CString,
    /// Looked up with the first message: a topic that is asked for early and made late is unknown
    /// for longer.
    topic: Option<ProducerTopic>,
}

impl Way {
    fn new(name: &str) -> Result<Self, SinkError> {
        let name = CString::new(name).map_err(|e| SinkError::Create(KafkaError::Nul(e)))?;
        Ok(Self { name, topic: None })
    }

    fn produce(
        &mut self,
        producer: &Arc<Producer>,
        message: &Message<'_>,
    ) -> Result<(), RDKafkaErrorCode> {
        let topic = match &mut self.topic {
            Some(topic) => topic,
            none => none.insert(ProducerTopic::new(producer, &self.name)?),
        };
        topic.produce(message)
    }
}

/// How far a producer has taken messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handed {
    /// Index of the first message that it has not taken.
    pub next: usize,
    /// True if it has no room.
    pub is_full: bool,
}

/// Where the producer's transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// The producer has no transactional id.
    Never,
    /// The coordinator does not know this producer yet.
    Unknown,
    /// None is open.
    None,
    /// Messages and offsets go into it.
    Open,
}

impl Sink {
    /// Makes the producer; connects in the background. One with a transactional id is of no use
    /// before [`Sink::initialise`].
    pub fn open(config: &ClientConfig, topics: &Topics) -> Result<Self, SinkError> {
        let id = config.get("transactional.id");
        Ok(Self {
            producer: Arc::new(create(config)?),
            config: config.clone(),
            output: Way::new(&topics.output)?,
            dead_letter: topics.dead_letter.as_deref().map(Way::new).transpose()?,
            quality: topics.quality.as_deref().map(Way::new).transpose()?,
            transaction: if id.is_some() { Transaction::Unknown } else { Transaction::Never },
            outside: None,
        })
    }

    /// True if messages stand only with the transaction they are in.
    pub fn is_transactional(&self) -> bool {
        self.transaction != Transaction::Never
    }

    /// Writes dead letters outside of the transaction: a planted fault that tests must notice.
    pub fn write_dead_letters_outside(&mut self) -> Result<(), SinkError> {
        let mut config = self.config.clone();
        config.remove("transactional.id");
        config.remove("transaction.timeout.ms");
        self.outside = Some(Arc::new(create(&config)?));
        self.forget_dead_letter_topic();
        Ok(())
    }

    fn forget_dead_letter_topic(&mut self) {
        if let Some(way) = &mut self.dead_letter {
            way.topic = None;
        }
    }

    /// Makes this the one producer of its transactional id: what another one had open is aborted,
    /// and the other is fenced. Blocks for at most `timeout`; call it again after an error that is
    /// worth another try. Does nothing without a transactional id.
    pub fn initialise(&mut self, timeout: Duration) -> Result<(), SinkError> {
        if self.transaction == Transaction::Unknown {
            self.producer.init_transactions(timeout).map_err(|error| transaction(&error))?;
            self.transaction = Transaction::None;
        }
        Ok(())
    }

    /// Hands the messages from index `from` on to the producer, in order, as far as it takes them
    /// now: serve the group, [`Sink::poll`], and come again with the rest.
    ///
    /// While messages are under way it takes none. librdkafka allows an idempotent producer five
    /// messages under way in a partition, where it means requests, and its thread spins while more
    /// of them wait, which takes the processor away from the broker that is to answer.
    pub fn send(&mut self, outbox: &Outbox, from: usize) -> Result<Handed, SinkError> {
        let none = Handed { next: from, is_full: false };
        if from == outbox.len() {
            return Ok(none);
        }
        // Errors and notices that nobody has read count as messages.
        self.producer.poll(Duration::ZERO);
        if self.producer.in_flight_count() > 0 {
            return Ok(none);
        }
        self.begin()?;
        for index in from..outbox.len() {
            let message = outbox.message(index);
            let (way, producer) = match message.parts.target {
                Target::Output => (&mut self.output, &self.producer),
                Target::DeadLetter => (
                    self.dead_letter.as_mut().expect("checked: rejects have a topic to go to"),
                    self.outside.as_ref().unwrap_or(&self.producer),
                ),
                Target::Quality => (
                    self.quality.as_mut().expect("checked: verdicts have a topic to go to"),
                    &self.producer,
                ),
            };
            match way.produce(producer, &message) {
                Ok(()) => {}
                Err(RDKafkaErrorCode::QueueFull) => {
                    return Ok(Handed { next: index, is_full: true });
                }
                Err(
                    code @ (RDKafkaErrorCode::Fatal
                    | RDKafkaErrorCode::PurgeQueue
                    | RDKafkaErrorCode::State),
                ) => {
                    let last = Some(KafkaError::MessageProduction(code));
                    return Err(SinkError::Undelivered { failed: 1, last });
                }
                Err(code) => {
                    return Err(SinkError::Refused {
                        topic: way.name.to_string_lossy().into_owned(),
                        error: KafkaError::MessageProduction(code),
                    });
                }
            }
        }
        Ok(Handed { next: outbox.len(), is_full: false })
    }

    /// Serves the producer and says how many messages are still under way.
    pub fn poll(&self, timeout: Duration) -> Result<usize, SinkError> {
        self.producer.poll(timeout);
        let (failed, last) = self.producer.context().failed();
        if failed > 0 {
            return Err(SinkError::Undelivered { failed, last });
        }
        let outside = self.outside.as_ref().map_or(0, |producer| {
            producer.poll(Duration::ZERO);
            producer.in_flight_count()
        });
        Ok(usize::try_from(self.producer.in_flight_count() + outside).unwrap_or(0))
    }

    /// Puts positions into the transaction, whose messages must all stand. After an error the
    /// producer may still be at it: replace it.
    pub fn send_offsets(
        &mut self,
        offsets: TopicPartitionList,
        membership: Membership,
    ) -> Result<(), SinkError> {
        self.begin()?;
        Ok(kafka::send_offsets_in_time(&self.producer, offsets, membership, REQUEST_TIMEOUT)?)
    }

    /// Commits the transaction: messages and positions stand from now on.
    pub fn end(&mut self) -> Result<(), SinkError> {
        if self.transaction == Transaction::Open {
            kafka::commit_transaction(&self.producer, REQUEST_TIMEOUT)?;
            self.transaction = Transaction::None;
        }
        Ok(())
    }

    /// Aborts the open transaction, whose messages must all stand: nothing of it does from now on.
    pub fn abort(&mut self) -> Result<(), SinkError> {
        if self.transaction == Transaction::Open {
            let aborted = self.producer.abort_transaction(REQUEST_TIMEOUT);
            aborted.map_err(|error| transaction(&error))?;
            self.transaction = Transaction::None;
        }
        Ok(())
    }

    /// Errors the client reported so far.
    pub fn errors(&self) -> u64 {
        self.producer.context().errors()
    }

    /// Replaces the producer; what was under way is forgotten and must be sent again. Nothing that
    /// the one before still sends is taken once this one is initialised.
    pub fn reopen(&mut self) -> Result<Retired, SinkError> {
        let before = std::mem::replace(&mut self.producer, Arc::new(create(&self.config)?));
        // The topics hold the client that goes, and it must not go here.
        self.output.topic = None;
        self.forget_dead_letter_topic();
        if let Some(way) = &mut self.quality {
            way.topic = None;
        }
        if self.transaction != Transaction::Never {
            self.transaction = Transaction::Unknown;
        }
        Ok(Retired(before))
    }

    fn begin(&mut self) -> Result<(), SinkError> {
        if self.transaction == Transaction::None {
            self.producer.begin_transaction().map_err(|error| transaction(&error))?;
            self.transaction = Transaction::Open;
        }
        Ok(())
    }
}

fn transaction(error: &KafkaError) -> SinkError {
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
    SinkError::Transaction(TransactionError::new(code, error.to_string()))
}

fn create(config: &ClientConfig) -> Result<Producer, SinkError> {
    config.create_with_context(kafka::Deliveries::default()).map_err(SinkError::Create)
}
