//! Reading a message of librdkafka: key, value, headers, or the error it stands for.

use super::queue::Notice;
use crate::batch::RawBatch;
use rdkafka::{bindings as sys, types::RDKafkaRespErr};
use std::{
    ffi::{CStr, c_void},
    ptr, slice,
};

/// SAFETY: `message` must point to a live message.
pub(super) unsafe fn read_notice(message: *mut sys::rd_kafka_message_t) -> Notice {
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
pub(super) unsafe fn push(batch: &mut RawBatch, message: *mut sys::rd_kafka_message_t) {
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
pub(super) unsafe fn bytes<'m>(data: *mut c_void, len: usize) -> Option<&'m [u8]> {
    // SAFETY: as the caller promises.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast::<u8>(), len) })
}
