//! What millstream shows of itself: metrics, health, log lines, and the port that serves them.
//!
//! [`Metrics`] and [`Health`] are values that are passed down; nothing here is global but the log
//! subscriber. Metrics are updated per batch and per commit, never per record, through children
//! that were resolved once.

mod health;
mod labels;
mod logs;
mod metrics;
mod partition;
mod process;
mod registration;
mod server;

pub use health::{Health, PartitionState};
pub use labels::{
    BuildInfo, CommitResult, Rebalance, SnapshotRejection, SnapshotResult, Step, TransactionResult,
};
pub use logs::start_logs;
pub use metrics::Metrics;
pub use partition::PartitionMetrics;
pub use server::{bind, serve};
