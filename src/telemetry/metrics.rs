//! The metrics, each a field of one struct. Their names are an interface: never renamed lightly.

use super::partition::Partitions;
use super::process::ProcessMetrics;
use super::registration::Registration;
use super::{
    BuildInfo, CommitResult, PartitionMetrics, Rebalance, SnapshotRejection, SnapshotResult, Step,
    TransactionResult,
};
use crate::batch::{Judgement, Reason};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder};
use std::sync::Arc;

/// All metrics of the process. Cheap to update from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    process: ProcessMetrics,
    partitions: Arc<Partitions>,
    rejected: Vec<IntCounter>,
    dropped: Vec<IntCounter>,
    expectations: IntCounterVec,
    batch_seconds: Vec<Histogram>,
    commits: Vec<IntCounter>,
    rebalances: Vec<IntCounter>,
    transactions: Vec<IntCounter>,
    snapshots: Vec<IntCounter>,
    snapshots_rejected: Vec<IntCounter>,
    /// Records whose offsets were committed.
    pub records_consumed_total: IntCounter,
    /// Vectors acknowledged and committed.
    pub records_published_total: IntCounter,
    /// Records held back until the watermark passes them.
    pub records_held: IntGauge,
    /// Held records that were taken over with a partition.
    pub records_restored_held_total: IntCounter,
    /// Held records that were left with a partition to whoever has it next.
    pub records_handed_over_total: IntCounter,
    /// Records that only the complete JSON Schema validator could judge.
    pub slow_path_records_total: IntCounter,
    /// Kafka timestamp of a record to the acknowledgement of its vector.
    pub record_latency_seconds: Histogram,
    /// Memory of the keys' state.
    pub state_bytes: IntGauge,
    /// Keys with state.
    pub state_keys: IntGauge,
    /// Keys that gave way to others by the limits of the pipeline file, also while state is rebuilt.
    pub state_keys_evicted_total: IntCounter,
    /// Records folded again to rebuild state; they are not consumed again.
    pub replay_records_total: IntCounter,
    /// Records still to be folded again before all partitions are live.
    pub replay_remaining_records: IntGauge,
    /// Estimate of the seconds until they are.
    pub replay_remaining_seconds: IntGauge,
    /// Partitions assigned to this process.
    pub partitions_assigned: IntGauge,
    /// Assigned partitions that stopped for good: a person has to decide.
    pub partitions_stopped: IntGauge,
    /// Assigned partitions that make no progress although they have lag.
    pub partitions_stalled: IntGauge,
    /// 1 while a transient failure keeps the process from publishing.
    pub degraded: IntGauge,
    /// Partitions of the group that no member has; looked for where members are static.
    pub partitions_vacant: IntGauge,
    /// Transactions of this process that the broker refused because somebody took its place.
    pub zombie_fenced_total: IntCounter,
    /// Age of the newest snapshot of the assigned partition that has the oldest one.
    pub snapshot_age_seconds: IntGauge,
    /// Beginning of a snapshot to its place in the store.
    pub snapshot_seconds: Histogram,
    /// Bytes of the newest snapshots of the assigned partitions.
    pub snapshot_bytes: IntGauge,
    /// Replays whose digest differs from the committed one. Must stay 0.
    pub fold_divergence_total: IntCounter,
    /// Encoded messages of open commits; bounded by `commit_bytes` per worker.
    pub outbox_bytes: IntGauge,
    /// Messages handed to librdkafka and not yet acknowledged; bounded by its queue.
    pub producer_queue_messages: IntGauge,
    /// Errors that librdkafka reported, those it recovers from included.
    pub kafka_errors_total: IntCounter,
    /// 1 if certificates of brokers are not verified.
    pub tls_verification_disabled: IntGauge,
    /// Open connections to the metrics port.
    pub http_connections: IntGauge,
}

impl Metrics {
    /// Registers all metrics in a registry of their own.
    pub fn new(build: &BuildInfo<'_>) -> Self {
        let new = Registration { registry: Registry::new() };
        new.build_info(build);
        Self {
            rejected: new.counters("records_rejected_total", REJECTED, "reason", &reasons()),
            dropped: new.counters("records_dropped_total", DROPPED, "reason", &reasons()),
            expectations: new.counters_by_two(
                "expectations_total",
                EXPECTATIONS,
                ["expectation", "verdict"],
            ),
            batch_seconds: new.batch_seconds(),
            commits: new.counters("commits_total", COMMITS, "result", &CommitResult::NAMES),
            rebalances: new.counters("rebalances_total", REBALANCES, "kind", &Rebalance::NAMES),
            transactions: new.counters(
                "transactions_total",
                "Transactions by result.",
                "result",
                &TransactionResult::NAMES,
            ),
            snapshots: new.counters(
                "snapshots_total",
                "Snapshots by result.",
                "result",
                &SnapshotResult::NAMES,
            ),
            snapshots_rejected: new.counters(
                "snapshots_rejected_total",
                SNAPSHOTS_REJECTED,
                "reason",
                &SnapshotRejection::NAMES,
            ),
            partitions: Arc::new(Partitions::new(
                new.partition_gauges("consumer_lag_records", CONSUMER_LAG),
                new.partition_gauges("watermark_lag_seconds", WATERMARK_LAG),
                new.partition_numbers("expectation_observed", OBSERVED, "expectation"),
            )),
            records_consumed_total: new.counter("records_consumed_total", CONSUMED),
            records_published_total: new.counter("records_published_total", PUBLISHED),
            records_held: new.gauge("records_held", "Records held until the watermark passes."),
            records_restored_held_total: new
                .counter("records_restored_held_total", "Held records taken over with partitions."),
            records_handed_over_total: new
                .counter("records_handed_over_total", "Held records left with partitions."),
            slow_path_records_total: new.counter("slow_path_records_total", SLOW_PATH),
            record_latency_seconds: new.latency(),
            state_bytes: new.gauge("state_bytes", "Memory of the state of all keys."),
            state_keys: new.gauge("state_keys", "Keys that have state."),
            state_keys_evicted_total: new.counter("state_keys_evicted_total", EVICTED),
            replay_records_total: new.counter("replay_records_total", REPLAYED),
            replay_remaining_records: new.gauge("replay_remaining_records", REMAINING),
            replay_remaining_seconds: new.gauge("replay_remaining_seconds", REMAINING_TIME),
            partitions_assigned: new.gauge("partitions_assigned", "Partitions assigned here."),
            partitions_stopped: new.gauge("partitions_stopped", STOPPED),
            partitions_stalled: new.gauge("partitions_stalled", STALLED),
            partitions_vacant: new.gauge("partitions_vacant", VACANT),
            degraded: new.gauge("degraded", "1 while a transient failure holds publishing up."),
            zombie_fenced_total: new.counter("zombie_fenced_total", FENCED),
            snapshot_age_seconds: new.gauge("snapshot_age_seconds", SNAPSHOT_AGE),
            snapshot_seconds: new.snapshot_seconds(),
            snapshot_bytes: new.gauge("snapshot_bytes", "Bytes of the newest snapshots."),
            fold_divergence_total: new.counter("fold_divergence_total", DIVERGENCE),
            outbox_bytes: new.gauge("outbox_bytes", "Encoded messages of open commits."),
            producer_queue_messages: new.gauge("producer_queue_messages", PRODUCER_QUEUE),
            kafka_errors_total: new.counter("kafka_errors_total", "Errors that librdkafka saw."),
            tls_verification_disabled: new.gauge("tls_verification_disabled", TLS),
            http_connections: new.gauge("http_connections", "Open connections to this port."),
            process: ProcessMetrics::new(&new.registry),
            registry: new.registry,
        }
    }

    /// Records sent to the dead-letter topic for `reason`.
    pub fn records_rejected_total(&self, reason: Reason) -> &IntCounter {
        &self.rejected[reason as usize]
    }

    /// Records counted and not kept for `reason`.
    pub fn records_dropped_total(&self, reason: Reason) -> &IntCounter {
        &self.dropped[reason as usize]
    }

    /// Shows that these are expected, before any window was judged.
    pub fn expect<'e>(&self, expectations: impl IntoIterator<Item = &'e str>) {
        for expectation in expectations {
            for judgement in Judgement::ALL {
                self.expectations_total(expectation, judgement).inc_by(0);
            }
        }
    }

    /// Windows of all partitions that met the expectation of that name, or did not.
    pub fn expectations_total(&self, expectation: &str, judgement: Judgement) -> IntCounter {
        self.expectations.with_label_values(&[expectation, judgement.name()])
    }

    /// Time one batch spent in `step`.
    pub fn batch_seconds(&self, step: Step) -> &Histogram {
        &self.batch_seconds[step as usize]
    }

    /// Commits that ended with `result`.
    pub fn commits_total(&self, result: CommitResult) -> &IntCounter {
        &self.commits[result as usize]
    }

    /// Rebalances of this kind.
    pub fn rebalances_total(&self, kind: Rebalance) -> &IntCounter {
        &self.rebalances[kind as usize]
    }

    /// Transactions that ended with `result`.
    pub fn transactions_total(&self, result: TransactionResult) -> &IntCounter {
        &self.transactions[result as usize]
    }

    /// Snapshots whose writing ended with `result`.
    pub fn snapshots_total(&self, result: SnapshotResult) -> &IntCounter {
        &self.snapshots[result as usize]
    }

    /// Snapshots of the store that were not used for `reason`.
    pub fn snapshots_rejected_total(&self, reason: SnapshotRejection) -> &IntCounter {
        &self.snapshots_rejected[reason as usize]
    }

    /// The series of one partition. They are removed when the last handle is dropped.
    pub fn partition(&self, topic: &str, partition: i32) -> PartitionMetrics {
        Partitions::handle(&self.partitions, topic, partition)
    }

    /// The exposition in Prometheus' text format; figures of the process are read now.
    pub fn expose(&self) -> String {
        self.process.refresh();
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).expect("every family has samples and a name")
    }
}

const CONSUMED: &str = "Records whose offsets were committed.";
const PUBLISHED: &str = "Vectors acknowledged and committed.";
const REJECTED: &str = "Records sent to the dead-letter topic, by reason.";
const DROPPED: &str = "Records counted and not kept, by reason.";
const EXPECTATIONS: &str = "Windows by expectation and verdict.";
const OBSERVED: &str = "What was measured in the newest window, by expectation.";
const SLOW_PATH: &str = "Records that only the complete JSON Schema validator could judge.";
const EVICTED: &str = "Keys that lost their state to a limit before it had expired.";
const CONSUMER_LAG: &str = "Records between the position and the end of the partition.";
const WATERMARK_LAG: &str = "Kafka timestamp of the newest record less the watermark.";
const REPLAYED: &str = "Records folded again to rebuild state.";
const REMAINING: &str = "Records to fold again before all partitions are live.";
const REMAINING_TIME: &str = "Estimate of the time until all partitions are live.";
const COMMITS: &str = "Commits of offsets by result.";
const REBALANCES: &str = "Changes of the assignment by kind.";
const STOPPED: &str = "Assigned partitions that stopped until a person decides.";
const STALLED: &str = "Assigned partitions with lag and without progress.";
const VACANT: &str = "Partitions that no member of a group of static members has.";
const FENCED: &str = "Transactions refused because another process took over.";
const SNAPSHOT_AGE: &str = "Age of the oldest of the newest snapshots of the partitions.";
const SNAPSHOTS_REJECTED: &str = "Snapshots in the store that were not used, by reason.";
const DIVERGENCE: &str = "Replays whose digest differs from the committed one; must stay 0.";
const PRODUCER_QUEUE: &str = "Messages handed to the producer and not yet acknowledged.";
const TLS: &str = "1 if certificates of brokers are not verified.";

fn reasons() -> [&'static str; Reason::ALL.len()] {
    Reason::ALL.map(Reason::name)
}
