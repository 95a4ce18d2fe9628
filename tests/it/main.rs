//! Integration tests, one binary.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::disallowed_methods, reason = "tests read the clock and the environment")]

mod architecture;
mod broken;
mod broker;
mod cli;
mod deploy;
mod golden;
mod json_paths;
mod limits;
mod order;
mod pipelines;
mod reach;
mod settings;
mod snapshot_cost;
mod snapshots;
mod state;
mod store;
mod telemetry;
mod window_cost;
