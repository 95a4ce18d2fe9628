//! Records that the fold panics on: the partition is folded again, one record at a time where it
//! panicked, until it is known which record it was. Then the partition stops.

use super::{Stop, Worker, WorkerError};
use crate::{
    kafka::{Notice, TopicPartition},
    state::snapshot::OffsetRange,
};
use tracing::warn;

/// What a slice brought beside records.
#[derive(Debug)]
pub(super) enum Event {
    /// The queue told something.
    Notice(Notice),
    /// Folding these offsets panicked.
    Panicked(OffsetRange),
    /// Releasing the held records, of which these offsets are the first, panicked.
    TickPanicked(OffsetRange),
    /// The log has another record at this offset than the one that was folded.
    Rewritten(i64),
}

impl Worker {
    /// The fold of a partition is not to be trusted any more, nor are its messages: they leave the
    /// outbox, and with them goes the open transaction.
    pub(super) fn fold_failed(
        &mut self,
        id: &TopicPartition,
        range: OffsetRange,
    ) -> Result<(), WorkerError> {
        let is_first = self.suspects.insert(id.clone(), range).is_none();
        let OffsetRange { from, to } = range;
        if is_first && to - from > 1 && self.source.incremental() {
            warn!(
                topic = id.topic,
                partition = id.partition,
                from,
                to,
                "folded again to find the record"
            );
            return self.take_anew(id);
        }
        self.suspects.remove(id);
        self.give_up(id, Stop::FoldFailed { from, to })
    }

    /// The offset before which the waiting records of a partition may be folded together.
    pub(super) fn bound(&self, id: &TopicPartition) -> i64 {
        let first = self.partitions.get(id).and_then(|partition| partition.batch.offsets());
        match (self.suspects.get(id), first) {
            (Some(range), Some((first, _))) if first < range.from => range.from,
            (Some(range), Some((first, _))) if range.contains(first) => first + 1,
            _ => i64::MAX,
        }
    }

    /// Forgets about a suspicion once all of its records were folded.
    pub(super) fn passed(&mut self, id: &TopicPartition) {
        let next = self.protocol.next(id);
        if self.suspects.get(id).is_some_and(|range| next.is_some_and(|next| next >= range.to)) {
            self.suspects.remove(id);
        }
    }
}
