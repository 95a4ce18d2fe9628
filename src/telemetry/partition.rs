//! Series per partition, removed when the partition leaves.

use prometheus::{GaugeVec, IntGauge, IntGaugeVec};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The gauges of one assigned partition. Its series vanish with the last handle.
#[derive(Debug)]
pub struct PartitionMetrics {
    /// Records between the position and the end of the partition.
    pub consumer_lag_records: IntGauge,
    /// Kafka timestamp of the newest record less the watermark.
    pub watermark_lag_seconds: IntGauge,
    topic: String,
    partition: i32,
    all: Arc<Partitions>,
}

impl PartitionMetrics {
    /// Shows what was measured for an expectation in the newest window.
    pub fn observed(&self, expectation: &str, value: f64) {
        self.all.observed(&self.topic, self.partition, expectation, value);
    }
}

impl Drop for PartitionMetrics {
    fn drop(&mut self) {
        self.all.release(&self.topic, self.partition);
    }
}

/// The gauges by partition, and how many handles each has: within one process a partition may
/// reach its next worker before the last one lets go.
#[derive(Debug)]
pub(super) struct Partitions {
    consumer_lag: IntGaugeVec,
    watermark_lag: IntGaugeVec,
    observed: GaugeVec,
    handles: Mutex<BTreeMap<(String, i32), Handles>>,
}

/// How many handles a partition has, and the expectations that it shows.
#[derive(Debug, Default)]
struct Handles {
    count: usize,
    expectations: BTreeSet<String>,
}

impl Partitions {
    pub(super) fn new(
        consumer_lag: IntGaugeVec,
        watermark_lag: IntGaugeVec,
        observed: GaugeVec,
    ) -> Self {
        Self { consumer_lag, watermark_lag, observed, handles: Mutex::default() }
    }

    pub(super) fn handle(all: &Arc<Self>, topic: &str, partition: i32) -> PartitionMetrics {
        let number = partition.to_string();
        let mut handles = all.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.entry((topic.to_owned(), partition)).or_default().count += 1;
        PartitionMetrics {
            consumer_lag_records: all.consumer_lag.with_label_values(&[topic, &number]),
            watermark_lag_seconds: all.watermark_lag.with_label_values(&[topic, &number]),
            topic: topic.to_owned(),
            partition,
            all: Arc::clone(all),
        }
    }

    fn observed(&self, topic: &str, partition: i32, expectation: &str, value: f64) {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(handles) = handles.get_mut(&(topic.to_owned(), partition)) else { return };
        if !handles.expectations.contains(expectation) {
            handles.expectations.insert(expectation.to_owned());
        }
        let number = partition.to_string();
        self.observed.with_label_values(&[topic, &number, expectation]).set(value);
    }

    fn release(&self, topic: &str, partition: i32) {
        let key = (topic.to_owned(), partition);
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = handles.get_mut(&key) else { return };
        held.count -= 1;
        if held.count > 0 {
            return;
        }
        let gone = handles.remove(&key).unwrap_or_default();
        let number = partition.to_string();
        for family in [&self.consumer_lag, &self.watermark_lag] {
            family
                .remove_label_values(&[topic, &number])
                .expect("the series exists while it has a handle");
        }
        for expectation in gone.expectations {
            self.observed
                .remove_label_values(&[topic, &number, &expectation])
                .expect("the series exists while it has a handle");
        }
    }
}
