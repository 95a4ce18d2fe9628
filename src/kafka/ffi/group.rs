//! What the consumer knows of its group and of its logs.

use super::message::bytes;
use crate::kafka::client::Consumer;
use rdkafka::{
    TopicPartitionList, bindings as sys, consumer::Consumer as _, types::RDKafkaRespErr,
};
use std::{ffi::CString, slice};

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
