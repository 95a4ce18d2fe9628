//! Why messages are not written, and what helps.

use crate::kafka::TransactionError;
use rdkafka::error::KafkaError;

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
    /// A step of the transaction failed; what became of it is known from the committed offsets.
    #[error("the transaction failed")]
    Transaction(#[from] TransactionError),
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
            Self::Transaction(TransactionError::Forbidden(_))
            | Self::Create(_)
            | Self::Refused { .. } => Remedy::Stop,
            Self::Undelivered { .. } | Self::Transaction(_) => Remedy::Resend,
        }
    }
}
