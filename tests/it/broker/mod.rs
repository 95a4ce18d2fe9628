//! The daemon against a real Kafka broker: every test runs the real binary on real topics.
//!
//! `KAFKA_BOOTSTRAP` names the broker (`tests/kafka/broker.sh run -- ...` sets it). Without it the
//! tests fail and say so: nothing is skipped.

mod cluster;
mod daemon;
mod oracle;
mod topic;

mod edges;
mod flights;
mod groups;
mod poison;
mod security;
mod starts;
