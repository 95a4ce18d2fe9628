//! How a metric is made: namespace, buckets, one child per label value.

use super::{BuildInfo, Step};
use prometheus::core::Collector;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

const BATCH_BUCKETS: [f64; 13] =
    [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];
const LATENCY_BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

const SNAPSHOT_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Makes metrics and registers them. Names and labels are constants, so nothing here can fail
/// that a test would not have seen.
pub(super) struct Registration {
    /// Where they are registered.
    pub(super) registry: Registry,
}

impl Registration {
    fn add<C: Collector + Clone + 'static>(&self, metric: prometheus::Result<C>) -> C {
        let metric = metric.expect("a valid name and help");
        self.registry.register(Box::new(metric.clone())).expect("a name of its own");
        metric
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::with_opts(opts(name, help)))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::with_opts(opts(name, help)))
    }

    /// One counter per label value, in the order of `values`.
    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: &[&str],
    ) -> Vec<IntCounter> {
        let family = self.add(IntCounterVec::new(opts(name, help), &[label]));
        values.iter().map(|value| family.with_label_values(&[value])).collect()
    }

    /// Counters by two labels, made as they are asked for.
    pub(super) fn counters_by_two(
        &self,
        name: &str,
        help: &str,
        labels: [&str; 2],
    ) -> IntCounterVec {
        self.add(IntCounterVec::new(opts(name, help), &labels))
    }

    /// Numbers by partition and something else, made as they are asked for.
    pub(super) fn partition_numbers(&self, name: &str, help: &str, label: &str) -> GaugeVec {
        self.add(GaugeVec::new(opts(name, help), &["topic", "partition", label]))
    }

    pub(super) fn partition_gauges(&self, name: &str, help: &str) -> IntGaugeVec {
        self.add(IntGaugeVec::new(opts(name, help), &["topic", "partition"]))
    }

    pub(super) fn batch_seconds(&self) -> Vec<Histogram> {
        let help = "Time a batch spent in a step.";
        let opts = HistogramOpts::new("batch_seconds", help).namespace(NAMESPACE);
        let opts = opts.buckets(BATCH_BUCKETS.to_vec());
        let family = self.add(HistogramVec::new(opts, &["step"]));
        Step::ALL.iter().map(|step| family.with_label_values(&[step.name()])).collect()
    }

    pub(super) fn latency(&self) -> Histogram {
        let help = "Kafka timestamp of a record to the acknowledgement of its vector.";
        let opts = HistogramOpts::new("record_latency_seconds", help).namespace(NAMESPACE);
        self.add(Histogram::with_opts(opts.buckets(LATENCY_BUCKETS.to_vec())))
    }

    pub(super) fn snapshot_seconds(&self) -> Histogram {
        let help = "Beginning of a snapshot to its place in the store.";
        let opts = HistogramOpts::new("snapshot_seconds", help).namespace(NAMESPACE);
        self.add(Histogram::with_opts(opts.buckets(SNAPSHOT_BUCKETS.to_vec())))
    }

    pub(super) fn build_info(&self, build: &BuildInfo<'_>) {
        let opts = opts("build_info", "What is running: always 1.");
        let info = self.add(IntGaugeVec::new(opts, &["version", "pipeline", "definition"]));
        info.with_label_values(&[build.version, build.pipeline, build.definition]).set(1);
    }
}

const NAMESPACE: &str = "millstream";

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}
