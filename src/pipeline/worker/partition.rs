//! One assigned partition: its fold, where it stands, and how it came there.
//!
//! ```text
//! looked up -> Replaying (origin .. C, silent) -> Live (from C, emitting)
//!          \-> Stopped (a person is needed; it stays assigned, nobody folds it)
//! ```

use super::{
    Report,
    metadata::{Ledger, Metadata},
    start::Start,
};
use crate::{
    batch::{Outbox, RawBatch},
    kafka::TopicPartition,
    pipeline::{Definition, Emitter, Fold, Totals, clock},
    source::Position,
    telemetry::Step,
};
use std::sync::Arc;

/// What a partition does with the records it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Folds silently up to the committed offset; the digest there is known if the state hash is
    /// still the one it was committed under.
    Replaying { until: i64, digest: Option<u64> },
    /// Folds and emits.
    Live,
}

/// What came of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replayed {
    /// The state is the one that was committed.
    Equal,
    /// The state differs from the one that was committed.
    Diverged,
    /// There was nothing to compare with.
    Unverifiable,
}

/// One assigned partition.
pub(super) struct Partition {
    pub(super) id: TopicPartition,
    pub(super) phase: Phase,
    /// Next offset to fold.
    pub(super) next: i64,
    /// Next offset to read as the group has it.
    pub(super) committed: i64,
    /// Offset behind the last record of the log, as far as known.
    pub(super) end: i64,
    /// Kafka timestamp of the newest record folded.
    pub(super) newest_timestamp_ms: Option<i64>,
    /// Outcomes since the last commit.
    pub(super) pending: Totals,
    /// True until the group knows where the state began.
    fresh: bool,
    ledger: Ledger,
    origin: i64,
    state_hash: u64,
    fold: Fold,
    emitter: Emitter,
    pub(super) batch: RawBatch,
    /// True while the fetch position may have moved past a record that was not folded.
    pub(super) astray: bool,
}

impl Partition {
    /// A partition that is to begin as `start` says.
    pub(super) fn new(
        definition: &Definition,
        start: &Start,
        (input_partitions, output_partitions): (i32, i32),
    ) -> Self {
        let id = start.partition.clone();
        let phase = if start.from < start.committed {
            Phase::Replaying { until: start.committed, digest: start.digest }
        } else {
            Phase::Live
        };
        Self {
            phase,
            next: start.from,
            committed: start.committed,
            end: start.end,
            newest_timestamp_ms: None,
            pending: Totals::default(),
            fresh: start.fresh,
            ledger: start.ledger,
            origin: start.from,
            state_hash: state_hash(definition),
            fold: definition.fold(Some(input_partitions)),
            emitter: definition.emitter(Some(output_partitions)),
            batch: RawBatch::new(Arc::from(id.topic.as_str()), id.partition),
            id,
            astray: false,
        }
    }

    /// Folds the waiting batch, emits what is at or after the committed offset, and says how a
    /// replay ended if it did.
    pub(super) fn advance(&mut self, outbox: &mut Outbox, report: &Report) -> Option<Replayed> {
        let Phase::Replaying { until, .. } = self.phase else {
            self.emit(outbox, report);
            return None;
        };
        let live = self.batch.split_off(until);
        if !self.batch.is_empty() {
            self.fold.advance_timed(&self.batch, &mut report.stopwatch());
            self.follow();
        }
        if live.is_empty() && self.next < until {
            return None;
        }
        let ended = self.end_replay();
        self.batch = live;
        self.emit(outbox, report);
        ended
    }

    /// Nothing waits, and everything before `handed` was folded or is no record, such as the
    /// marker of a transaction: the position is `handed`, and a replay up to there is over.
    pub(super) fn idle(&mut self, (handed, end): (i64, i64)) -> Option<Replayed> {
        self.end = self.end.max(end);
        match self.phase {
            Phase::Live => {
                self.next = self.next.max(handed);
                None
            }
            Phase::Replaying { until, .. } if handed >= until => self.end_replay(),
            Phase::Replaying { .. } => None,
        }
    }

    fn end_replay(&mut self) -> Option<Replayed> {
        let Phase::Replaying { until, digest } = self.phase else { return None };
        self.phase = Phase::Live;
        self.next = self.next.max(until);
        Some(match digest {
            None => Replayed::Unverifiable,
            Some(digest) if digest == self.fold.digest() => Replayed::Equal,
            Some(_) => Replayed::Diverged,
        })
    }

    fn emit(&mut self, outbox: &mut Outbox, report: &Report) {
        if self.batch.is_empty() {
            return;
        }
        let mut folded = self.fold.advance_timed(&self.batch, &mut report.stopwatch());
        let started = clock::instant();
        self.emitter.emit(&self.batch, &mut folded, outbox);
        report.took(Step::Encode, started.elapsed());
        self.pending += &folded.totals;
        self.follow();
    }

    fn follow(&mut self) {
        if let Some((_, last)) = self.batch.offsets() {
            self.next = last + 1;
            self.end = self.end.max(self.next);
            let newest = self.batch.record(self.batch.len() - 1).timestamp_ms;
            self.newest_timestamp_ms = newest.or(self.newest_timestamp_ms);
        }
    }

    /// Writes what the encoder kept back: a commit cuts here.
    pub(super) fn cut(&mut self, outbox: &mut Outbox) {
        self.emitter.flush(outbox);
    }

    /// The position to commit, if it moved.
    pub(super) fn position(&self) -> Option<Position> {
        if self.phase != Phase::Live || (self.next == self.committed && !self.fresh) {
            return None;
        }
        let mut ledger = self.ledger;
        ledger += &self.pending;
        assert!(ledger.balanced(), "every record has exactly one outcome: {ledger:?}");
        let metadata = Metadata {
            state_hash: self.state_hash,
            origin: self.origin,
            watermark: self.fold.watermark(),
            digest: self.fold.digest(),
            ledger,
        };
        Some(Position {
            partition: self.id.clone(),
            offset: self.next,
            metadata: metadata.to_string(),
        })
    }

    /// The position stands: its outcomes count now. Returns them.
    pub(super) fn committed(&mut self, offset: i64) -> Totals {
        assert_eq!(offset, self.next, "commits follow the fold");
        self.committed = offset;
        self.fresh = false;
        self.ledger += &self.pending;
        std::mem::take(&mut self.pending)
    }

    /// True until the group knows where the state began.
    pub(super) fn unrecorded(&self) -> bool {
        self.fresh
    }

    /// Records waiting in the log, as far as known.
    pub(super) fn lag(&self) -> i64 {
        (self.end - self.committed).max(0)
    }

    /// Records still to be folded before the partition is live, as far as offsets tell.
    pub(super) fn replay_remaining(&self) -> i64 {
        match self.phase {
            Phase::Replaying { until, .. } => (until - self.next).max(0),
            Phase::Live => 0,
        }
    }

    /// True if everything in the log is folded and committed.
    pub(super) fn at_end(&self) -> bool {
        self.phase == Phase::Live && self.next >= self.end && self.next == self.committed
    }

    pub(super) fn fold(&self) -> &Fold {
        &self.fold
    }
}

/// The state hash as the commit metadata carries it: its first 64 bits.
pub(super) fn state_hash(definition: &Definition) -> u64 {
    let hash = definition.state_hash();
    let first = hash.get(..16).unwrap_or(hash);
    u64::from_str_radix(first, 16).expect("a hash is hexadecimal")
}
