//! Integration tests, one binary.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod architecture;
mod broken;
mod cli;
mod golden;
mod pipelines;
mod window_cost;
