//! The state of one partition as bytes: what a snapshot file holds.

mod header;

pub use header::{Header, Ledger, LogPosition};
