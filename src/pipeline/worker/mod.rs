//! A worker: one OS thread that alone polls, folds, produces and commits for its partitions.
//!
//! Every turn does the same things in the same order: rebalances, one slice of each partition,
//! send, commit when due. Publish before commit: a crash in between repeats records, and never
//! loses one. A partition whose state must be rebuilt replays in slices between live ones.

mod delivery;
mod metadata;
mod partition;
mod rebalance;
mod report;
mod start;

pub use report::{Progress, Report, WorkerSummary};
pub use start::Stop;

use crate::{
    batch::Outbox,
    kafka::{Notice, TopicPartition},
    pipeline::{Definition, clock},
    sink::{Sink, SinkError},
    source::{Lookup, Source, SourceError},
};
use delivery::Backoff;
use partition::{Partition, Phase, Replayed};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};
use tracing::warn;

/// Why a worker ends early.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The source failed for good.
    #[error("source: {0}")]
    Source(#[from] SourceError),
    /// The sink failed for good.
    #[error("sink: {0}")]
    Sink(#[from] SinkError),
}

/// Limits and intervals of a worker.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Longest time between two commits.
    pub commit_interval: Duration,
    /// Records after which a commit is due before its time.
    pub commit_records: u64,
    /// Encoded bytes after which a commit is due before its time.
    pub commit_bytes: usize,
    /// Records of one partition in one slice.
    pub batch_records: usize,
    /// Partitions of each input topic.
    pub inputs: BTreeMap<String, i32>,
    /// Partitions of the output topic.
    pub output_partitions: i32,
    /// Longest time spent on finishing before partitions are given back or the worker ends.
    pub settle: Duration,
    /// Rebuild the state of a group that ran with another definition.
    pub migrate: bool,
}

/// Longest sleep when nothing happens; the wake-up ends it early.
const IDLE: Duration = Duration::from_millis(50);

/// How long to wait for room in a full producer before serving the group again.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Records of one slice while a partition replays: about 20 ms of folding.
const REPLAY_RECORDS: usize = 4_096;

/// A worker, before and while it runs.
pub struct Worker {
    definition: Arc<Definition>,
    options: WorkerOptions,
    source: Source,
    sink: Sink,
    outbox: Outbox,
    /// Messages of the outbox that the producer has taken.
    sent: usize,
    partitions: BTreeMap<TopicPartition, Partition>,
    stopped: BTreeMap<TopicPartition, Stop>,
    lookups: Vec<(Vec<TopicPartition>, mpsc::Receiver<Vec<Lookup>>)>,
    /// When the newest commit was done.
    last_commit: Instant,
    /// True from the moment a commit is due until it is done.
    committing: bool,
    backoff: Backoff,
    report: Report,
}

impl Worker {
    /// A worker over clients that were made for it.
    pub fn new(
        definition: Arc<Definition>,
        options: WorkerOptions,
        (source, sink): (Source, Sink),
        report: Report,
    ) -> Self {
        Self {
            definition,
            options,
            source,
            sink,
            outbox: Outbox::default(),
            sent: 0,
            partitions: BTreeMap::new(),
            stopped: BTreeMap::new(),
            lookups: Vec::new(),
            last_commit: clock::instant(),
            committing: false,
            backoff: Backoff::default(),
            report,
        }
    }

    /// Runs until `stop` is set; then finishes what was begun, commits and leaves the group.
    pub fn run(mut self, stop: &AtomicBool) -> Result<WorkerSummary, WorkerError> {
        while !stop.load(Ordering::Relaxed) {
            self.serve_group()?;
            let folded = self.fold_slices()?;
            self.send()?;
            if self.commit_due() {
                self.commit()?;
            } else if self.sent < self.outbox.len() {
                // Back-pressure: the producer is full, nothing is folded until it has room.
                self.poll_sink(FULL_PAUSE)?;
            } else if folded == 0 {
                self.refresh();
                self.source.wait(self.idle_time())?;
            }
        }
        self.settle()?;
        self.report.left();
        Ok(self.report.summary())
    }

    /// Folds one slice of every partition; none while messages wait for room in the producer.
    fn fold_slices(&mut self) -> Result<usize, WorkerError> {
        if self.sent < self.outbox.len() || self.committing {
            return Ok(0);
        }
        let mut folded = 0;
        let mut broken = Vec::new();
        for (id, partition) in &mut self.partitions {
            let slice = match partition.phase {
                Phase::Replaying { .. } => REPLAY_RECORDS,
                Phase::Live => self.options.batch_records,
            };
            partition.batch.clear();
            let mut notices = Vec::new();
            let after = partition.next - 1;
            let count =
                self.source.consume(id, (slice, after), &mut partition.batch, |n| notices.push(n));
            folded += count;
            let replaying = partition.phase != Phase::Live;
            let replayed = if count == 0 {
                let end = self.source.reached_end(id, partition.next);
                end.and_then(|end| partition.reached_end(end))
            } else {
                partition.advance(&mut self.outbox, &self.report)
            };
            if replaying {
                self.report.replayed_records(count);
            }
            if let Some(replayed) = replayed {
                self.report.replay_ended(partition, replayed);
            }
            for notice in notices {
                match notice {
                    Notice::OutOfRange => broken.push(id.clone()),
                    Notice::Error(code, reason) => {
                        warn!(topic = id.topic, id.partition, ?code, reason, "partition not read");
                        self.source.seek(id, partition.next)?;
                    }
                }
            }
        }
        for id in broken {
            self.stop_out_of_range(&id)?;
        }
        Ok(folded)
    }

    /// The log lost the records that a running partition was about to read.
    fn stop_out_of_range(&mut self, id: &TopicPartition) -> Result<(), WorkerError> {
        let Some(partition) = self.partitions.remove(id) else { return Ok(()) };
        let stop = match partition.phase {
            Phase::Replaying { .. } => Stop::ReplayGap { origin: partition.next, low: -1 },
            Phase::Live => Stop::OutOfRange { committed: partition.next, low: -1, high: -1 },
        };
        self.source.stop_fetching(id)?;
        self.stop_partition(id.clone(), stop);
        Ok(())
    }

    fn stop_partition(&mut self, id: TopicPartition, stop: Stop) {
        self.report.stopped(&id, &stop);
        self.stopped.insert(id, stop);
    }

    fn refresh(&mut self) {
        let errors = self.source.errors() + self.sink.errors();
        self.report.refresh(&self.partitions, &self.outbox, errors);
    }

    fn commit_due(&self) -> bool {
        let pending: u64 = self.partitions.values().map(|p| p.pending.consumed).sum();
        self.committing
            || pending >= self.options.commit_records
            || self.outbox.bytes_len() >= self.options.commit_bytes
            || (self.last_commit.elapsed() >= self.options.commit_interval
                && self.partitions.values().any(|p| p.position().is_some()))
    }

    fn idle_time(&self) -> Duration {
        let busy = self.partitions.values().any(|p| p.position().is_some());
        if busy {
            self.options.commit_interval.saturating_sub(self.last_commit.elapsed()).min(IDLE)
        } else {
            IDLE
        }
    }
}
