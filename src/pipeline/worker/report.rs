//! What a worker tells the world: metrics, health, and its own sums. Per batch and per commit,
//! never per record.

use super::{
    Stop,
    held::HeldRecords,
    partition::{Partition, Replayed},
    progress, verdicts,
};
use crate::{
    batch::{Outbox, Reason, Target},
    kafka::TopicPartition,
    pipeline::{
        Part, Totals, clock,
        protocol::{Phase, Protocol},
    },
    telemetry::{
        CommitResult, Health, Metrics, PartitionMetrics, PartitionState, Rebalance, Step,
        TransactionResult,
    },
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tracing::{error, info};

/// What a worker did, once it has ended.
#[derive(Debug, Clone, Default)]
pub struct WorkerSummary {
    /// Outcomes of the records whose offsets it committed.
    pub totals: Totals,
    /// Records it folded again to rebuild state.
    pub replayed: u64,
}

/// Counters that the supervisor looks at.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Records whose offsets are committed.
    pub consumed: Arc<AtomicU64>,
    /// Of these, records that went to the dead-letter topic.
    pub rejected: Arc<AtomicU64>,
    /// Of these, records that were counted and let go.
    pub dropped: Arc<AtomicU64>,
    /// Partitions that are folded and committed up to the end of their log.
    pub at_end: Arc<AtomicU64>,
    /// Partitions that stopped and wait for a person.
    pub stopped: Arc<AtomicU64>,
}

/// A worker's voice.
pub struct Report {
    worker: usize,
    pub(super) metrics: Arc<Metrics>,
    health: Arc<Health>,
    progress: Progress,
    /// The assigned ones; their gauges once they have begun.
    partitions: BTreeMap<TopicPartition, Option<PartitionMetrics>>,
    pub(super) held: HeldRecords,
    summary: WorkerSummary,
    gauges: Gauges,
    under_way: i64,
    degraded: bool,
    snapshots: (Option<Duration>, u64),
}

/// What a worker shows of itself.
pub(super) struct View<'w> {
    pub(super) protocol: &'w Protocol<TopicPartition>,
    pub(super) outbox: &'w Outbox,
    /// Partitions that stopped.
    pub(super) stopped: usize,
    /// Errors that the clients reported.
    pub(super) client_errors: u64,
}

/// This worker's share of gauges that all workers add up in.
#[derive(Debug, Default)]
struct Gauges {
    at_end: u64,
    stopped: u64,
    state_bytes: i64,
    state_keys: i64,
    outbox_bytes: i64,
    replay_remaining: i64,
    replay_seconds: i64,
    stalled: i64,
    snapshot_bytes: i64,
    slow_path: u64,
    evicted: u64,
    client_errors: u64,
}

impl Report {
    /// The voice of worker `worker`.
    pub fn new(
        worker: usize,
        metrics: &Arc<Metrics>,
        health: &Arc<Health>,
        progress: &Progress,
    ) -> Self {
        Self {
            worker,
            metrics: Arc::clone(metrics),
            health: Arc::clone(health),
            progress: progress.clone(),
            partitions: BTreeMap::new(),
            held: HeldRecords::default(),
            summary: WorkerSummary::default(),
            gauges: Gauges::default(),
            under_way: 0,
            degraded: false,
            snapshots: (None, 0),
        }
    }

    /// Number of the worker.
    pub(super) fn worker(&self) -> usize {
        self.worker
    }

    /// What the worker did so far.
    pub(super) fn summary(&self) -> WorkerSummary {
        self.summary.clone()
    }

    pub(super) fn assigned(&mut self, partitions: &[TopicPartition]) {
        self.metrics.rebalances_total(Rebalance::Assigned).inc();
        self.health.set_joined(self.worker, true);
        for id in partitions {
            self.partitions.insert(id.clone(), None);
            self.health.set_partition(&id.topic, id.partition, PartitionState::Replaying(None));
        }
        self.count_partitions(partitions.len(), true);
    }

    pub(super) fn revoked(&mut self, partitions: &[TopicPartition], lost: bool) {
        let kind = if lost { Rebalance::Lost } else { Rebalance::Revoked };
        self.metrics.rebalances_total(kind).inc();
        let mut gone = 0;
        for id in partitions {
            gone += usize::from(self.partitions.remove(id).is_some());
            self.held.hands_over(id, &self.metrics);
            self.health.remove_partition(&id.topic, id.partition);
        }
        self.count_partitions(gone, false);
    }

    fn count_partitions(&self, count: usize, more: bool) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.partitions_assigned.add(if more { count } else { -count });
    }

    pub(super) fn left(&mut self) {
        let partitions: Vec<TopicPartition> = self.partitions.keys().cloned().collect();
        self.revoked(&partitions, false);
        self.health.set_joined(self.worker, false);
    }

    pub(super) fn stopped(&self, id: &TopicPartition, stop: &Stop) {
        let TopicPartition { topic, partition } = id;
        let code = stop.code();
        error!(topic, partition, code, reason = %stop, "partition stopped");
        let reason = format!("{code}: {stop}");
        self.health.set_partition(topic, *partition, PartitionState::Failed(reason));
    }

    /// A partition begins: from now on it has a lag to show. One whose place is still being asked
    /// for has none, and a zero would be taken for one that is at its end.
    pub(super) fn begins(&mut self, id: &TopicPartition, lag: i64) {
        let Some(series) = self.partitions.get_mut(id) else { return };
        let series = series.get_or_insert_with(|| self.metrics.partition(&id.topic, id.partition));
        series.consumer_lag_records.set(lag);
    }

    /// A partition is being rebuilt.
    pub(super) fn rebuilds(&self, id: &TopicPartition, from: i64, until: i64) {
        let TopicPartition { topic, partition } = id;
        let records = until - from;
        info!(topic, partition, from, until, records, "rebuilding");
        let left = u64::try_from(records).ok();
        self.health.set_partition(topic, *partition, PartitionState::Replaying(left));
    }

    /// A partition begins with the state that was committed.
    pub(super) fn replay_ended_at_once(&self, partition: &Partition, offset: i64) {
        let TopicPartition { topic, partition: number } = &partition.id;
        let snapshot = partition.snapshot.is_some();
        info!(topic, partition = number, offset, snapshot, "live");
        self.health.set_partition(topic, *number, PartitionState::Live);
    }

    pub(super) fn replayed_records(&mut self, records: i64) {
        let records = u64::try_from(records).unwrap_or_default();
        self.metrics.replay_records_total.inc_by(records);
        self.summary.replayed += records;
    }

    /// The newest snapshots: the greatest age, and all their bytes.
    pub(super) fn snapshots(&mut self, figures: (Option<Duration>, u64)) {
        self.snapshots = figures;
    }

    /// Why nothing goes on for the moment, if so.
    pub(super) fn trouble(&mut self, reason: Option<&str>) {
        if self.degraded != reason.is_some() {
            self.degraded = reason.is_some();
            self.metrics.degraded.add(if self.degraded { 1 } else { -1 });
        }
        self.health.set_degraded(self.worker, reason);
    }

    /// This worker was kept from committing what is not its own any more.
    pub(super) fn fenced(&self) {
        self.metrics.zombie_fenced_total.inc();
    }

    /// How a transaction ended.
    pub(super) fn transaction(&self, result: TransactionResult) {
        self.metrics.transactions_total(result).inc();
    }

    pub(super) fn replay_ended(&self, partition: &mut Partition, offset: i64) {
        partition.replaying = None;
        partition.reconcile();
        let TopicPartition { topic, partition: number } = &partition.id;
        match partition.verify() {
            Replayed::Equal => {
                info!(topic, partition = number, offset, "rebuilt, state verified");
            }
            Replayed::Unverifiable => info!(topic, partition = number, offset, "rebuilt"),
            Replayed::Diverged => {
                self.metrics.fold_divergence_total.inc();
                error!(
                    topic,
                    partition = number,
                    offset,
                    "the rebuilt state differs from the committed one: the program, its platform or \
                     the log has changed; values may differ from those published before"
                );
            }
        }
        self.health.set_partition(topic, *number, PartitionState::Live);
    }

    /// Times the parts of a fold, one after the other from now on.
    pub(super) fn stopwatch(&self) -> impl FnMut(Part) + use<'_> {
        let mut started = clock::instant();
        move |part| {
            let step = match part {
                Part::Decode => Step::Decode,
                Part::Validate => Step::Validate,
                Part::Clean => Step::Clean,
                Part::Window => Step::Window,
            };
            self.took(step, started.elapsed());
            started = clock::instant();
        }
    }

    /// Notes how long a step took.
    pub(super) fn took(&self, step: Step, time: Duration) {
        self.metrics.batch_seconds(step).observe(time.as_secs_f64());
    }

    /// So many messages are with the producer and not acknowledged.
    pub(super) fn under_way(&mut self, messages: usize) {
        let now = i64::try_from(messages).unwrap_or(i64::MAX);
        let before = std::mem::replace(&mut self.under_way, now);
        self.metrics.producer_queue_messages.add(now - before);
    }

    /// Offsets of a partition stand, and with them these outcomes.
    pub(super) fn committed(&mut self, partition: &Partition, totals: &Totals) {
        let series = self.partitions.get(&partition.id).and_then(Option::as_ref);
        verdicts::tell(partition, totals, &self.metrics, series);
        self.summary.totals += totals;
        self.progress.rejected.fetch_add(totals.rejected.sum(), Ordering::Relaxed);
        self.progress.dropped.fetch_add(totals.dropped.sum(), Ordering::Relaxed);
        self.progress.consumed.fetch_add(totals.consumed, Ordering::Relaxed);
        self.metrics.records_consumed_total.inc_by(totals.consumed);
        self.metrics.records_published_total.inc_by(totals.published);
        for reason in Reason::ALL {
            let (rejected, dropped) = (totals.rejected.get(reason), totals.dropped.get(reason));
            self.metrics.records_rejected_total(reason).inc_by(rejected);
            self.metrics.records_dropped_total(reason).inc_by(dropped);
        }
    }

    pub(super) fn commit(&self, result: CommitResult) {
        self.metrics.commits_total(result).inc();
    }

    /// Everything in the outbox is acknowledged now.
    pub(super) fn latencies(&self, outbox: &Outbox) {
        let now_ms = clock::now_ms();
        let histogram = self.metrics.record_latency_seconds.local();
        for message in outbox.iter().filter(|m| m.parts.target == Target::Output) {
            if let Some(timestamp_ms) = message.parts.timestamp_ms {
                histogram.observe((now_ms - timestamp_ms).max(0) as f64 / 1e3);
            }
        }
        histogram.flush();
    }

    /// Brings the gauges up to date: once per commit, and while idle.
    pub(super) fn refresh(
        &mut self,
        partitions: &mut BTreeMap<TopicPartition, Partition>,
        view: &View<'_>,
    ) {
        let mut next = Gauges {
            outbox_bytes: i64::try_from(view.outbox.bytes_len()).unwrap_or(i64::MAX),
            client_errors: view.client_errors,
            stopped: view.stopped as u64,
            snapshot_bytes: i64::try_from(self.snapshots.1).unwrap_or(i64::MAX),
            ..Gauges::default()
        };
        self.held.keep(partitions, &self.metrics);
        for partition in partitions.values_mut() {
            self.gauges_of(partition, view.protocol, &mut next);
        }
        self.publish(next);
    }

    fn gauges_of(
        &self,
        partition: &mut Partition,
        protocol: &Protocol<TopicPartition>,
        next: &mut Gauges,
    ) {
        let id = &partition.id;
        let at = protocol.next(id).unwrap_or_default();
        let committed = protocol.committed(id).unwrap_or_default();
        let lag = partition.lag(committed);
        match protocol.phase(id) {
            Some(Phase::Live) => {
                next.at_end += u64::from(at >= partition.end && protocol.is_committed(id));
            }
            Some(Phase::Replaying { until }) => {
                next.replay_remaining += (until - at).max(0);
                next.replay_seconds =
                    next.replay_seconds.max(progress::seconds_left(partition, at, until));
                let left = u64::try_from(until - at).ok();
                let state = PartitionState::Replaying(left);
                self.health.set_partition(&id.topic, id.partition, state);
            }
            Some(Phase::Asked) | None => {}
        }
        next.stalled += i64::from(progress::is_stalled(partition, at, lag));
        let fold = partition.fold();
        next.state_bytes += i64::try_from(fold.state_bytes()).unwrap_or(i64::MAX);
        next.state_keys += i64::try_from(fold.state_keys()).unwrap_or(i64::MAX);
        next.slow_path += fold.slow_path_records();
        next.evicted += fold.evicted_keys();
        let Some(Some(series)) = self.partitions.get(&partition.id) else { return };
        series.consumer_lag_records.set(lag);
        if let (Some(watermark), Some(newest_ms)) =
            (fold.watermark(), partition.newest_timestamp_ms)
        {
            series.watermark_lag_seconds.set((newest_ms - watermark / 1_000).max(0) / 1_000);
        }
    }

    fn publish(&mut self, next: Gauges) {
        let before = std::mem::replace(&mut self.gauges, next);
        let now = &self.gauges;
        let metrics = &self.metrics;
        metrics.state_bytes.add(now.state_bytes - before.state_bytes);
        metrics.state_keys.add(now.state_keys - before.state_keys);
        metrics.outbox_bytes.add(now.outbox_bytes - before.outbox_bytes);
        metrics.replay_remaining_records.add(now.replay_remaining - before.replay_remaining);
        metrics.replay_remaining_seconds.add(now.replay_seconds - before.replay_seconds);
        metrics.partitions_stalled.add(now.stalled - before.stalled);
        metrics.snapshot_bytes.add(now.snapshot_bytes - before.snapshot_bytes);
        if let Some(age) = self.snapshots.0 {
            metrics.snapshot_age_seconds.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        }
        // A fold that goes takes its counts with it; the metrics keep them.
        let slow = now.slow_path.saturating_sub(before.slow_path);
        metrics.slow_path_records_total.inc_by(slow);
        metrics.state_keys_evicted_total.inc_by(now.evicted.saturating_sub(before.evicted));
        let errors = now.client_errors.saturating_sub(before.client_errors);
        metrics.kafka_errors_total.inc_by(errors);
        let at_end = &self.progress.at_end;
        at_end.fetch_add(now.at_end, Ordering::Relaxed);
        at_end.fetch_sub(before.at_end, Ordering::Relaxed);
        let more = now.stopped.cast_signed() - before.stopped.cast_signed();
        metrics.partitions_stopped.add(more);
        let stopped = &self.progress.stopped;
        stopped.fetch_add(now.stopped, Ordering::Relaxed);
        stopped.fetch_sub(before.stopped, Ordering::Relaxed);
    }
}
