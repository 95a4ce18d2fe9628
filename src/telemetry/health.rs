//! Whether the process lives, and whether it is ready, with the reason if not.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most partitions that a report lists by name; it always counts them all.
const LISTED_MAX: usize = 100;

/// What an assigned partition is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionState {
    /// Its state is being rebuilt; so many records are left, if that is known.
    Replaying(Option<u64>),
    /// It consumes and publishes.
    Live,
    /// It stopped, and why. No payload, key or secret.
    Failed(String),
}

/// The health of the process, shared by its workers and the port that reports it.
#[derive(Debug)]
pub struct Health(Mutex<State>);

#[derive(Debug)]
struct State {
    joined: Vec<bool>,
    /// Per worker why publishing is held up for the moment.
    degraded: Vec<Option<String>>,
    draining: bool,
    dead: Option<String>,
    partitions: BTreeMap<(String, i32), PartitionState>,
}

impl Health {
    /// A process with so many workers, none of which has joined its group.
    pub fn new(workers: usize) -> Self {
        let partitions = BTreeMap::new();
        Self(Mutex::new(State {
            joined: vec![false; workers],
            degraded: vec![None; workers],
            draining: false,
            dead: None,
            partitions,
        }))
    }

    /// The worker of that number joined the group or left it.
    pub fn set_joined(&self, worker: usize, joined: bool) {
        self.state().joined[worker] = joined;
    }

    /// A transient failure holds this worker's publishing up, or does not any more.
    pub fn set_degraded(&self, worker: usize, reason: Option<&str>) {
        let degraded = &mut self.state().degraded[worker];
        if degraded.as_deref() != reason {
            *degraded = reason.map(str::to_owned);
        }
    }

    /// What a partition of this process is doing, from its assignment on.
    pub fn set_partition(&self, topic: &str, partition: i32, state: PartitionState) {
        self.state().partitions.insert((topic.to_owned(), partition), state);
    }

    /// The partition was given back.
    pub fn remove_partition(&self, topic: &str, partition: i32) {
        self.state().partitions.remove(&(topic.to_owned(), partition));
    }

    /// The process is stopping.
    pub fn set_draining(&self) {
        self.state().draining = true;
    }

    /// The process cannot recover by itself: it is no longer alive, for this reason.
    pub fn set_dead(&self, reason: &str) {
        self.state().dead.get_or_insert_with(|| reason.to_owned());
    }

    /// True once a worker died.
    pub fn is_dead(&self) -> bool {
        self.state().dead.is_some()
    }

    /// True if every worker joined and nothing assigned is replaying or failed.
    pub fn is_ready(&self) -> bool {
        self.report().ready
    }

    pub(super) fn report(&self) -> Report {
        self.state().report()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a panic elsewhere leaves no half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether the answer is 200.
    pub(super) ready: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Why publishing is held up although the process is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
    partitions_assigned: usize,
    partitions_replaying: usize,
    partitions_failed: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replaying: Vec<Listed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Listed {
    topic: String,
    partition: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl State {
    fn report(&self) -> Report {
        let (mut replaying, mut failed) = (Vec::new(), Vec::new());
        for ((topic, partition), state) in &self.partitions {
            let listed = |remaining_records, reason| Listed {
                topic: topic.clone(),
                partition: *partition,
                remaining_records,
                reason,
            };
            match state {
                PartitionState::Live => {}
                PartitionState::Replaying(remaining) => replaying.push(listed(*remaining, None)),
                PartitionState::Failed(reason) => failed.push(listed(None, Some(reason.clone()))),
            }
        }
        let (status, reason) = self.status(replaying.len(), failed.len());
        let (partitions_replaying, partitions_failed) = (replaying.len(), failed.len());
        replaying.truncate(LISTED_MAX);
        failed.truncate(LISTED_MAX);
        Report {
            ready: reason.is_none(),
            status,
            reason,
            degraded: self.degraded.iter().flatten().next().cloned(),
            partitions_assigned: self.partitions.len(),
            partitions_replaying,
            partitions_failed,
            replaying,
            failed,
        }
    }

    /// The status, and the reason why it is not ready.
    fn status(&self, replaying: usize, failed: usize) -> (&'static str, Option<String>) {
        let waiting = self.joined.iter().filter(|joined| !**joined).count();
        if let Some(reason) = &self.dead {
            return ("dead", Some(reason.clone()));
        }
        if self.draining {
            return ("draining", Some("the process is stopping".to_owned()));
        }
        if failed > 0 {
            return ("failed", Some(format!("{failed} partitions stopped")));
        }
        if waiting > 0 {
            let workers = self.joined.len();
            let reason = format!("{waiting} of {workers} workers have not joined the group");
            return ("starting", Some(reason));
        }
        if replaying > 0 {
            return ("replaying", Some(format!("{replaying} partitions rebuild their state")));
        }
        if self.degraded.iter().any(Option::is_some) {
            return ("degraded", None);
        }
        (if self.partitions.is_empty() { "standby" } else { "ready" }, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(health: &Health) -> (&'static str, bool) {
        let report = health.report();
        (report.status, report.ready)
    }

    #[test]
    fn is_ready_once_joined_and_nothing_replays() {
        let health = Health::new(2);
        assert_eq!(status(&health), ("starting", false));
        health.set_joined(0, true);
        assert_eq!(status(&health), ("starting", false));
        health.set_joined(1, true);
        assert_eq!(status(&health), ("standby", true));
        health.set_partition("t", 0, PartitionState::Replaying(Some(5)));
        assert_eq!(status(&health), ("replaying", false));
        health.set_partition("t", 0, PartitionState::Live);
        assert_eq!(status(&health), ("ready", true));
        health.set_degraded(1, Some("no broker"));
        assert_eq!(status(&health), ("degraded", true));
        health.set_degraded(1, None);
        health.set_partition("t", 1, PartitionState::Failed("offset out of range".to_owned()));
        assert_eq!(status(&health), ("failed", false));
        health.remove_partition("t", 1);
        health.set_draining();
        assert_eq!(status(&health), ("draining", false));
        assert!(!health.is_dead());
        health.set_dead("worker 0 panicked");
        assert_eq!(status(&health), ("dead", false));
    }

    #[test]
    fn lists_a_bounded_number_of_partitions() {
        let health = Health::new(0);
        for partition in 0..250 {
            health.set_partition("t", partition, PartitionState::Replaying(None));
        }
        let report = health.report();
        assert_eq!((report.partitions_replaying, report.replaying.len()), (250, LISTED_MAX));
    }
}
