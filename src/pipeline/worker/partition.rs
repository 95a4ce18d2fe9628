//! One assigned partition: its fold, and what is to be committed of it. Where it stands the
//! protocol knows.

use super::{
    Report, halted::Halted, metadata::Metadata, place::Place, rebuild::Rebuild, tail::Tail,
};
use crate::{
    batch::{Expectation, Outbox, RawBatch},
    kafka::TopicPartition,
    pipeline::{Emitter, Fold, Halts, Totals, clock, failpoint, protocol::Epoch},
    source::Position,
    state::snapshot::{Header, Ledger, LogPosition, OffsetRange, Skipped},
    telemetry::Step,
};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};
use tracing::warn;

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

/// What a partition is made of.
pub(super) struct Beginning {
    pub(super) id: TopicPartition,
    pub(super) fold: Fold,
    pub(super) emitter: Emitter,
    /// First offset ever folded.
    pub(super) origin: i64,
    /// Outcomes before the committed offset.
    pub(super) ledger: Ledger,
    /// Digest that the state must have at the committed offset, where it can be compared.
    pub(super) digest: Option<u64>,
    /// Offset behind the last record of the log.
    pub(super) end: i64,
    /// Id of the topic, and the partitions it has.
    pub(super) topic: (Option<String>, i32),
    /// Offsets that an operator skipped.
    pub(super) skipped: Skipped,
    /// Position of the newest snapshot.
    pub(super) snapshot: Option<LogPosition>,
    /// Ticks before the committed position, as committed, and where they begin.
    pub(super) ticks: (Vec<LogPosition>, Option<LogPosition>),
    /// Where the state could begin anew, as committed.
    pub(super) rebuild: Option<i64>,
    /// The newest record folded before the committed offset, if the log should still have it.
    pub(super) tail: Option<Tail>,
}

/// One assigned partition.
pub(super) struct Partition {
    pub(super) id: TopicPartition,
    pub(super) epoch: Epoch,
    /// Offset behind the last record of the log, as far as known.
    pub(super) end: i64,
    /// Kafka timestamp of the newest record folded.
    pub(super) newest_timestamp_ms: Option<i64>,
    /// Outcomes since the last commit.
    pub(super) pending: Totals,
    pub(super) batch: RawBatch,
    /// True while the fetch position may have moved past a record that was not folded.
    pub(super) astray: bool,
    /// Since when a replay goes on, and the offset it began at.
    pub(super) replaying: Option<(Instant, i64)>,
    /// Since when nothing has moved although records wait.
    pub(super) waiting_since: Option<(Instant, i64)>,
    /// True once that was said.
    pub(super) stalled: bool,
    /// Position of the newest snapshot in the store.
    pub(super) snapshot: Option<LogPosition>,
    /// Since when no record has come.
    pub(super) idle_since: Instant,
    /// Said that there is no room for another tick.
    pub(super) ticks_full: bool,
    /// Ticks since the snapshot before the newest one, and where they begin if there were others.
    pub(super) ticks: (Vec<LogPosition>, Option<LogPosition>),
    /// [`Fold::early_releases`], as far as is taken into account.
    early_releases: u64,
    /// Offset behind the last record that came, where some are skipped.
    pub(super) taken: i64,
    /// Ranges of skipped offsets that the log has told of.
    told: BTreeSet<OffsetRange>,
    rebuild: Rebuild,
    /// What has halted it, if something has: it folds nothing more.
    halted: Option<Halted>,
    /// The newest record folded.
    tail: Option<Tail>,
    /// The one that the log must still have, until it was seen.
    expected: Option<Tail>,
    pub(super) begun: Beginning,
}

impl Partition {
    /// A partition that is to begin as was found out.
    pub(super) fn new(begun: Beginning, epoch: Epoch) -> Self {
        let id = begun.id.clone();
        let mut rebuild = Rebuild::new(begun.fold.reach(), begun.rebuild);
        if let (Some(at), Some(watermark)) = (begun.snapshot, begun.fold.watermark()) {
            rebuild.note(at.offset, watermark);
        }
        Self {
            epoch,
            end: begun.end,
            newest_timestamp_ms: None,
            pending: Totals::default(),
            batch: RawBatch::new(Arc::from(id.topic.as_str()), id.partition),
            id,
            astray: false,
            replaying: None,
            waiting_since: None,
            stalled: false,
            snapshot: begun.snapshot,
            idle_since: clock::instant(),
            ticks_full: false,
            ticks: begun.ticks.clone(),
            early_releases: begun.fold.early_releases(),
            taken: 0,
            told: BTreeSet::new(),
            rebuild,
            halted: None,
            tail: begun.tail,
            expected: begun.tail,
            begun,
        }
    }

    /// Records behind the committed offset.
    pub(super) fn lag(&self, committed: i64) -> i64 {
        (self.end - committed).max(0)
    }

    /// Where reading goes on for records from `next` on: before them stands the one that the log
    /// is known by.
    pub(super) fn reads_from(&self, next: i64) -> i64 {
        self.expected.map_or(next, |tail| tail.offset.min(next))
    }

    /// Compares the waiting records with the one that the log is known by, and drops those before
    /// `next`. An error is the offset where there is another record than the one that was folded.
    pub(super) fn recognise(&mut self, next: i64) -> Result<(), i64> {
        let Some(tail) = self.expected else { return Ok(()) };
        match tail.is_in(&self.batch) {
            None => return Ok(()),
            Some(false) => return Err(tail.offset),
            Some(true) => self.expected = None,
        }
        self.batch.retain_offsets(|offset| offset >= next);
        Ok(())
    }

    /// Drops the waiting records that an operator skipped, live as in a replay: they are not
    /// consumed, and neither state nor totals know of them.
    pub(super) fn leave_out_skipped(&mut self) {
        let behind = self.behind_batch();
        let Self { id, begun, told, taken, .. } = self;
        if begun.skipped.ranges().is_empty() {
            return;
        }
        *taken = behind.unwrap_or(*taken);
        let TopicPartition { topic, partition } = id;
        self.batch.retain_offsets(|offset| {
            let range = begun.skipped.range_of(offset);
            if let Some(range @ OffsetRange { from, to }) = range
                && told.insert(range)
            {
                warn!(topic, partition, from, to, "offsets skipped, as an operator has said");
            }
            range.is_none()
        });
    }

    /// Folds the waiting records before `until` in silence. Returns the offset behind the last of
    /// them, if there was one; records from `until` on go on waiting. A panic gives their offsets:
    /// the state is then not to be trusted any more.
    pub(super) fn fold_silently(
        &mut self,
        until: i64,
        report: &Report,
    ) -> Result<Option<i64>, OffsetRange> {
        let rest = self.batch.split_off(until);
        let next = self.behind_batch();
        if next.is_some() {
            let Self { begun, batch, .. } = self;
            // What halted it before the committed position an operator has answered.
            let pass = Halts::Pass;
            guarded(batch, || begun.fold.advance_timed(batch, pass, &mut report.stopwatch()))?;
            self.note_batch();
        }
        self.batch = rest;
        Ok(next)
    }

    /// Folds the waiting records before `until` and emits what they give, else as above. After a
    /// panic some of their messages may be in the outbox.
    pub(super) fn emit(
        &mut self,
        until: i64,
        outbox: &mut Outbox,
        report: &Report,
    ) -> Result<Option<i64>, OffsetRange> {
        let rest = self.batch.split_off(until);
        let mut next = self.behind_batch();
        if next.is_some() {
            outbox.set_owner(self.epoch.number());
            let Self { begun: Beginning { fold, emitter, .. }, batch, .. } = self;
            let (totals, halt) = guarded(batch, || {
                let mut folded = fold.advance_timed(batch, Halts::Heed, &mut report.stopwatch());
                let started = clock::instant();
                emitter.emit(batch, &mut folded, outbox);
                report.took(Step::Encode, started.elapsed());
                (folded.totals, folded.halt)
            })?;
            self.pending += &totals;
            if let Some(halt) = halt {
                self.halted = Some(Halted::new(&halt, emitter.expectations()));
                let behind = batch.offset(halt.record as usize) + 1;
                drop(batch.split_off(behind));
                next = Some(behind);
            }
            self.note_batch();
            self.batch.clear();
        }
        if !rest.is_empty() && self.halted.is_none() {
            self.batch = rest;
        }
        Ok(next)
    }

    /// What is expected of its records.
    pub(super) fn expectations(&self) -> &[Expectation] {
        self.begun.emitter.expectations()
    }

    /// What has halted it. Its fold has seen records that do not count, so that it is of no use.
    pub(super) fn halted(&self) -> Option<Halted> {
        self.halted
    }

    /// How a replay ended that has just arrived at the committed offset.
    pub(super) fn verify(&self) -> Replayed {
        match self.begun.digest {
            None => Replayed::Unverifiable,
            Some(digest) if digest == self.begun.fold.digest() => Replayed::Equal,
            Some(_) => Replayed::Diverged,
        }
    }

    fn behind_batch(&self) -> Option<i64> {
        self.batch.offsets().map(|(_, last)| last + 1)
    }

    fn note_batch(&mut self) {
        self.end = self.end.max(self.behind_batch().unwrap_or_default());
        let newest = self.batch.record(self.batch.len() - 1);
        self.newest_timestamp_ms = newest.timestamp_ms.or(self.newest_timestamp_ms);
        self.tail = Some(Tail::of(&newest));
        self.idle_since = clock::instant();
    }

    /// Writes what the encoder kept back: a commit cuts here.
    pub(super) fn cut(&mut self, outbox: &mut Outbox) {
        outbox.set_owner(self.epoch.number());
        self.begun.emitter.flush(outbox);
    }

    /// The position to commit, with everything that is to be known beside it.
    pub(super) fn position(&mut self, at: LogPosition, place: &Place) -> Position {
        let offset = at.offset;
        let mut ledger = self.begun.ledger;
        ledger += &self.pending;
        assert!(ledger.balanced(), "every record has exactly one outcome: {ledger:?}");
        let Beginning { fold, origin, topic: (topic_id, partitions), skipped, .. } = &self.begun;
        let early_releases = fold.early_releases();
        if std::mem::replace(&mut self.early_releases, early_releases) != early_releases {
            self.rebuild.begin_again();
        }
        if let Some(watermark) = fold.watermark() {
            self.rebuild.note(offset, watermark);
        }
        let (mut ticks, ticks_from) = self.ticks.clone();
        if failpoint::mutant() == Some(failpoint::Mutant::TickForgotten) {
            ticks.pop();
        }
        let metadata = Metadata {
            watermark: fold.watermark(),
            platform: Some(place.platform_hash()),
            cluster: place.cluster.clone(),
            topic_id: topic_id.clone(),
            partitions: Some(*partitions),
            snapshot: self.snapshot,
            rebuild: self.rebuild.from(),
            tail: self.tail,
            skipped: skipped.clone(),
            tick: at.tick,
            ticks,
            ticks_from,
            lowest_held: fold.lowest_held(),
            halted: self.halted,
            ..Metadata::new(place.state_hash, *origin, fold.digest(), ledger)
        };
        Position { partition: self.id.clone(), offset, metadata: metadata.to_string() }
    }

    /// The position stands: its outcomes count now. Returns them.
    pub(super) fn committed(&mut self) -> Totals {
        self.begun.ledger += &self.pending;
        std::mem::take(&mut self.pending)
    }

    /// What a snapshot at that position says of itself; nothing may be pending.
    pub(super) fn header(&self, position: LogPosition, place: &Place) -> Header {
        let Beginning { fold, origin, topic: (_, partitions), .. } = &self.begun;
        Header {
            pipeline: place.pipeline.clone(),
            state_hash: place.state_hash_text.clone(),
            fold_version: crate::pipeline::FOLD_VERSION,
            platform: place.platform.clone(),
            cluster_id: place.cluster.clone(),
            topic: self.id.topic.clone(),
            topic_id: self.begun.topic.0.clone(),
            partition: self.id.partition,
            partitions: *partitions,
            position,
            origin: *origin,
            watermark: fold.watermark(),
            digest: format!("{:016x}", fold.digest()),
            ledger: self.begun.ledger,
            skipped: self.begun.skipped.clone(),
            keys: fold.state_keys() as u64,
            taken_ms: clock::now_ms(),
        }
    }

    /// Id of the topic that it began with, where that is known.
    pub(super) fn topic_id(&self) -> Option<&str> {
        self.begun.topic.0.as_deref()
    }

    /// Id of its topic, and where its state began.
    pub(super) fn lineage(&self) -> (Option<&str>, i64) {
        (self.topic_id(), self.begun.origin)
    }

    /// Records consumed before the committed position, by all who had the partition.
    pub(super) fn consumed(&self) -> u64 {
        self.begun.ledger.consumed
    }

    /// Records that wait for the watermark at the committed position.
    pub(super) fn held(&self) -> u64 {
        self.begun.ledger.held
    }

    pub(super) fn fold(&self) -> &Fold {
        &self.begun.fold
    }
}

/// Runs the fold of a batch. What panics in it is a defect that one record brings to light: it
/// costs the partition, not the process. The panic hook has said where.
fn guarded<T>(batch: &RawBatch, fold: impl FnOnce() -> T) -> Result<T, OffsetRange> {
    // Whoever gets the error drops the partition, and with it all that was left half done.
    let result = catch_unwind(AssertUnwindSafe(|| {
        failpoint::folds(batch);
        fold()
    }));
    result.map_err(|_| {
        let (first, last) = batch.offsets().expect("only records are folded");
        OffsetRange { from: first, to: last + 1 }
    })
}
