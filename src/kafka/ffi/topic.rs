//! The ids of topics: a topic that was deleted and made again has the same name and another id.

use rdkafka::{ClientContext, bindings as sys, client::Client, types::RDKafkaRespErr};
use std::{
    ffi::{CStr, CString},
    ptr, slice,
    time::Duration,
};

/// Which topic a name stands for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicIdentity {
    /// Name.
    pub name: String,
    /// Id in Kafka's own writing.
    pub id: String,
    /// Number of partitions.
    pub partitions: i32,
}

/// Asks for the identities of topics; those that do not exist or may not be described are absent.
///
/// Errors: the sentence of the client when the request as a whole failed.
pub fn topic_identities<C: ClientContext>(
    client: &Client<C>,
    topics: &[String],
    timeout: Duration,
) -> Result<Vec<TopicIdentity>, String> {
    let names: Vec<CString> =
        topics.iter().filter_map(|name| CString::new(name.as_str()).ok()).collect();
    let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let wait = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let client = client.native_ptr();
    // SAFETY: the client is alive; names outlive the call and are copied; queue, options,
    // collection and event are made and destroyed here, in the order librdkafka asks for.
    unsafe {
        let queue = sys::rd_kafka_queue_new(client);
        let options = sys::rd_kafka_AdminOptions_new(
            client,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(options, wait, ptr::null_mut(), 0);
        let collection =
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        sys::rd_kafka_DescribeTopics(client, collection, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, wait.saturating_add(1_000));
        let answer = if event.is_null() {
            Err("no answer in time".to_owned())
        } else if sys::rd_kafka_event_error(event) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = CStr::from_ptr(sys::rd_kafka_event_error_string(event));
            Err(text.to_string_lossy().into_owned())
        } else {
            Ok(read(event))
        };
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_TopicCollection_destroy(collection);
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_queue_destroy(queue);
        answer
    }
}

/// SAFETY: `event` must be the live answer to `DescribeTopics`.
unsafe fn read(event: *mut sys::rd_kafka_event_t) -> Vec<TopicIdentity> {
    // SAFETY: as the caller promises; everything read lives as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Vec::new();
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() {
            return Vec::new();
        }
        slice::from_raw_parts(topics, count).iter().filter_map(|topic| identity(*topic)).collect()
    }
}

/// SAFETY: `topic` must be a live description.
unsafe fn identity(topic: *const sys::rd_kafka_TopicDescription_t) -> Option<TopicIdentity> {
    // SAFETY: as the caller promises; strings are NUL-terminated and copied.
    unsafe {
        let error = sys::rd_kafka_TopicDescription_error(topic);
        let failed = !error.is_null()
            && sys::rd_kafka_error_code(error) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        if failed || id.is_null() {
            return None;
        }
        let text = |text| CStr::from_ptr(text).to_string_lossy().into_owned();
        let mut partitions = 0;
        sys::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        Some(TopicIdentity {
            name: text(sys::rd_kafka_TopicDescription_name(topic)),
            // librdkafka writes plain Base64, Kafka the variant that is safe in file names.
            id: text(sys::rd_kafka_Uuid_base64str(id)).replace('+', "-").replace('/', "_"),
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        })
    }
}
