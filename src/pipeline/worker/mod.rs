//! A worker: one OS thread that alone polls, folds, produces and commits for its partitions.
//!
//! Every turn does the same things in the same order: rebalances, one slice of each partition, and
//! what the commit protocol asks for. A partition whose state must be rebuilt replays in slices
//! between live ones. Where states come from ([`recovery`]) and go to ([`snapshots`]) is the work
//! of other threads.

mod checkup;
mod delivery;
mod fold;
mod halted;
mod held;
mod known;
mod member;
mod metadata;
mod pace;
pub mod operator;
mod overlooked;
mod partition;
mod place;
mod progress;
mod rebalance;
mod rebuild;
mod recovery;
mod report;
mod resolution;
mod snapshots;
mod start;
mod suspects;
mod tail;
mod ticks;
mod trouble;
mod unheard;
mod verdicts;
mod watch;

#[cfg(test)]
mod tests;

pub use known::Known;
pub use place::Place;
pub use report::{Progress, Report, WorkerSummary};
pub use snapshots::{SnapshotOptions, Snapshots};
pub use start::Stop;
pub use watch::Pulse;

use super::{
    failpoint,
    protocol::{Protocol, Step},
};
use crate::{
    batch::Outbox,
    kafka::TopicPartition,
    pipeline::{Definition, clock, spec::Delivery},
    sink::{Sink, SinkError},
    source::{Source, SourceError},
    state::snapshot::OffsetRange,
    store::SnapshotStore,
    telemetry::Metrics,
};
use partition::Partition;
use recovery::{Asked, Found, Recovery};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};
use trouble::{Backoff, Fences};

/// Why a worker ends early.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The source failed for good.
    #[error("source: {0}")]
    Source(#[from] SourceError),
    /// The sink failed for good.
    #[error("sink: {0}")]
    Sink(#[from] SinkError),
    /// Somebody else keeps taking this worker's transactional id, or its place in the group.
    #[error(
        "fenced {0} times within minutes: another process uses the same `instance` or \
         `group_instance_id`; each process of a pipeline needs its own"
    )]
    SlotUsedTwice(usize),
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
    /// Read the partitions that an input topic got later.
    pub accept_growth: bool,
}

/// What a worker is made of beside its options.
pub struct Parts {
    /// Where records come from.
    pub source: Source,
    /// Where messages go.
    pub sink: Sink,
    /// Who stores states.
    pub snapshots: Snapshots,
    /// Where states are read from.
    pub store: Option<SnapshotStore>,
    /// Where all of it is.
    pub place: Place,
    /// What the workers of the process have seen of the group.
    pub known: Known,
    /// For threads that work for the worker.
    pub metrics: Arc<Metrics>,
    /// Told whenever the worker goes on.
    pub pulse: Arc<Pulse>,
}

/// Longest sleep when nothing happens; the wake-up ends it early.
const IDLE: Duration = Duration::from_millis(50);

/// How long to wait for room in a full producer before serving the group again.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// How long to wait for what is under way before the group is served again.
const ROUND_PAUSE: Duration = Duration::from_millis(1);

/// A worker, before and while it runs.
pub struct Worker {
    definition: Arc<Definition>,
    options: WorkerOptions,
    place: Place,
    recovery: Recovery,
    source: Source,
    sink: Sink,
    snapshots: Snapshots,
    protocol: Protocol<TopicPartition>,
    outbox: Outbox,
    /// Messages of the outbox that the producer has taken.
    sent: usize,
    /// True if the producer had no room for the rest.
    is_full: bool,
    partitions: BTreeMap<TopicPartition, Partition>,
    /// Place among the partitions of the one that the next turn begins with.
    first: usize,
    pace: pace::Pace,
    stopped: BTreeMap<TopicPartition, Stop>,
    /// Where the fold of partitions panicked that are folded again to find the record.
    suspects: BTreeMap<TopicPartition, OffsetRange>,
    /// Questions under way about where partitions stand.
    questions: Vec<(Asked, mpsc::Receiver<Vec<Found>>)>,
    /// The question under way of what stands after a failure.
    resolving: Option<mpsc::Receiver<resolution::Answers>>,
    /// True while the producer that failed has not been replaced.
    broken: bool,
    /// True if the group refused the open transaction, so that it certainly does not stand.
    refused: bool,
    /// When the newest commit was done.
    last_commit: Instant,
    /// Since when a commit is under way.
    committing: Option<Instant>,
    /// Time spent on handing messages to the producer before the commit is due.
    sending: Duration,
    backoff: Backoff,
    fences: Fences,
    member: member::Member,
    checkup: checkup::Checkup,
    overlooked: overlooked::Overlooked,
    unheard: unheard::Unheard,
    pulse: Arc<Pulse>,
    report: Report,
}

impl Worker {
    /// A worker over clients that were made for it.
    pub fn new(
        definition: Arc<Definition>,
        options: WorkerOptions,
        parts: Parts,
        report: Report,
    ) -> Self {
        let Parts { source, mut sink, snapshots, store, place, known, metrics, pulse } = parts;
        let exactly_once =
            definition.spec().delivery == Delivery::ExactlyOnce && sink.is_transactional();
        if failpoint::mutant() == Some(failpoint::Mutant::DeadLetterOutside) {
            sink.write_dead_letters_outside().expect("a second producer of the same properties");
        }
        let recovery = Recovery {
            definition: Arc::clone(&definition),
            rules: rebalance::rules(&definition, (options.migrate, options.accept_growth), &place),
            place: place.clone(),
            store,
            known,
            metrics,
            output_partitions: options.output_partitions,
            inputs: options.inputs.clone(),
        };
        let unheard = unheard::Unheard::new(source.session());
        Self {
            definition,
            options,
            place,
            recovery,
            source,
            sink,
            snapshots,
            protocol: Protocol::new(exactly_once, failpoint::mutant()),
            outbox: Outbox::default(),
            sent: 0,
            is_full: false,
            partitions: BTreeMap::new(),
            first: 0,
            pace: pace::Pace::new(),
            stopped: BTreeMap::new(),
            suspects: BTreeMap::new(),
            questions: Vec::new(),
            resolving: None,
            broken: false,
            refused: false,
            last_commit: clock::instant(),
            committing: None,
            sending: Duration::ZERO,
            backoff: Backoff::default(),
            fences: Fences::default(),
            member: member::Member::default(),
            checkup: checkup::Checkup::default(),
            overlooked: overlooked::Overlooked::default(),
            unheard,
            pulse,
            report,
        }
    }

    /// Runs until `stop` is set; then finishes what was begun, commits and leaves the group.
    pub fn run(mut self, stop: &AtomicBool) -> Result<WorkerSummary, WorkerError> {
        while !stop.load(Ordering::Relaxed) {
            self.turn()?;
        }
        self.finish()?;
        self.report.left();
        self.pulse.ended();
        Ok(self.report.summary())
    }

    fn turn(&mut self) -> Result<(), WorkerError> {
        self.pulse.beats(watch::Doing::Group);
        self.stop_halted()?;
        self.serve_group()?;
        self.check_up()?;
        self.watch_assignment()?;
        self.watch_join();
        self.pulse.beats(watch::Doing::Fold);
        let folded = self.fold_slices()?;
        if self.protocol.step() != Step::Fold {
            return self.commit();
        }
        self.pulse.beats(watch::Doing::Send);
        self.send()?;
        if self.commit_due() {
            self.begin_commit();
            self.commit()?;
        } else if self.waits_for_room() {
            // Back-pressure: the producer is full, nothing is folded until it has room.
            self.poll_sink(FULL_PAUSE)?;
        } else if folded == 0 {
            self.serve_snapshots();
            self.refresh();
            self.pulse.beats(watch::Doing::Wait);
            let pause = if self.has_unsent() { ROUND_PAUSE } else { self.idle_time() };
            self.source.wait(pause)?;
        }
        Ok(())
    }

    /// The last commit. A group that rebalances just then refuses it, often because a worker of
    /// the same process has left before: the group is served until the commit stands, so that
    /// nobody repeats what is published. Then the states are stored, so that who comes next begins
    /// where this one ended.
    fn finish(&mut self) -> Result<(), WorkerError> {
        failpoint::passed(failpoint::Place::DuringShutdown);
        self.member.leave();
        let deadline = clock::instant() + self.options.settle;
        self.settle()?;
        while (self.protocol.has_moved() || self.protocol.step() != Step::Fold)
            && clock::instant() < deadline
        {
            self.serve_group()?;
            self.source.wait(FULL_PAUSE)?;
            self.settle()?;
        }
        let all: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        self.last_snapshots(&all, deadline)
    }

    fn stop_partition(&mut self, id: TopicPartition, stop: Stop) {
        self.report.stopped(&id, &stop);
        self.stopped.insert(id, stop);
    }

    fn refresh(&mut self) {
        let errors = self.source.errors() + self.sink.errors();
        self.report.snapshots(self.snapshots.figures());
        self.report.trouble(self.backoff.reason());
        let view = report::View {
            protocol: &self.protocol,
            outbox: &self.outbox,
            stopped: self.stopped.len(),
            client_errors: errors,
        };
        self.report.refresh(&mut self.partitions, &view);
    }

    fn commit_due(&self) -> bool {
        self.commit_is_full()
            || (self.last_commit.elapsed() >= self.options.commit_interval
                && self.protocol.has_moved())
    }

    /// True once an open commit holds as much as it may.
    fn commit_is_full(&self) -> bool {
        let pending: u64 = self.partitions.values().map(|p| p.pending.consumed).sum();
        pending >= self.options.commit_records
            || self.outbox.bytes_len() >= self.options.commit_bytes
    }

    fn idle_time(&self) -> Duration {
        if self.protocol.has_moved() {
            self.options.commit_interval.saturating_sub(self.last_commit.elapsed()).min(IDLE)
        } else {
            IDLE
        }
    }
}
