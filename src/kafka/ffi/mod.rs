//! The one module with `unsafe`: what librdkafka offers and rust-rdkafka does not wrap.
//!
//! * batch consume from split partition queues (half the CPU of `poll`),
//! * headers as bytes (rust-rdkafka's accessor panics on a name that is not UTF-8),
//! * offset metadata as bytes (its accessor panics on binary metadata),
//! * one wake-up for many queues,
//! * what a principal may do to a topic or a group.
//!
//! Batch consume of librdkafka before 2.13.2 moves the position past an error message as if it were
//! a record, an end-of-partition notice included (librdkafka#4844); a later pause or rebalance then
//! resumes one record too late. So `enable.partition.eof` stays off, the end of a log is read from
//! [`log_end`], and after an error the reader seeks.
//!
//! Every pointer lives inside a type here that cannot outlive its client.
#![expect(unsafe_code, reason = "the crate's only FFI module; each block says why it is sound")]

mod operations;

pub use operations::{Operation, Resource, authorized_operations};

use super::client::{Consumer, Producer};
use crate::batch::{Message, RawBatch};
use rdkafka::{
    TopicPartitionList, bindings as sys,
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode},
    producer::Producer as _,
    types::RDKafkaRespErr,
};
use std::{
    ffi::{CStr, CString, c_void},
    io::{self, Read},
    os::{fd::AsRawFd, unix::net::UnixStream},
    ptr, slice,
    sync::Arc,
    time::Duration,
};

use sys::rd_kafka_vtype_t as vtype;
type Union = sys::rd_kafka_vu_s__bindgen_ty_1;

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

/// SAFETY: `message` must point to a live message.
unsafe fn read_notice(message: *mut sys::rd_kafka_message_t) -> Notice {
    // SAFETY: the caller promises a live message; errstr is valid as long as it is.
    let (error, text) = unsafe {
        let text = CStr::from_ptr(sys::rd_kafka_message_errstr(message));
        ((*message).err, text.to_string_lossy().into_owned())
    };
    match error {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
        | RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE => Notice::OutOfRange,
        other => Notice::Error(other.into(), text),
    }
}

/// Copies a message into the batch. SAFETY: `message` must point to a live message.
unsafe fn push(batch: &mut RawBatch, message: *mut sys::rd_kafka_message_t) {
    // SAFETY: key and payload point into the live message; their lengths are librdkafka's.
    unsafe {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        let timestamp = sys::rd_kafka_message_timestamp(message, &raw mut kind);
        let timestamp_ms = (timestamp >= 0).then_some(timestamp);
        let key = bytes((*message).key, (*message).key_len);
        let value = bytes((*message).payload, (*message).len);
        batch.push((*message).offset, timestamp_ms, key, value);
        let mut headers = ptr::null_mut();
        if sys::rd_kafka_message_headers(message, &raw mut headers)
            == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            push_headers(batch, headers);
        }
    }
}

/// SAFETY: `headers` must be the live headers of a live message.
unsafe fn push_headers(batch: &mut RawBatch, headers: *mut sys::rd_kafka_headers_t) {
    for index in 0.. {
        let mut name = ptr::null();
        let mut value = ptr::null();
        let mut size = 0;
        // SAFETY: the out pointers are valid; name and value live as long as the message.
        unsafe {
            let error = sys::rd_kafka_header_get_all(
                headers,
                index,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            );
            if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            batch.header(CStr::from_ptr(name).to_bytes(), bytes(value.cast_mut(), size));
        }
    }
}

/// SAFETY: `data` must be null or point to `len` bytes that live for `'m`.
unsafe fn bytes<'m>(data: *mut c_void, len: usize) -> Option<&'m [u8]> {
    // SAFETY: as the caller promises.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), len) })
}

const BELL: &[u8] = b"!";

/// One bell for many queues: a socket pair that librdkafka writes to.
#[derive(Debug)]
pub struct Wakeup {
    sender: UnixStream,
    receiver: UnixStream,
}

impl Wakeup {
    /// A new bell. Ringing never blocks: a full socket is rung already.
    pub fn new() -> io::Result<Self> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        Ok(Self { sender, receiver })
    }

    /// Waits until something rings or the time is over.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        self.receiver.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        let mut rung = [0; 256];
        match self.receiver.read(&mut rung) {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Hands one message to the producer, which copies it. The topic is one of ours and NUL-free.
///
/// Errors: `QueueFull` asks the caller to wait and try again.
pub fn produce(
    producer: &Producer,
    topic: &CStr,
    message: &Message<'_>,
) -> Result<(), RDKafkaErrorCode> {
    let headers = native_headers(message);
    let (key, value) = (message.parts.key, message.value);
    let mut parts = [sys::rd_kafka_vu_t { vtype: vtype::RD_KAFKA_VTYPE_END, u: Union { i: 0 } }; 7];
    let mut count = 0;
    let mut add = |vtype, u| {
        parts[count] = sys::rd_kafka_vu_t { vtype, u };
        count += 1;
    };
    add(vtype::RD_KAFKA_VTYPE_TOPIC, Union { cstr: topic.as_ptr() });
    add(vtype::RD_KAFKA_VTYPE_MSGFLAGS, Union { i: sys::RD_KAFKA_MSG_F_COPY });
    if let Some(partition) = message.parts.partition {
        add(vtype::RD_KAFKA_VTYPE_PARTITION, Union { i32_: partition });
    }
    if let Some(key) = key {
        add(vtype::RD_KAFKA_VTYPE_KEY, Union { mem: memory(key) });
    }
    if let Some(value) = value {
        add(vtype::RD_KAFKA_VTYPE_VALUE, Union { mem: memory(value) });
    }
    if let Some(timestamp) = message.parts.timestamp_ms {
        add(vtype::RD_KAFKA_VTYPE_TIMESTAMP, Union { i64_: timestamp });
    }
    if !headers.is_null() {
        add(vtype::RD_KAFKA_VTYPE_HEADERS, Union { headers });
    }
    // SAFETY: `parts[..count]` are initialised with types that fit their tags; MSG_F_COPY makes
    // librdkafka copy key and value before it returns; on success it owns the headers, on error
    // we still do and destroy them.
    unsafe {
        let error = sys::rd_kafka_produceva(producer.client().native_ptr(), parts.as_ptr(), count);
        if error.is_null() {
            return Ok(());
        }
        let code = sys::rd_kafka_error_code(error);
        sys::rd_kafka_error_destroy(error);
        if !headers.is_null() {
            sys::rd_kafka_headers_destroy(headers);
        }
        Err(code.into())
    }
}

/// A null value must be told from an empty one: an empty slice gets a non-null pointer.
fn memory(bytes: &[u8]) -> sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
        ptr: bytes.as_ptr().cast_mut().cast(),
        size: bytes.len(),
    }
}

fn native_headers(message: &Message<'_>) -> *mut sys::rd_kafka_headers_t {
    let headers = message.headers();
    if headers.len() == 0 {
        return ptr::null_mut();
    }
    // SAFETY: `native` is a fresh list; names and values are copied with their lengths.
    unsafe {
        let native = sys::rd_kafka_headers_new(headers.len());
        for header in headers {
            let (value, size) =
                header.value.map_or((ptr::null(), 0), |v| (v.as_ptr().cast(), v.len()));
            // Adding fails only for a read-only list.
            sys::rd_kafka_header_add(
                native,
                header.name.as_ptr().cast(),
                header.name.len().cast_signed(),
                value,
                size.cast_signed(),
            );
        }
        native
    }
}

/// The metadata strings of a fetched offset list, in its order, as bytes.
pub fn metadata(list: &TopicPartitionList) -> Vec<Vec<u8>> {
    // SAFETY: the list is alive for the call; librdkafka's element count and pointers are valid,
    // metadata is null or `metadata_size` bytes.
    unsafe {
        let native = &*list.ptr();
        if native.cnt == 0 {
            return Vec::new();
        }
        slice::from_raw_parts(native.elems, usize::try_from(native.cnt).unwrap_or(0))
            .iter()
            .map(|e| bytes(e.metadata, e.metadata_size).unwrap_or_default().to_vec())
            .collect()
    }
}

/// The end of a partition's log as the newest fetch told it: the offset that the next record will
/// have, or the end of what is committed. None before the first fetch. Asks no broker.
pub fn log_end(consumer: &Consumer, topic: &str, partition: i32) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, the out pointers are valid.
    let error = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &raw mut low,
            &raw mut high,
        )
    };
    (error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}

/// True if the current assignment was lost: its offsets must not be committed any more.
pub fn assignment_lost(consumer: &Consumer) -> bool {
    // SAFETY: the client is alive.
    unsafe { sys::rd_kafka_assignment_lost(consumer.client().native_ptr()) != 0 }
}

/// Makes `wakeup` ring for rebalances and other events of the consumer's own queue.
pub fn ring_events(consumer: &Consumer, wakeup: &Wakeup) -> Result<(), KafkaError> {
    // SAFETY: the client is alive; the queue reference is returned after the bell is set, the
    // bell stays with the queue itself.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        if queue.is_null() {
            return Err(KafkaError::ClientCreation("no consumer queue".to_owned()));
        }
        sys::rd_kafka_queue_io_event_enable(
            queue,
            wakeup.sender.as_raw_fd(),
            BELL.as_ptr().cast(),
            BELL.len(),
        );
        sys::rd_kafka_queue_destroy(queue);
    }
    Ok(())
}

/// Switches the bell of [`ring_events`] off, before the bell goes.
pub fn silence_events(consumer: &Consumer) {
    // SAFETY: as in `ring_events`; descriptor -1 disables.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        if !queue.is_null() {
            sys::rd_kafka_queue_io_event_enable(queue, -1, ptr::null(), 0);
            sys::rd_kafka_queue_destroy(queue);
        }
    }
}
