//! Transactions: who may put offsets into one, and how it ends.
//!
//! The broker checks that a member of that generation commits, never that it owns the partition;
//! and it takes the metadata of a consumer that never joined as that of a client older than the
//! check. So [`Membership`] is looked at before it is used.

use crate::kafka::client::{Consumer, Producer};
use rdkafka::{
    TopicPartitionList, bindings as sys, consumer::Consumer as _, error::RDKafkaErrorCode,
    producer::Producer as _,
};
use std::{
    ffi::{CStr, CString},
    time::Duration,
};

/// A consumer's place in its group at the moment it was asked for.
#[derive(Debug)]
pub struct Membership {
    metadata: *mut sys::rd_kafka_consumer_group_metadata_t,
}

// SAFETY: the metadata is a copy of its own that nobody else refers to, and is only read.
unsafe impl Send for Membership {}

impl Membership {
    /// The metadata of somebody who never joined `group`, which a broker accepts.
    pub fn outsider(group: &str) -> Option<Self> {
        let group = CString::new(group).ok()?;
        // SAFETY: the name is NUL-terminated and copied.
        let metadata = unsafe { sys::rd_kafka_consumer_group_metadata_new(group.as_ptr()) };
        (!metadata.is_null()).then_some(Self { metadata })
    }

    /// Generation of the group, or epoch of the member; negative for who is no member.
    pub fn generation(&self) -> i32 {
        // SAFETY: the metadata is ours and alive.
        unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(self.metadata) }
    }

    /// The name that the group has given this consumer; none while it is no member.
    pub fn member_id(&self) -> Option<&CStr> {
        // SAFETY: the metadata is ours and alive; the member id lives as long.
        let member = unsafe {
            let member = sys::rd_kafka_consumer_group_metadata_member_id(self.metadata);
            (!member.is_null()).then(|| CStr::from_ptr(member))
        };
        member.filter(|id| !id.is_empty() && self.generation() >= 0)
    }

    /// True if the group knows this consumer: only then does the broker fence it when it is out.
    pub fn is_member(&self) -> bool {
        self.member_id().is_some()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // SAFETY: the metadata is ours and is destroyed once.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.metadata) }
    }
}

/// The consumer's membership now. Ask on the thread that polls: another one may already see a
/// generation newer than what was folded.
pub fn membership(consumer: &Consumer) -> Option<Membership> {
    // SAFETY: the client is alive; the returned metadata is a copy that is ours.
    let metadata = unsafe { sys::rd_kafka_consumer_group_metadata(consumer.client().native_ptr()) };
    (!metadata.is_null()).then_some(Membership { metadata })
}

/// Why a step of a transaction failed. Whatever it is, the producer is replaced and the committed
/// offsets are read: what happened is known only from them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Another producer has the same transactional id, or the transaction outlived its timeout.
    #[error("fenced: {0}")]
    Fenced(String),
    /// The group has moved on. Routine at a rebalance.
    #[error("the group has rebalanced: {0}")]
    Rebalanced(String),
    /// The principal may not write under that transactional id, or not commit for the group.
    #[error("not permitted: {0}; deploy/kafka/acls.sh grants what is needed")]
    Forbidden(String),
    /// Anything else; whether the broker has carried it out may be unknown.
    #[error("{0}")]
    Uncertain(String),
}

impl TransactionError {
    /// The error of that code.
    pub fn new(code: RDKafkaErrorCode, text: String) -> Self {
        match code {
            RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::TransactionCoordinatorFenced => Self::Fenced(text),
            RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::FencedInstanceId
            | RDKafkaErrorCode::FencedMemberEpoch
            | RDKafkaErrorCode::StaleMemberEpoch => Self::Rebalanced(text),
            RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed => Self::Forbidden(text),
            _ => Self::Uncertain(text),
        }
    }
}

/// Puts offsets into the open transaction. May block for good, whatever the timeout says: see
/// [`send_offsets_in_time`](crate::kafka::send_offsets_in_time).
pub(in crate::kafka) fn send_offsets(
    producer: &Producer,
    offsets: &TopicPartitionList,
    membership: &Membership,
    timeout: Duration,
) -> Result<(), TransactionError> {
    // SAFETY: producer, list and metadata are alive for the call.
    unsafe {
        outcome(sys::rd_kafka_send_offsets_to_transaction(
            producer.client().native_ptr(),
            offsets.ptr(),
            membership.metadata,
            milliseconds(timeout),
        ))
    }
}

/// Commits the open transaction, whose messages must all stand already: rust-rdkafka's own call
/// flushes in steps of 100 ms.
pub fn commit_transaction(producer: &Producer, timeout: Duration) -> Result<(), TransactionError> {
    // SAFETY: the producer is alive for the call.
    unsafe {
        outcome(sys::rd_kafka_commit_transaction(
            producer.client().native_ptr(),
            milliseconds(timeout),
        ))
    }
}

/// SAFETY: `error` must be null or an error that is ours.
unsafe fn outcome(error: *mut sys::rd_kafka_error_t) -> Result<(), TransactionError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: as the caller promises; the text is copied before the error goes.
    unsafe {
        let code = sys::rd_kafka_error_code(error);
        let text = CStr::from_ptr(sys::rd_kafka_error_string(error)).to_string_lossy().into_owned();
        sys::rd_kafka_error_destroy(error);
        Err(TransactionError::new(code.into(), text))
    }
}

fn milliseconds(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
