//! The one module with `unsafe`: what librdkafka offers and rust-rdkafka does not wrap.
//!
//! * batch consume from split partition queues (half the CPU of `poll`),
//! * headers as bytes (rust-rdkafka's accessor panics on a name that is not UTF-8),
//! * offset metadata as bytes (its accessor panics on binary metadata),
//! * one wake-up for many queues,
//! * the generation and member of a group's metadata, which guard a transaction's offsets,
//! * a commit that does not wait in steps of 100 ms, the ids of
//!   topics, and what a principal may do to a topic or a group.
//!
//! Batch consume of librdkafka before 2.13.2 moves the position past an error message as if it were
//! a record, an end-of-partition notice included (librdkafka#4844); a later pause or rebalance then
//! resumes one record too late. So `enable.partition.eof` stays off, the end of a log is read from
//! [`log_end`], and after an error the reader seeks.
//!
//! Every pointer lives inside a type here that cannot outlive its client.
#![expect(unsafe_code, reason = "the crate's only FFI module; each block says why it is sound")]

mod group;
mod message;
mod operations;
mod produce;
mod queue;
mod topic;
mod transaction;
mod wakeup;

pub use group::{assignment_lost, log_end, metadata};
pub use operations::{Operation, Resource, authorized_operations};
pub use produce::ProducerTopic;
pub use queue::{Notice, PartitionQueue};
pub use topic::{TopicIdentity, topic_identities};
pub(super) use transaction::send_offsets;
pub use transaction::{Membership, TransactionError, commit_transaction, membership};
pub use wakeup::{Wakeup, ring_events, silence_events};
