//! How fast a partition goes on, and whether it does.

use super::partition::Partition;
use crate::{kafka::TopicPartition, pipeline::clock};
use std::time::Duration;
use tracing::warn;

/// Records that wait for so long while nothing moves: something is wrong.
const STALLED_AFTER: Duration = Duration::from_secs(30);

/// Seconds until a replay is done, at the pace so far.
pub(super) fn seconds_left(partition: &Partition, at: i64, until: i64) -> i64 {
    let Some((since, from)) = partition.replaying else { return 0 };
    let pace = (at - from).max(1) as f64 / since.elapsed().as_secs_f64().max(0.001);
    #[expect(clippy::cast_possible_truncation, reason = "an estimate, saturating")]
    let seconds = ((until - at).max(0) as f64 / pace).ceil() as i64;
    seconds
}

/// True if records wait and nothing has moved for long.
pub(super) fn is_stalled(partition: &mut Partition, at: i64, lag: i64) -> bool {
    match partition.waiting_since {
        Some((since, before)) if lag > 0 && before == at => {
            let stalled = since.elapsed() >= STALLED_AFTER;
            if stalled && !partition.stalled {
                let TopicPartition { topic, partition: number } = &partition.id;
                let replaying = partition.replaying.is_some();
                warn!(topic, partition = number, offset = at, lag, replaying, "no progress");
            }
            partition.stalled = stalled;
            stalled
        }
        _ => {
            partition.waiting_since = (lag > 0).then(|| (clock::instant(), at));
            partition.stalled = false;
            false
        }
    }
}
