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

#[cfg(test)]
mod tests;

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
    slice,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};
use tracing::{debug, warn};

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
    /// Place among the partitions of the one that the next turn begins with.
    first: usize,
    stopped: BTreeMap<TopicPartition, Stop>,
    lookups: Vec<(Vec<TopicPartition>, mpsc::Receiver<Vec<Lookup>>)>,
    /// When the newest commit was done.
    last_commit: Instant,
    /// Since when a commit is under way.
    committing: Option<Instant>,
    /// Time spent on handing messages to the producer before the commit is due.
    sending: Duration,
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
            first: 0,
            stopped: BTreeMap::new(),
            lookups: Vec::new(),
            last_commit: clock::instant(),
            committing: None,
            sending: Duration::ZERO,
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
        self.finish()?;
        self.report.left();
        Ok(self.report.summary())
    }

    /// The last commit. A group that rebalances just then refuses it, often because a worker of
    /// the same process has left before: the group is served until the commit stands, so that
    /// nobody repeats what is published.
    fn finish(&mut self) -> Result<(), WorkerError> {
        let deadline = clock::instant() + self.options.settle;
        self.settle()?;
        while self.partitions.values().any(|p| p.position().is_some())
            && clock::instant() < deadline
        {
            self.serve_group()?;
            self.source.wait(FULL_PAUSE)?;
            self.settle()?;
        }
        Ok(())
    }

    /// Folds one slice of every partition, or of as many as a commit has room for; none while
    /// messages wait for room in the producer.
    fn fold_slices(&mut self) -> Result<usize, WorkerError> {
        if self.sent < self.outbox.len() || self.committing.is_some() {
            return Ok(0);
        }
        let (mut folded, mut notices) = (0, Vec::new());
        let count = self.partitions.len();
        for turn in 0..count {
            let place = (self.first + turn) % count;
            if self.commit_is_full() {
                self.first = place;
                break;
            }
            folded += self.fold_slice(place, &mut notices);
        }
        for (id, notice) in notices {
            self.heed(&id, notice)?;
        }
        Ok(folded)
    }

    /// Folds one slice of the partition at `place` and returns how many messages it had.
    fn fold_slice(&mut self, place: usize, notices: &mut Vec<(TopicPartition, Notice)>) -> usize {
        let Some((id, partition)) = self.partitions.iter_mut().nth(place) else { return 0 };
        if partition.astray && !return_to(&self.source, partition) {
            return 0;
        }
        let replaying = partition.phase != Phase::Live;
        let slice = if replaying { REPLAY_RECORDS } else { self.options.batch_records };
        partition.batch.clear();
        let window = (slice, partition.next - 1);
        let note = |notice| notices.push((id.clone(), notice));
        let count = self.source.consume(id, window, &mut partition.batch, note);
        let replayed = if count == 0 {
            let standing = self.source.standing(id, partition.next);
            standing.and_then(|standing| partition.idle(standing))
        } else {
            partition.advance(&mut self.outbox, &self.report)
        };
        if replaying {
            self.report.replayed_records(count);
        }
        if let Some(replayed) = replayed {
            self.report.replay_ended(partition, replayed);
        }
        count
    }

    /// Acts on what a queue told beside records.
    fn heed(&mut self, id: &TopicPartition, notice: Notice) -> Result<(), WorkerError> {
        match notice {
            Notice::OutOfRange => self.begin_again(id),
            Notice::Error(code, reason) => {
                warn!(topic = id.topic, id.partition, ?code, reason, "partition not read");
                if let Some(partition) = self.partitions.get_mut(id) {
                    partition.astray = true;
                }
                Ok(())
            }
        }
    }

    /// The log lost the records that a running partition was about to read: where it goes on, if
    /// it does, is decided as at its assignment.
    fn begin_again(&mut self, id: &TopicPartition) -> Result<(), WorkerError> {
        // What was folded and published still counts.
        self.settle()?;
        let Some(partition) = self.partitions.remove(id) else { return Ok(()) };
        warn!(topic = id.topic, id.partition, offset = partition.next, "offset not in the log");
        if !self.source.incremental() {
            let stop = Stop::OutOfRange { committed: partition.next, low: -1, high: -1 };
            self.source.stop_fetching(id)?;
            self.stop_partition(id.clone(), stop);
            return Ok(());
        }
        self.source.unassign(slice::from_ref(id))?;
        let answer = self.source.lookup(vec![id.clone()]);
        self.lookups.push((vec![id.clone()], answer));
        Ok(())
    }

    fn stop_partition(&mut self, id: TopicPartition, stop: Stop) {
        self.report.stopped(&id, &stop);
        self.stopped.insert(id, stop);
    }

    fn refresh(&mut self) {
        let errors = self.source.errors() + self.sink.errors();
        let stopped = self.stopped.len();
        self.report.refresh(&self.partitions, (&self.outbox, stopped), errors);
    }

    fn commit_due(&self) -> bool {
        self.committing.is_some()
            || self.commit_is_full()
            || (self.last_commit.elapsed() >= self.options.commit_interval
                && self.partitions.values().any(|p| p.position().is_some()))
    }

    /// True once an open commit holds as much as it may.
    fn commit_is_full(&self) -> bool {
        let pending: u64 = self.partitions.values().map(|p| p.pending.consumed).sum();
        pending >= self.options.commit_records
            || self.outbox.bytes_len() >= self.options.commit_bytes
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

/// Goes back to the next record after an error may have moved the position; not reading on before
/// that is what keeps the record. False if the client cannot yet.
fn return_to(source: &Source, partition: &mut Partition) -> bool {
    let result = source.seek(&partition.id, partition.next);
    partition.astray = result.is_err();
    if let Err(error) = &result {
        let TopicPartition { topic, partition: number } = &partition.id;
        debug!(topic, partition = number, %error, "not yet back at the next record");
    }
    result.is_ok()
}
