//! The metrics, each a field of one struct. Their names are an interface: never renamed lightly.

use super::PartitionMetrics;
use super::partition::Partitions;
use super::process::ProcessMetrics;
use crate::batch::Reason;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use std::sync::Arc;

/// A part of a batch's way that is timed. The label `step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes to columns.
    Decode,
    /// Rules and gates.
    Validate,
    /// Cleaning operators.
    Clean,
    /// Windows.
    Window,
    /// The vector's fields.
    Feature,
    /// Columns to messages.
    Encode,
    /// Handing messages to the producer and waiting for their acknowledgement.
    Send,
    /// Committing offsets.
    Commit,
}

impl Step {
    /// All steps in order.
    pub const ALL: [Self; 8] = [
        Self::Decode,
        Self::Validate,
        Self::Clean,
        Self::Window,
        Self::Feature,
        Self::Encode,
        Self::Send,
        Self::Commit,
    ];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Validate => "validate",
            Self::Clean => "clean",
            Self::Window => "window",
            Self::Feature => "feature",
            Self::Encode => "encode",
            Self::Send => "send",
            Self::Commit => "commit",
        }
    }
}

/// How a commit ended. The label `result` of `commits_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitResult {
    /// The broker has the offsets.
    Committed,
    /// The commit was refused; what it covered is sent again or taken over by another member.
    Failed,
}

impl CommitResult {
    const NAMES: [&str; 2] = ["committed", "failed"];
}

/// What happened to a partition. The label `kind` of `rebalances_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// Partitions were assigned.
    Assigned,
    /// Partitions were given back in order.
    Revoked,
    /// Partitions were taken away.
    Lost,
}

impl Rebalance {
    const NAMES: [&str; 3] = ["assigned", "revoked", "lost"];
}

/// The labels of `build_info`.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo<'a> {
    /// Version of the program.
    pub version: &'a str,
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Hash of its definition, as on the vectors.
    pub definition: &'a str,
}

/// All metrics of the process. Cheap to update from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    process: ProcessMetrics,
    partitions: Arc<Partitions>,
    rejected: Vec<IntCounter>,
    dropped: Vec<IntCounter>,
    batch_seconds: Vec<Histogram>,
    commits: Vec<IntCounter>,
    rebalances: Vec<IntCounter>,
    /// Records whose offsets were committed.
    pub records_consumed_total: IntCounter,
    /// Vectors acknowledged and committed.
    pub records_published_total: IntCounter,
    /// Records held back until the watermark passes them.
    pub records_held: IntGauge,
    /// Records that only the complete JSON Schema validator could judge.
    pub slow_path_records_total: IntCounter,
    /// Kafka timestamp of a record to the acknowledgement of its vector.
    pub record_latency_seconds: Histogram,
    /// Memory of the keys' state.
    pub state_bytes: IntGauge,
    /// Keys with state.
    pub state_keys: IntGauge,
    /// Records folded again to rebuild state; they are not consumed again.
    pub replay_records_total: IntCounter,
    /// Records still to be folded again before all partitions are live.
    pub replay_remaining_records: IntGauge,
    /// Partitions assigned to this process.
    pub partitions_assigned: IntGauge,
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
            batch_seconds: new.batch_seconds(),
            commits: new.counters(
                "commits_total",
                "Commits of offsets by result.",
                "result",
                &CommitResult::NAMES,
            ),
            rebalances: new.counters(
                "rebalances_total",
                "Changes of the assignment by kind.",
                "kind",
                &Rebalance::NAMES,
            ),
            partitions: Arc::new(Partitions::new(
                new.partition_gauges("consumer_lag_records", CONSUMER_LAG),
                new.partition_gauges("watermark_lag_seconds", WATERMARK_LAG),
            )),
            records_consumed_total: new.counter("records_consumed_total", CONSUMED),
            records_published_total: new.counter("records_published_total", PUBLISHED),
            records_held: new.gauge("records_held", "Records held until the watermark passes."),
            slow_path_records_total: new.counter("slow_path_records_total", SLOW_PATH),
            record_latency_seconds: new.latency(),
            state_bytes: new.gauge("state_bytes", "Memory of the state of all keys."),
            state_keys: new.gauge("state_keys", "Keys that have state."),
            replay_records_total: new.counter("replay_records_total", REPLAYED),
            replay_remaining_records: new.gauge("replay_remaining_records", REMAINING),
            partitions_assigned: new.gauge("partitions_assigned", "Partitions assigned here."),
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
const SLOW_PATH: &str = "Records that only the complete JSON Schema validator could judge.";
const CONSUMER_LAG: &str = "Records between the position and the end of the partition.";
const WATERMARK_LAG: &str = "Kafka timestamp of the newest record less the watermark.";
const REPLAYED: &str = "Records folded again to rebuild state.";
const REMAINING: &str = "Records to fold again before all partitions are live.";
const DIVERGENCE: &str = "Replays whose digest differs from the committed one; must stay 0.";
const PRODUCER_QUEUE: &str = "Messages handed to the producer and not yet acknowledged.";
const TLS: &str = "1 if certificates of brokers are not verified.";

const BATCH_BUCKETS: [f64; 13] =
    [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
const LATENCY_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

fn reasons() -> [&'static str; Reason::ALL.len()] {
    Reason::ALL.map(Reason::name)
}

/// Makes metrics and registers them. Names and labels are constants, so nothing here can fail
/// that a test would not have seen.
struct Registration {
    registry: Registry,
}

impl Registration {
    fn add<C: Collector + Clone + 'static>(&self, metric: prometheus::Result<C>) -> C {
        let metric = metric.expect("a valid name and help");
        self.registry.register(Box::new(metric.clone())).expect("a name of its own");
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::with_opts(opts(name, help)))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::with_opts(opts(name, help)))
    }

    /// One counter per label value, in the order of `values`.
    fn counters(&self, name: &str, help: &str, label: &str, values: &[&str]) -> Vec<IntCounter> {
        let family = self.add(IntCounterVec::new(opts(name, help), &[label]));
        values.iter().map(|value| family.with_label_values(&[value])).collect()
    }

    fn partition_gauges(&self, name: &str, help: &str) -> IntGaugeVec {
        self.add(IntGaugeVec::new(opts(name, help), &["topic", "partition"]))
    }

    fn batch_seconds(&self) -> Vec<Histogram> {
        let help = "Time a batch spent in a step.";
        let opts = HistogramOpts::new("batch_seconds", help).namespace(NAMESPACE);
        let opts = opts.buckets(BATCH_BUCKETS.to_vec());
        let family = self.add(HistogramVec::new(opts, &["step"]));
        Step::ALL.iter().map(|step| family.with_label_values(&[step.name()])).collect()
    }

    fn latency(&self) -> Histogram {
        let help = "Kafka timestamp of a record to the acknowledgement of its vector.";
        let opts = HistogramOpts::new("record_latency_seconds", help).namespace(NAMESPACE);
        self.add(Histogram::with_opts(opts.buckets(LATENCY_BUCKETS.to_vec())))
    }

    fn build_info(&self, build: &BuildInfo<'_>) {
        let opts = opts("build_info", "What is running: always 1.");
        let info = self.add(IntGaugeVec::new(opts, &["version", "pipeline", "definition"]));
        info.with_label_values(&[build.version, build.pipeline, build.definition]).set(1);
    }
}

const NAMESPACE: &str = "millstream";

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}
