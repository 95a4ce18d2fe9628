//! Handing messages to the producer.

use crate::{batch::Message, kafka::client::Producer};
use rdkafka::{bindings as sys, error::RDKafkaErrorCode, producer::Producer as _};
use std::{ffi::CStr, ptr, sync::Arc};

use sys::rd_kafka_vtype_t as vtype;
type Union = sys::rd_kafka_vu_s__bindgen_ty_1;

/// A topic of a producer, looked up once: by its name every message would look through all topics
/// under a lock that the client's own threads want.
pub struct ProducerTopic {
    topic: *mut sys::rd_kafka_topic_t,
    // Keeps the client alive for as long as its topic is.
    producer: Arc<Producer>,
}

// SAFETY: topics of librdkafka may be used from any thread; the reference is owned by this value
// alone.
unsafe impl Send for ProducerTopic {}

impl ProducerTopic {
    /// The topic of that name. The client begins to ask for its partitions.
    pub fn new(producer: &Arc<Producer>, name: &CStr) -> Result<Self, RDKafkaErrorCode> {
        // SAFETY: the client is alive, the name is NUL-terminated and copied, and without a
        // configuration the topic gets the client's own.
        unsafe {
            let client = producer.client().native_ptr();
            let topic = sys::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut());
            if topic.is_null() {
                return Err(sys::rd_kafka_last_error().into());
            }
            Ok(Self { topic, producer: Arc::clone(producer) })
        }
    }

    /// Hands one message to the producer, which copies it.
    ///
    /// Errors: `QueueFull` asks the caller to wait and try again.
    pub fn produce(&self, message: &Message<'_>) -> Result<(), RDKafkaErrorCode> {
        let headers = native_headers(message);
        let (key, value) = (message.parts.key, message.value);
        let mut parts =
            [sys::rd_kafka_vu_t { vtype: vtype::RD_KAFKA_VTYPE_END, u: Union { i: 0 } }; 7];
        let mut count = 0;
        let mut add = |vtype, u| {
            parts[count] = sys::rd_kafka_vu_t { vtype, u };
            count += 1;
        };
        add(vtype::RD_KAFKA_VTYPE_RKT, Union { rkt: self.topic });
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
        // SAFETY: client and topic are alive; `parts[..count]` are initialised with types that fit
        // their tags; MSG_F_COPY makes librdkafka copy key and value before it returns; on success
        // it owns the headers, on error we still do and destroy them.
        unsafe {
            let client = self.producer.client().native_ptr();
            let error = sys::rd_kafka_produceva(client, parts.as_ptr(), count);
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
}

impl Drop for ProducerTopic {
    fn drop(&mut self) {
        // SAFETY: the reference is ours and is given back once, before that to the client.
        unsafe { sys::rd_kafka_topic_destroy(self.topic) }
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
