//! What a principal may do to a topic or a group, as the brokers see it: librdkafka asks for it with
//! a description, which rust-rdkafka does not wrap.

use rdkafka::{
    ClientContext, bindings as sys,
    client::Client,
    error::RDKafkaErrorCode,
    types::{RDKafka, RDKafkaRespErr},
};
use std::{ffi::CString, ptr, slice, time::Duration};

/// Something that may be done to a topic or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Fetch records; join a group and commit.
    Read,
    /// Produce.
    Write,
    /// See settings, such as limits and cleanup policy.
    DescribeConfigs,
}

impl Operation {
    /// The name, as Kafka's tools write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::DescribeConfigs => "DescribeConfigs",
        }
    }

    const fn from_native(number: u32) -> Option<Self> {
        use sys::rd_kafka_AclOperation_t as native;
        const READ: u32 = native::RD_KAFKA_ACL_OPERATION_READ as u32;
        const WRITE: u32 = native::RD_KAFKA_ACL_OPERATION_WRITE as u32;
        const CONFIGS: u32 = native::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS as u32;
        match number {
            READ => Some(Self::Read),
            WRITE => Some(Self::Write),
            CONFIGS => Some(Self::DescribeConfigs),
            _ => None,
        }
    }
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// A topic of that name.
    Topic(&'a str),
    /// A consumer group of that name.
    Group(&'a str),
}

/// What the client's principal may do to `resource`; none where the brokers do not say.
pub fn authorized_operations<C: ClientContext>(
    client: &Client<C>,
    resource: Resource<'_>,
    timeout: Duration,
) -> Result<Option<Vec<Operation>>, RDKafkaErrorCode> {
    let name = match resource {
        Resource::Topic(name) | Resource::Group(name) => name,
    };
    let name = CString::new(name).map_err(|_| RDKafkaErrorCode::InvalidArgument)?;
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let question = Question::new(client.native_ptr(), resource, timeout_ms);
    question.ask(resource, &name);
    question.answer(resource, timeout_ms)
}

/// Options and queue of one question; both live as long as it does.
struct Question {
    client: *mut RDKafka,
    options: *mut sys::rd_kafka_AdminOptions_t,
    queue: *mut sys::rd_kafka_queue_t,
}

impl Question {
    /// `client` is alive for as long as the caller's borrow of it, which outlives the question.
    fn new(client: *mut RDKafka, resource: Resource<'_>, timeout_ms: i32) -> Self {
        use sys::rd_kafka_admin_op_t as kind;
        let kind = match resource {
            Resource::Topic(_) => kind::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            Resource::Group(_) => kind::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
        };
        // SAFETY: the client is alive; an error object is ours to destroy, and null is none.
        unsafe {
            let options = sys::rd_kafka_AdminOptions_new(client, kind);
            let error = sys::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
            if !error.is_null() {
                sys::rd_kafka_error_destroy(error);
            }
            // A time out of range leaves the default of the client.
            sys::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
            Self { client, options, queue: sys::rd_kafka_queue_new(client) }
        }
    }

    fn ask(&self, resource: Resource<'_>, name: &CString) {
        let mut names = [name.as_ptr()];
        // SAFETY: client, options and queue are alive; the names are copied by the call.
        unsafe {
            match resource {
                Resource::Topic(_) => {
                    let topics =
                        sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
                    sys::rd_kafka_DescribeTopics(self.client, topics, self.options, self.queue);
                    sys::rd_kafka_TopicCollection_destroy(topics);
                }
                Resource::Group(_) => {
                    let names = names.as_mut_ptr();
                    let (options, queue) = (self.options, self.queue);
                    sys::rd_kafka_DescribeConsumerGroups(self.client, names, 1, options, queue);
                }
            }
        }
    }

    fn answer(
        &self,
        resource: Resource<'_>,
        timeout_ms: i32,
    ) -> Result<Option<Vec<Operation>>, RDKafkaErrorCode> {
        // SAFETY: the queue is ours; the event is destroyed once, after what it holds was copied.
        unsafe {
            let event = sys::rd_kafka_queue_poll(self.queue, timeout_ms);
            if event.is_null() {
                return Err(RDKafkaErrorCode::OperationTimedOut);
            }
            let answer = read(event, resource);
            sys::rd_kafka_event_destroy(event);
            answer
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // SAFETY: both were made by `new` and are destroyed here alone.
        unsafe {
            sys::rd_kafka_AdminOptions_destroy(self.options);
            sys::rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// SAFETY: `event` must be a live event that answers a question about such a resource.
unsafe fn read(
    event: *mut sys::rd_kafka_event_t,
    resource: Resource<'_>,
) -> Result<Option<Vec<Operation>>, RDKafkaErrorCode> {
    let mut count = 0;
    // SAFETY: the event is alive and so is all that it hands out; results of the wrong kind are
    // null; lists have as many entries as is said beside them.
    unsafe {
        check(sys::rd_kafka_event_error(event))?;
        let (error, operations) = match resource {
            Resource::Topic(_) => {
                let result = sys::rd_kafka_event_DescribeTopics_result(event);
                if result.is_null() {
                    return Err(RDKafkaErrorCode::Fail);
                }
                let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
                if count == 0 {
                    return Ok(None);
                }
                let operations = sys::rd_kafka_TopicDescription_authorized_operations;
                let error = sys::rd_kafka_TopicDescription_error(*topics);
                (error, operations(*topics, &raw mut count))
            }
            Resource::Group(_) => {
                let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event);
                if result.is_null() {
                    return Err(RDKafkaErrorCode::Fail);
                }
                let groups =
                    sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
                if count == 0 {
                    return Ok(None);
                }
                let operations = sys::rd_kafka_ConsumerGroupDescription_authorized_operations;
                let error = sys::rd_kafka_ConsumerGroupDescription_error(*groups);
                (error, operations(*groups, &raw mut count))
            }
        };
        if !error.is_null() {
            check(sys::rd_kafka_error_code(error))?;
        }
        if operations.is_null() {
            return Ok(None);
        }
        // Read as numbers: a later librdkafka may know operations that the bindings do not.
        let numbers = slice::from_raw_parts(operations.cast::<u32>(), count);
        Ok(Some(numbers.iter().filter_map(|number| Operation::from_native(*number)).collect()))
    }
}

fn check(code: RDKafkaRespErr) -> Result<(), RDKafkaErrorCode> {
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(code.into()) }
}
