//! Batch consume from the queue of one partition.

use super::{
    message::{push, read_notice},
    wakeup::{BELL, Wakeup},
};
use crate::{batch::RawBatch, kafka::client::Consumer};
use rdkafka::{
    bindings as sys, consumer::Consumer as _, error::RDKafkaErrorCode, types::RDKafkaRespErr,
};
use std::{ffi::CString, os::fd::AsRawFd, ptr, sync::Arc};

/// The queue of one assigned partition, split from the consumer's own.
pub struct PartitionQueue {
    queue: *mut sys::rd_kafka_queue_t,
    /// Room for the pointers of one batch; kept so that consuming does not allocate.
    messages: Vec<*mut sys::rd_kafka_message_t>,
    // Keeps the client alive for as long as its queue is.
    _consumer: Arc<Consumer>,
}

// SAFETY: librdkafka queues may be used from any thread; the queue is owned by this value alone.
unsafe impl Send for PartitionQueue {}

/// What a call to [`PartitionQueue::consume`] met beside records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The fetch position is not in the log (anymore).
    OutOfRange,
    /// Another error; librdkafka goes on by itself unless it is fatal.
    Error(RDKafkaErrorCode, String),
}

impl PartitionQueue {
    /// Splits the queue of a partition off; call it before (incremental) assign, so that no record
    /// of the partition lands in the consumer's main queue.
    pub fn split(consumer: &Arc<Consumer>, topic: &str, partition: i32) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client is alive (we hold an Arc), the topic is NUL-terminated and copied.
        let queue = unsafe {
            sys::rd_kafka_queue_get_partition(
                consumer.client().native_ptr(),
                topic.as_ptr(),
                partition,
            )
        };
        if queue.is_null() {
            return None;
        }
        // SAFETY: the queue was just returned to us; forwarding to null makes it stand alone.
        unsafe { sys::rd_kafka_queue_forward(queue, ptr::null_mut()) };
        Some(Self { queue, messages: Vec::new(), _consumer: Arc::clone(consumer) })
    }

    /// Makes `wakeup` ring when a record arrives while the queue is empty.
    pub fn ring(&self, wakeup: &Wakeup) {
        // SAFETY: the queue is ours; the payload is static; the descriptor is closed only after
        // all queues that ring it are gone (the source drops queues first).
        unsafe {
            sys::rd_kafka_queue_io_event_enable(
                self.queue,
                wakeup.sender.as_raw_fd(),
                BELL.as_ptr().cast(),
                BELL.len(),
            );
        }
    }

    /// Moves at most `max` waiting records into `batch` without waiting and reports notices.
    ///
    /// Records at or below `after` are skipped: messages fetched before a seek may still arrive.
    pub fn consume(
        &mut self,
        max: usize,
        after: i64,
        batch: &mut RawBatch,
        mut notice: impl FnMut(Notice),
    ) -> usize {
        self.messages.resize(max, ptr::null_mut());
        // SAFETY: the array has room for `max` pointers, the queue is ours.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue, 0, self.messages.as_mut_ptr(), max)
        };
        let count = usize::try_from(count).unwrap_or(0);
        let mut after = after;
        for &message in &self.messages[..count] {
            // SAFETY: librdkafka filled the first `count` entries with messages that we own;
            // each is read and then destroyed exactly once.
            unsafe {
                if (*message).err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    if (*message).offset > after {
                        after = (*message).offset;
                        push(batch, message);
                    }
                } else {
                    notice(read_notice(message));
                }
                sys::rd_kafka_message_destroy(message);
            }
        }
        count
    }
}

impl Drop for PartitionQueue {
    fn drop(&mut self) {
        // SAFETY: the queue is ours; the ring is switched off before the reference goes.
        unsafe {
            sys::rd_kafka_queue_io_event_enable(self.queue, -1, ptr::null(), 0);
            sys::rd_kafka_queue_destroy(self.queue);
        }
    }
}
