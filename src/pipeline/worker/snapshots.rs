//! When snapshots are taken, and who writes them: the worker hands over a captured state, a thread
//! of its own encodes and stores it.

use super::{Worker, WorkerError, partition::Partition};
use crate::{
    kafka::TopicPartition,
    pipeline::{FoldState, clock, failpoint, tasks},
    state::snapshot::{self, Header, LogPosition},
    store::{PartitionKey, SnapshotStore, Stored},
    telemetry::{Metrics, SnapshotResult},
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};
use tracing::{debug, error, info, warn};

/// Settings of snapshots.
#[derive(Debug, Clone)]
pub struct SnapshotOptions {
    /// Longest time between two snapshots of a partition.
    pub interval: Duration,
    /// Records of a partition after which one is due before its time.
    pub records: u64,
    /// How many of a partition are kept.
    pub keep: usize,
}

/// A state to be stored.
struct Job {
    id: TopicPartition,
    header: Header,
    state: FoldState,
}

/// What became of a job.
struct Done {
    id: TopicPartition,
    /// The position, if the snapshot stands.
    position: Option<LogPosition>,
    bytes: u64,
}

/// When the next snapshot of a partition is due.
#[derive(Debug)]
struct Schedule {
    due: Instant,
    /// Consumed records at the newest snapshot.
    consumed: u64,
    taken: Option<Instant>,
    bytes: u64,
}

/// The worker's side of the snapshots.
pub struct Snapshots {
    options: SnapshotOptions,
    jobs: Option<mpsc::SyncSender<Job>>,
    done: mpsc::Receiver<Done>,
    schedules: BTreeMap<TopicPartition, Schedule>,
    under_way: Option<TopicPartition>,
}

impl Snapshots {
    /// Starts the writing thread of worker `worker`; without a store nothing is ever due.
    pub fn start(
        worker: usize,
        store: Option<SnapshotStore>,
        options: SnapshotOptions,
        metrics: &Arc<Metrics>,
    ) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::sync_channel::<Job>(1);
        let (outbox, done) = mpsc::sync_channel(4);
        let jobs = store.is_some().then_some(jobs);
        if let Some(store) = store {
            let writer = Writer { store, keep: options.keep, metrics: Arc::clone(metrics) };
            tasks::thread(format!("snapshots-{worker}"), move || writer.run(&inbox, &outbox))?;
        }
        Ok(Self { options, jobs, done, schedules: BTreeMap::new(), under_way: None })
    }

    /// A partition begins; its snapshots are spread over the interval, so that many partitions do
    /// not take theirs at once.
    fn follow(&mut self, id: &TopicPartition, consumed: u64) -> &mut Schedule {
        let interval = self.options.interval;
        self.schedules.entry(id.clone()).or_insert_with(|| {
            let spread = f64::from(id.partition.rem_euclid(16)) / 16.0;
            let due = clock::instant() + interval.mul_f64(0.5 + spread / 2.0);
            Schedule { due, consumed, taken: None, bytes: 0 }
        })
    }

    /// The partition is gone.
    pub(super) fn forget(&mut self, id: &TopicPartition) {
        self.schedules.remove(id);
    }

    /// Age of the oldest of the newest snapshots, and the bytes of all newest ones.
    pub(super) fn figures(&self) -> (Option<Duration>, u64) {
        let ages = self.schedules.values().filter_map(|s| Some(s.taken?.elapsed()));
        (ages.max(), self.schedules.values().map(|s| s.bytes).sum())
    }

    /// The next snapshot of the partition is due at once.
    pub(super) fn hurry(&mut self, partition: &Partition) {
        let consumed = partition.consumed();
        self.follow(&partition.id, consumed).due = clock::instant();
    }

    /// True if states are stored at all.
    pub(super) fn are_kept(&self) -> bool {
        self.jobs.is_some()
    }

    fn is_due(&mut self, partition: &Partition) -> bool {
        let (records, consumed) = (self.options.records, partition.consumed());
        let busy = self.under_way.is_some();
        let schedule = self.follow(&partition.id, consumed);
        let grown = consumed.saturating_sub(schedule.consumed);
        !busy && (grown >= records || clock::instant() >= schedule.due)
    }

    /// Hands a state over to be stored. False if the writer is busy.
    fn take(&mut self, partition: &Partition, header: Header) -> bool {
        let Some(jobs) = &self.jobs else { return false };
        let id = partition.id.clone();
        let state = partition.fold().capture();
        if jobs.try_send(Job { id: id.clone(), header, state }).is_err() {
            return false;
        }
        let due = clock::instant() + self.options.interval;
        let consumed = partition.consumed();
        let schedule = self.follow(&id, consumed);
        (schedule.due, schedule.consumed) = (due, consumed);
        self.under_way = Some(id);
        true
    }
}

impl Worker {
    /// Takes note of finished snapshots and begins one that is due: right after a commit, when the
    /// state in memory is the one that was committed.
    pub(super) fn serve_snapshots(&mut self) {
        self.note_snapshots();
        let Self { partitions, snapshots, protocol, place, .. } = self;
        if snapshots.jobs.is_none() {
            return;
        }
        for (id, partition) in partitions.iter() {
            if partition.halted().is_some() || !snapshots.is_due(partition) {
                continue;
            }
            let Some(position) = protocol.snapshot_at(id) else { continue };
            if partition.snapshot == Some(position) {
                continue;
            }
            if snapshots.take(partition, partition.header(position, place)) {
                return;
            }
        }
    }

    fn note_snapshots(&mut self) {
        while let Ok(done) = self.snapshots.done.try_recv() {
            self.snapshots.under_way = None;
            let Some(position) = done.position else { continue };
            if let Some(schedule) = self.snapshots.schedules.get_mut(&done.id) {
                (schedule.taken, schedule.bytes) = (Some(clock::instant()), done.bytes);
            }
            if let Some(partition) = self.partitions.get_mut(&done.id) {
                partition.stored(position);
            }
        }
    }

    /// Stores the states of partitions that go, as long as there is time: who has them next begins
    /// where they stand.
    pub(super) fn last_snapshots(
        &mut self,
        ids: &[TopicPartition],
        deadline: Instant,
    ) -> Result<(), WorkerError> {
        let mut left: Vec<TopicPartition> = ids.to_vec();
        while self.snapshots.jobs.is_some() && clock::instant() < deadline {
            self.note_snapshots();
            if self.snapshots.under_way.is_none() {
                let Some(id) = left.pop() else { return Ok(()) };
                let Some(partition) = self.partitions.get(&id) else { continue };
                let at = self.protocol.snapshot_at(&id).filter(|_| partition.halted().is_none());
                let Some(position) = at.filter(|at| partition.snapshot != Some(*at)) else {
                    continue;
                };
                let header = partition.header(position, &self.place);
                self.snapshots.take(partition, header);
                continue;
            }
            self.source.wait(Duration::from_millis(2))?;
        }
        Ok(())
    }
}

/// Encodes and stores.
struct Writer {
    store: SnapshotStore,
    keep: usize,
    metrics: Arc<Metrics>,
}

impl Writer {
    fn run(&self, jobs: &mpsc::Receiver<Job>, done: &mpsc::SyncSender<Done>) {
        while let Ok(job) = jobs.recv() {
            let started = clock::instant();
            let id = job.id.clone();
            let (position, bytes) = self.write(job);
            self.metrics.snapshot_seconds.observe(started.elapsed().as_secs_f64());
            if done.send(Done { id, position, bytes }).is_err() {
                return;
            }
        }
    }

    fn write(&self, job: Job) -> (Option<LogPosition>, u64) {
        let Job { id, header, state } = job;
        let (topic, partition, at) = (&id.topic, id.partition, header.position);
        let mut bytes = Vec::new();
        if let Err(error) = snapshot::write(&header, &state, &mut bytes) {
            error!(topic, partition, %error, "snapshot not encoded");
            return (None, 0);
        }
        drop(state);
        let size = bytes.len() as u64;
        if failpoint::passed(failpoint::Place::SnapshotBeforePut) {
            self.failed(&id, "no space left on device (failpoint)");
            return (None, size);
        }
        match self.store.put(&header, bytes) {
            Ok(Stored::Written | Stored::Known) => {}
            Ok(Stored::Divergent { others }) => {
                self.metrics.snapshots_total(SnapshotResult::Divergent).inc();
                error!(
                    topic,
                    partition,
                    position = %at,
                    others = others.len(),
                    "another state of the same position is in the store: the fold of one of the \
                     two was not deterministic"
                );
                return (None, size);
            }
            Err(error) => {
                self.failed(&id, &error.to_string());
                return (None, size);
            }
        }
        if failpoint::passed(failpoint::Place::SnapshotAfterPut) {
            // As a store that wrote it and did not say so in time.
            self.failed(&id, "no space left on device (failpoint)");
            return (None, size);
        }
        self.metrics.snapshots_total(SnapshotResult::Written).inc();
        debug!(topic, partition, position = %at, bytes = size, "snapshot stored");
        self.tidy(&header, at);
        (Some(at), size)
    }

    fn failed(&self, id: &TopicPartition, reason: &str) {
        self.metrics.snapshots_total(SnapshotResult::Failed).inc();
        let TopicPartition { topic, partition } = id;
        warn!(topic, partition, reason, "snapshot not stored, the next one is tried in its time");
    }

    fn tidy(&self, header: &Header, at: LogPosition) {
        let key = PartitionKey::of(header);
        if let Err(error) = self.store.retain(&key, self.keep, at) {
            info!(topic = key.topic, partition = key.partition, %error, "old snapshots not removed");
        }
    }
}
