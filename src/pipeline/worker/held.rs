//! Records that wait for the watermark, as the metrics show them: counted when offsets commit, as all
//! outcomes are, so that `consumed + restored_held = published + rejected + dropped + held +
//! handed_over` holds on every page.

use super::{Report, partition::Partition};
use crate::{kafka::TopicPartition, telemetry::Metrics};
use std::collections::BTreeMap;

/// Held records of each partition at its committed position.
#[derive(Debug, Default)]
pub(super) struct HeldRecords(BTreeMap<TopicPartition, u64>);

impl HeldRecords {
    /// A partition is taken with so many.
    pub(super) fn takes(&mut self, id: &TopicPartition, held: u64, metrics: &Metrics) {
        self.hands_over(id, metrics);
        metrics.records_restored_held_total.inc_by(held);
        self.set(id, held, metrics);
    }

    /// So many are held now.
    pub(super) fn set(&mut self, id: &TopicPartition, held: u64, metrics: &Metrics) {
        let before = self.0.insert(id.clone(), held).unwrap_or_default();
        metrics.records_held.add(held.cast_signed() - before.cast_signed());
    }

    /// They are left to whoever has the partition next.
    pub(super) fn hands_over(&mut self, id: &TopicPartition, metrics: &Metrics) {
        let Some(held) = self.0.remove(id) else { return };
        metrics.records_held.sub(held.cast_signed());
        metrics.records_handed_over_total.inc_by(held);
    }

    /// Partitions that are not among these any more are left to others.
    pub(super) fn keep(
        &mut self,
        partitions: &BTreeMap<TopicPartition, Partition>,
        metrics: &Metrics,
    ) {
        let gone = self.0.keys().filter(|id| !partitions.contains_key(*id)).cloned();
        for id in gone.collect::<Vec<_>>() {
            self.hands_over(&id, metrics);
        }
    }
}

impl Report {
    /// A partition is taken with so many records that wait for the watermark.
    pub(super) fn takes(&mut self, id: &TopicPartition, held: u64) {
        self.held.takes(id, held, &self.metrics);
    }

    /// So many records wait for the watermark at a partition's committed position.
    pub(super) fn held(&mut self, id: &TopicPartition, held: u64) {
        self.held.set(id, held, &self.metrics);
    }
}
