//! One topic from a given place to the end it had when the reading began, outside of any group.
//!
//! Only committed records are read, and the end is that of what was committed, so that a transaction
//! left open by somebody keeps no reader waiting. Markers of transactions take offsets but are no
//! records: a partition is read when the position has reached its end, whatever the last record's
//! offset was.

use crate::{
    batch::RawBatch,
    kafka::{Consumer, ConsumerEvents, Notice, PartitionQueue, Wakeup},
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode},
};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};

/// Why a topic could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The client could not be made: a property is wrong.
    #[error("the consumer cannot be created")]
    Create(#[source] KafkaError),
    /// The wake-up could not be made.
    #[error("no wake-up for the consumer's queue")]
    Wakeup(#[source] io::Error),
    /// Nobody said where the log begins and ends.
    #[error("the offsets of {topic}/{partition} were not told")]
    Offsets {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Why.
        #[source]
        error: KafkaError,
    },
    /// The broker refuses to hand out records.
    #[error("{topic}/{partition} may not be read: {reason}")]
    Refused {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// What the broker said.
        reason: String,
    },
    /// Records were deleted while they were read.
    #[error("{topic}/{partition} lost offset {offset} while it was read; start again")]
    Gone {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// The offset that is not in the log any more.
        offset: i64,
    },
    /// No record came for too long.
    #[error("no record of {topic}/{partition} came within {waited:?}, at offset {offset} of {end}")]
    Stalled {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// The next offset.
        offset: i64,
        /// Where the reading would have ended.
        end: i64,
        /// How long.
        waited: Duration,
    },
}

/// Where the reading begins. Offsets before the log mean its begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadFrom {
    /// This partition alone.
    pub partition: Option<i32>,
    /// Not before this offset.
    pub offset: Option<i64>,
    /// Not before the first record with this Kafka timestamp or a later one, in milliseconds.
    pub timestamp_ms: Option<i64>,
    /// Not this offset nor any behind it.
    pub until_offset: Option<i64>,
}

/// What is left to read of a partition.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    partition: i32,
    next: i64,
    end: i64,
}

/// Reads a topic once, partition after partition in their order.
pub struct TopicReader {
    topic: String,
    // The queue goes first: it rings the wake-up.
    queue: Option<PartitionQueue>,
    consumer: Arc<Consumer>,
    wakeup: Wakeup,
    stretches: VecDeque<Stretch>,
    /// Waits since the position last moved.
    waits: u32,
}

const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Waits for a record that lies before the end of the log: half a minute.
const STALL_WAITS: u32 = 600;

impl TopicReader {
    /// Asks for the ends of the log of `partitions` partitions. The group of `config` is neither
    /// joined nor committed to.
    pub fn open(
        config: &ClientConfig,
        topic: &str,
        partitions: i32,
        from: ReadFrom,
    ) -> Result<Self, ReadError> {
        let consumer: Consumer =
            config.create_with_context(ConsumerEvents::default()).map_err(ReadError::Create)?;
        let mut stretches = VecDeque::new();
        for partition in 0..partitions {
            if from.partition.is_none_or(|only| only == partition) {
                let ask = || stretch(&consumer, topic, partition, from);
                let stretch = ask().map_err(|error| ReadError::Offsets {
                    topic: topic.to_owned(),
                    partition,
                    error,
                })?;
                stretches.extend((stretch.next < stretch.end).then_some(stretch));
            }
        }
        Ok(Self {
            topic: topic.to_owned(),
            queue: None,
            consumer: Arc::new(consumer),
            wakeup: Wakeup::new().map_err(ReadError::Wakeup)?,
            stretches,
            waits: 0,
        })
    }

    /// The next records, at most `max` and of one partition; none at the end.
    pub fn read(&mut self, max: usize) -> Result<Option<RawBatch>, ReadError> {
        while let Some(stretch) = self.stretches.front().copied() {
            if self.queue.is_none() {
                self.begin(stretch)?;
            }
            let batch = self.consume(stretch, max)?;
            let last = batch.offsets().map(|(_, last)| last);
            let next = last.map_or(stretch.next, |last| last + 1).max(self.position(stretch));
            if next > stretch.next {
                self.waits = 0;
            }
            let ended = next >= stretch.end;
            if ended {
                self.stretches.pop_front();
                self.queue = None;
            } else if let Some(front) = self.stretches.front_mut() {
                front.next = next;
            }
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
            if !ended {
                self.wait(stretch)?;
            }
        }
        Ok(None)
    }

    /// Takes one partition; the one before is given back with it.
    fn begin(&mut self, stretch: Stretch) -> Result<(), ReadError> {
        let Stretch { partition, next, .. } = stretch;
        let refused = |error: KafkaError| self.refused(stretch, error.to_string());
        let queue = PartitionQueue::split(&self.consumer, &self.topic, partition)
            .ok_or_else(|| self.refused(stretch, "the client has no queue for it".to_owned()))?;
        queue.ring(&self.wakeup);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, Offset::Offset(next)).map_err(refused)?;
        self.consumer.assign(&list).map_err(refused)?;
        self.queue = Some(queue);
        self.waits = 0;
        Ok(())
    }

    fn consume(&mut self, stretch: Stretch, max: usize) -> Result<RawBatch, ReadError> {
        let mut batch = RawBatch::new(Arc::from(self.topic.as_str()), stretch.partition);
        // Serves the client's own events; records come by the queue of the partition alone.
        drop(self.consumer.poll(Duration::ZERO));
        let mut notices = Vec::new();
        if let Some(queue) = &mut self.queue {
            queue.consume(max, stretch.next - 1, &mut batch, |notice| notices.push(notice));
        }
        // What came after the end was told belongs to the next reading.
        drop(batch.split_off(stretch.end));
        for notice in notices {
            self.judge(notice, stretch)?;
            // After an error the position may be behind a record that never came.
            let next = batch.offsets().map_or(stretch.next, |(_, last)| last + 1);
            self.consumer
                .seek(&self.topic, stretch.partition, Offset::Offset(next), REQUEST_TIMEOUT)
                .map_err(|error| self.refused(stretch, error.to_string()))?;
        }
        Ok(batch)
    }

    /// Errors that pass by themselves are left to the client and to the time limit.
    fn judge(&self, notice: Notice, stretch: Stretch) -> Result<(), ReadError> {
        match notice {
            Notice::OutOfRange => Err(ReadError::Gone {
                topic: self.topic.clone(),
                partition: stretch.partition,
                offset: stretch.next,
            }),
            Notice::Error(
                RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::Fatal,
                reason,
            ) => Err(self.refused(stretch, reason)),
            Notice::Error(..) => Ok(()),
        }
    }

    /// The offset before which everything has been handed out, markers included.
    fn position(&self, stretch: Stretch) -> i64 {
        let positions = self.consumer.position().ok();
        let raw = positions.and_then(|positions| {
            positions.find_partition(&self.topic, stretch.partition)?.offset().to_raw()
        });
        raw.unwrap_or(stretch.next)
    }

    fn wait(&mut self, stretch: Stretch) -> Result<(), ReadError> {
        self.waits += 1;
        if self.waits > STALL_WAITS {
            return Err(ReadError::Stalled {
                topic: self.topic.clone(),
                partition: stretch.partition,
                offset: stretch.next,
                end: stretch.end,
                waited: POLL_INTERVAL * STALL_WAITS,
            });
        }
        self.wakeup.wait(POLL_INTERVAL).map_err(ReadError::Wakeup)
    }

    fn refused(&self, stretch: Stretch, reason: String) -> ReadError {
        ReadError::Refused { topic: self.topic.clone(), partition: stretch.partition, reason }
    }
}

impl Drop for TopicReader {
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}

fn stretch(
    consumer: &Consumer,
    topic: &str,
    partition: i32,
    from: ReadFrom,
) -> Result<Stretch, KafkaError> {
    let (low, high) = consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
    let end = from.until_offset.map_or(high, |until| until.min(high));
    let mut next = from.offset.map_or(low, |offset| offset.max(low));
    if let Some(timestamp_ms) = from.timestamp_ms
        && next < end
    {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(timestamp_ms))?;
        let answer = consumer.offsets_for_times(list, REQUEST_TIMEOUT)?;
        // No record is as late as that: nothing is to be read.
        let first = answer
            .find_partition(topic, partition)
            .map(|element| element.error().map(|()| element.offset()))
            .transpose()?;
        next = match first {
            Some(Offset::Offset(first)) => next.max(first),
            _ => end,
        };
    }
    Ok(Stretch { partition, next, end })
}
