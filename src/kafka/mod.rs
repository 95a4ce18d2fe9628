//! Kafka clients: the one place that configures them, and the one that touches librdkafka by FFI.

pub mod admin;
mod client;
mod config;
mod ffi;

pub use client::{Consumer, ConsumerEvents, Deliveries, Producer, Rebalance, TopicPartition};
pub use config::{
    ClientProperties, ConsumerGroup, admin_config, consumer_config, limit_batches,
    max_poll_interval, producer_config,
};
pub use ffi::{
    Notice, Operation, PartitionQueue, Resource, Wakeup, assignment_lost, authorized_operations,
    log_end, metadata, produce, ring_events, silence_events,
};

pub(crate) use client::unassign;
