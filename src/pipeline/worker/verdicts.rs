//! What a worker tells of expectations beside their messages.

use super::partition::Partition;
use crate::{
    batch::Judgement,
    kafka::TopicPartition,
    pipeline::Totals,
    telemetry::{Metrics, PartitionMetrics},
};
use tracing::warn;

/// Verdicts stand. A line for each expectation that was not met, whatever the number of windows; what
/// was measured is not in it.
pub(super) fn tell(
    partition: &Partition,
    totals: &Totals,
    metrics: &Metrics,
    series: Option<&PartitionMetrics>,
) {
    let TopicPartition { topic, partition: number } = &partition.id;
    let expectations = partition.expectations();
    for (index, judgement, windows) in totals.verdicts.iter() {
        let expectation = expectations[index].name.as_str();
        metrics.expectations_total(expectation, judgement).inc_by(windows);
        if judgement == Judgement::Failed {
            let severity = expectations[index].severity.name();
            warn!(topic, partition = number, expectation, severity, windows, "expectation not met");
        }
    }
    let Some(series) = series else { return };
    for (index, value) in totals.verdicts.observed() {
        series.observed(&expectations[index].name, value);
    }
}
