//! Feeding a topic from a generator at a rate, never far ahead of who reads it.

use crate::kafka::{self, ClientProperties, Deliveries, Producer};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, Producer as _},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// One generated record; buffers are reused from record to record.
#[derive(Debug, Default)]
pub struct Record {
    /// Key.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
}

/// A finite stream of records that is the same each time it is made.
pub trait Generator: Send {
    /// Writes the next record, or returns false at the end.
    fn next(&mut self, record: &mut Record) -> bool;

    /// How many records there will be.
    fn total(&self) -> u64;
}

/// How fast to feed.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Records per second; none feeds as fast as the broker takes it.
    pub rate: Option<u32>,
    /// Records consumed so far, counted by the reader; the feed stays within `window` of it.
    pub consumed: Option<Arc<AtomicU64>>,
    /// How many records may be unread.
    pub window: u64,
    /// A monotonic clock.
    pub clock: fn() -> Duration,
}

/// Why a feed ended early.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The producer could not be made.
    #[error("the generator's producer cannot be created: {0}")]
    Create(KafkaError),
    /// A record was not taken.
    #[error("the generator's record was not written: {0}")]
    Write(KafkaError),
    /// Records were taken but did not arrive.
    #[error("{failed} of the generator's records did not arrive: {}", last.as_ref().map_or_else(String::new, ToString::to_string))]
    Undelivered {
        /// How many.
        failed: u64,
        /// The newest reason.
        last: Option<KafkaError>,
    },
}

/// Writes a generator's records to a topic.
pub struct Feed {
    producer: Producer,
    topic: String,
    pace: Pace,
    stop: Arc<AtomicBool>,
}

/// The feed sleeps once it is this far ahead of its rate.
const TICK: Duration = Duration::from_millis(20);

impl Feed {
    /// A feed into `topic` that ends early once `stop` is true.
    pub fn new(
        properties: &ClientProperties,
        topic: &str,
        pace: Pace,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, FeedError> {
        let mut config = kafka::producer_config(properties, 1_000_000);
        if !properties.has("linger.ms") {
            config.set("linger.ms", "20");
        }
        let producer =
            config.create_with_context(Deliveries::default()).map_err(FeedError::Create)?;
        Ok(Self { producer, topic: topic.to_owned(), pace, stop })
    }

    /// Feeds until the generator ends or `stop` is set, then waits until all is written. Returns
    /// the number of records. Blocks: run it on a thread of its own.
    pub fn run(&self, generator: &mut dyn Generator) -> Result<u64, FeedError> {
        let mut record = Record::default();
        let mut produced: u64 = 0;
        let started = (self.pace.clock)();
        while !self.stop.load(Ordering::Relaxed) && generator.next(&mut record) {
            self.write(&record)?;
            produced += 1;
            self.keep_pace(produced, started);
        }
        self.producer.flush(Duration::from_secs(30)).map_err(FeedError::Write)?;
        match self.producer.context().failed() {
            (0, _) => Ok(produced),
            (failed, last) => Err(FeedError::Undelivered { failed, last }),
        }
    }

    fn write(&self, record: &Record) -> Result<(), FeedError> {
        loop {
            let next = BaseRecord::to(&self.topic).key(&record.key).payload(&record.value);
            match self.producer.send(next) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    if self.stop.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    self.producer.poll(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(FeedError::Write(error)),
            }
        }
    }

    fn keep_pace(&self, produced: u64, started: Duration) {
        if let Some(rate) = self.pace.rate {
            let due = Duration::from_secs_f64(produced as f64 / f64::from(rate));
            let ahead = due.saturating_sub((self.pace.clock)().saturating_sub(started));
            if ahead > TICK {
                self.producer.poll(ahead);
            }
        }
        let Some(consumed) = &self.pace.consumed else { return };
        while produced - consumed.load(Ordering::Relaxed).min(produced) > self.pace.window {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            self.producer.poll(Duration::ZERO);
            thread::sleep(Duration::from_millis(2));
        }
    }
}
