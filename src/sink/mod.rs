//! Where messages go: the producer side of a worker.
//!
//! The sink writes the messages of an [`Outbox`] in order and tells when all of them stand. It never
//! drops one: what fails is reported, and the caller sends the outbox again through a new producer.

mod once;

pub use once::{OnceError, write_once};

use crate::{
    batch::{Outbox, Target},
    kafka::{self, Producer},
};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::Producer as _,
};
use std::{ffi::CString, time::Duration};

/// Topics to write to.
#[derive(Debug, Clone)]
pub struct Topics {
    /// Feature vectors.
    pub output: String,
    /// Rejected records.
    pub dead_letter: Option<String>,
}

/// Why messages are not written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The client could not be made: a property is wrong.
    #[error("the producer cannot be created")]
    Create(#[source] KafkaError),
    /// A message did not arrive in time, or the producer failed.
    #[error("{failed} messages were not delivered")]
    Undelivered {
        /// How many.
        failed: u64,
        /// The newest reason.
        #[source]
        last: Option<KafkaError>,
    },
    /// A message cannot be written whatever is tried.
    #[error("a message for topic {topic} cannot be written")]
    Refused {
        /// Its topic.
        topic: String,
        /// Why.
        #[source]
        error: KafkaError,
    },
}

/// What helps against an error, decided where the error is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// A new producer, and the open messages again.
    Resend,
    /// A person.
    Stop,
}

impl SinkError {
    /// The remedy.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Undelivered { .. } => Remedy::Resend,
            Self::Create(_) | Self::Refused { .. } => Remedy::Stop,
        }
    }
}

/// The producer side of a worker.
pub struct Sink {
    producer: Producer,
    config: ClientConfig,
    output: CString,
    dead_letter: Option<CString>,
}

impl Sink {
    /// Makes the producer; connects in the background.
    pub fn open(config: &ClientConfig, topics: &Topics) -> Result<Self, SinkError> {
        let name =
            |topic: &str| CString::new(topic).map_err(|e| SinkError::Create(KafkaError::Nul(e)));
        Ok(Self {
            producer: create(config)?,
            config: config.clone(),
            output: name(&topics.output)?,
            dead_letter: topics.dead_letter.as_deref().map(name).transpose()?,
        })
    }

    /// Hands the messages from index `from` on to the producer, in order, and returns the index of
    /// the first that found no room: serve the group, [`Sink::poll`], and come again.
    pub fn send(&self, outbox: &Outbox, from: usize) -> Result<usize, SinkError> {
        for index in from..outbox.len() {
            let message = outbox.message(index);
            let topic = match message.parts.target {
                Target::Output => &self.output,
                Target::DeadLetter => {
                    self.dead_letter.as_ref().expect("checked: rejects have a topic to go to")
                }
            };
            match kafka::produce(&self.producer, topic, &message) {
                Ok(()) => {}
                Err(RDKafkaErrorCode::QueueFull) => return Ok(index),
                Err(code @ (RDKafkaErrorCode::Fatal | RDKafkaErrorCode::PurgeQueue)) => {
                    let last = Some(KafkaError::MessageProduction(code));
                    return Err(SinkError::Undelivered { failed: 1, last });
                }
                Err(code) => {
                    return Err(SinkError::Refused {
                        topic: topic.to_string_lossy().into_owned(),
                        error: KafkaError::MessageProduction(code),
                    });
                }
            }
        }
        Ok(outbox.len())
    }

    /// Serves the producer and says how many messages are still under way.
    pub fn poll(&self, timeout: Duration) -> Result<usize, SinkError> {
        self.producer.poll(timeout);
        let (failed, last) = self.producer.context().failed();
        if failed > 0 {
            return Err(SinkError::Undelivered { failed, last });
        }
        Ok(usize::try_from(self.producer.in_flight_count()).unwrap_or(0))
    }

    /// Errors the client reported so far.
    pub fn errors(&self) -> u64 {
        self.producer.context().errors()
    }

    /// Replaces the producer; what was under way is forgotten and must be sent again.
    pub fn reopen(&mut self) -> Result<(), SinkError> {
        self.producer = create(&self.config)?;
        Ok(())
    }
}

fn create(config: &ClientConfig) -> Result<Producer, SinkError> {
    config.create_with_context(kafka::Deliveries::default()).map_err(SinkError::Create)
}
