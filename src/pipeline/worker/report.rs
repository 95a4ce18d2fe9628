//! What a worker tells the world: metrics, health, and its own sums. Per batch and per commit,
//! never per record.

use super::{Partition, Phase, Replayed, Stop};
use crate::{
    batch::{Outbox, Reason, Target},
    kafka::TopicPartition,
    pipeline::{Part, Totals, clock},
    telemetry::{CommitResult, Health, Metrics, PartitionMetrics, PartitionState, Rebalance, Step},
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
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    progress: Progress,
    partitions: BTreeMap<TopicPartition, PartitionMetrics>,
    summary: WorkerSummary,
    gauges: Gauges,
    under_way: i64,
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
    slow_path: u64,
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
            summary: WorkerSummary::default(),
            gauges: Gauges::default(),
            under_way: 0,
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
            let series = self.metrics.partition(&id.topic, id.partition);
            self.partitions.insert(id.clone(), series);
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

    /// A partition begins, either at once or with a replay.
    pub(super) fn begins(&self, partition: &Partition) {
        let TopicPartition { topic, partition: number } = &partition.id;
        if let Phase::Replaying { until, .. } = partition.phase {
            let records = until - partition.next;
            info!(topic, partition = number, from = partition.next, until, records, "rebuilding");
            let left = u64::try_from(records).ok();
            self.health.set_partition(topic, *number, PartitionState::Replaying(left));
        } else {
            info!(topic, partition = number, offset = partition.next, "live");
            self.health.set_partition(topic, *number, PartitionState::Live);
        }
    }

    pub(super) fn replayed_records(&mut self, records: usize) {
        self.metrics.replay_records_total.inc_by(records as u64);
        self.summary.replayed += records as u64;
    }

    pub(super) fn replay_ended(&self, partition: &Partition, result: Replayed) {
        let TopicPartition { topic, partition: number } = &partition.id;
        match result {
            Replayed::Equal => {
                info!(
                    topic,
                    partition = number,
                    offset = partition.next,
                    "rebuilt, state verified"
                );
            }
            Replayed::Unverifiable => {
                info!(topic, partition = number, offset = partition.next, "rebuilt");
            }
            Replayed::Diverged => {
                self.metrics.fold_divergence_total.inc();
                error!(
                    topic,
                    partition = number,
                    offset = partition.next,
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

    /// Offsets stand, and with them these outcomes.
    pub(super) fn committed(&mut self, totals: &Totals) {
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
        partitions: &BTreeMap<TopicPartition, Partition>,
        (outbox, stopped): (&Outbox, usize),
        client_errors: u64,
    ) {
        let mut next = Gauges {
            outbox_bytes: i64::try_from(outbox.bytes_len()).unwrap_or(i64::MAX),
            client_errors,
            stopped: stopped as u64,
            ..Gauges::default()
        };
        for partition in partitions.values() {
            let fold = partition.fold();
            next.at_end += u64::from(partition.at_end());
            next.state_bytes += i64::try_from(fold.state_bytes()).unwrap_or(i64::MAX);
            next.state_keys += i64::try_from(fold.state_keys()).unwrap_or(i64::MAX);
            next.replay_remaining += partition.replay_remaining();
            next.slow_path += fold.slow_path_records();
            self.partition_gauges(partition);
        }
        self.publish(next);
    }

    fn partition_gauges(&self, partition: &Partition) {
        let Some(series) = self.partitions.get(&partition.id) else { return };
        series.consumer_lag_records.set(partition.lag());
        if let (Some(watermark), Some(newest_ms)) =
            (partition.fold().watermark(), partition.newest_timestamp_ms)
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
        // A fold that goes takes its count with it; the metric keeps it.
        let slow = now.slow_path.saturating_sub(before.slow_path);
        metrics.slow_path_records_total.inc_by(slow);
        let errors = now.client_errors.saturating_sub(before.client_errors);
        metrics.kafka_errors_total.inc_by(errors);
        let at_end = &self.progress.at_end;
        at_end.fetch_add(now.at_end, Ordering::Relaxed);
        at_end.fetch_sub(before.at_end, Ordering::Relaxed);
        let stopped = &self.progress.stopped;
        stopped.fetch_add(now.stopped, Ordering::Relaxed);
        stopped.fetch_sub(before.stopped, Ordering::Relaxed);
    }
}
