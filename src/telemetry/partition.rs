//! Series per partition, removed when the partition leaves.

use prometheus::{IntGauge, IntGaugeVec};
use std::collections::BTreeMap;
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
    handles: Mutex<BTreeMap<(String, i32), usize>>,
}

impl Partitions {
    pub(super) fn new(consumer_lag: IntGaugeVec, watermark_lag: IntGaugeVec) -> Self {
        Self { consumer_lag, watermark_lag, handles: Mutex::default() }
    }

    pub(super) fn handle(all: &Arc<Self>, topic: &str, partition: i32) -> PartitionMetrics {
        let number = partition.to_string();
        let mut handles = all.handles.lock().unwrap_or_else(PoisonError::into_inner);
        *handles.entry((topic.to_owned(), partition)).or_default() += 1;
        PartitionMetrics {
            consumer_lag_records: all.consumer_lag.with_label_values(&[topic, &number]),
            watermark_lag_seconds: all.watermark_lag.with_label_values(&[topic, &number]),
            topic: topic.to_owned(),
            partition,
            all: Arc::clone(all),
        }
    }

    fn release(&self, topic: &str, partition: i32) {
        let key = (topic.to_owned(), partition);
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = handles.get_mut(&key) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        handles.remove(&key);
        let number = partition.to_string();
        for family in [&self.consumer_lag, &self.watermark_lag] {
            family
                .remove_label_values(&[topic, &number])
                .expect("the series exists while it has a handle");
        }
    }
}
