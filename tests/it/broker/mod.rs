//! The daemon against a real Kafka broker: every test runs the real binary on real topics.
//!
//! `KAFKA_BOOTSTRAP` names the broker (`tests/kafka/broker.sh run -- ...` sets it). Without it the
//! tests fail and say so: nothing is skipped.

#![expect(clippy::string_slice, reason = "texts of our own, cut at ASCII")]
#![expect(
    clippy::print_stdout,
    reason = "what the oracle and the client say belongs in the output"
)]
#![expect(clippy::float_cmp, reason = "counts read from a metrics page are whole numbers")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts read from a metrics page are whole numbers"
)]

mod cluster;
mod daemon;
mod oracle;
mod topic;

mod acls;
mod connect;
mod dead_letters;
mod edges;
mod expectations;
mod faults;
mod flights;
mod forgotten;
mod groups;
mod partition;
mod poison;
mod rewritten;
mod security;
mod starts;
mod ticks;
