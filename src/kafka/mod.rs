//! Kafka clients: the one place that configures them, and the one that touches librdkafka by FFI.

pub mod admin;
mod client;
mod config;
mod ffi;
mod in_time;

pub use client::{Consumer, ConsumerEvents, Deliveries, Producer, Rebalance, TopicPartition};
pub use config::{
    ClientProperties, ConsumerGroup, admin_config, classic_session, consumer_config, limit_batches,
    make_transactional, max_poll_interval, producer_config,
};
pub use ffi::{
    Membership, Notice, Operation, PartitionQueue, ProducerTopic, Resource, TopicIdentity,
    TransactionError, Wakeup, assignment_lost, authorized_operations, commit_transaction, log_end,
    membership, metadata, ring_events, silence_events, topic_identities,
};
pub use in_time::send_offsets_in_time;

pub(crate) use client::unassign;
