//! Folding slices: every partition gets its turn, none starves another.

use super::{Stop, Worker, WorkerError, partition::Partition, suspects::Event};
use crate::{
    kafka::{Notice, TopicPartition},
    pipeline::{
        clock,
        failpoint::{self, Place},
        protocol::Limit,
    },
    source::Source,
    state::snapshot::OffsetRange,
};
use tracing::{debug, warn};

impl Worker {
    /// Folds one slice of every partition, or of as many as a commit has room for. While a commit
    /// is under way, or messages wait for room in the producer, only replays go on.
    pub(super) fn fold_slices(&mut self) -> Result<usize, WorkerError> {
        let (mut folded, mut events) = (0, Vec::new());
        let count = self.partitions.len();
        let replays = self.partitions.keys().filter(|id| self.replays(id)).count();
        let replay_slice = self.pace.slice(replays, self.options.batch_records);
        for turn in 0..count {
            let place = (self.first + turn) % count;
            if self.commit_is_full() {
                self.first = place;
                break;
            }
            folded += self.fold_slice(place, replay_slice, &mut events);
        }
        for (id, event) in events {
            // What was done about another one may have cost this one too.
            if !self.partitions.contains_key(&id) {
                continue;
            }
            match event {
                Event::Notice(notice) => self.heed(&id, notice)?,
                Event::Panicked(range) => self.fold_failed(&id, range)?,
                Event::Rewritten(offset) => self.give_up(&id, Stop::LogRewritten { offset })?,
                Event::TickPanicked(OffsetRange { from, to }) => {
                    self.give_up(&id, Stop::FoldFailed { from, to })?;
                }
            }
        }
        Ok(folded)
    }

    fn replays(&self, id: &TopicPartition) -> bool {
        matches!(self.protocol.limit(id), Some(Limit::Silent { .. } | Limit::SilentTick))
    }

    /// Folds one slice of the partition at `place` and returns how many messages it had. Of one
    /// that replays it has so many records.
    fn fold_slice(
        &mut self,
        place: usize,
        replay_slice: usize,
        events: &mut Vec<(TopicPartition, Event)>,
    ) -> usize {
        let waiting = self.waits_for_room();
        let Some((id, partition)) = self.partitions.iter_mut().nth(place) else { return 0 };
        let Some(limit) = self.protocol.limit(id) else { return 0 };
        if limit == Limit::Emit && (waiting || partition.halted().is_some()) {
            return 0;
        }
        let next = self.protocol.next(id).expect("it has a limit");
        if limit == Limit::SilentTick {
            let id = id.clone();
            self.tick_again(&id, events);
            return 1;
        }
        if partition.astray && !return_to(&self.source, partition, next) {
            return 0;
        }
        let slice = match limit {
            Limit::Silent { .. } | Limit::SilentTick => replay_slice,
            Limit::Emit => self.options.batch_records,
        };
        let mut count = partition.batch.len();
        if count == 0 {
            partition.batch.clear();
            let note = |notice| events.push((id.clone(), Event::Notice(notice)));
            let after = partition.reads_from(next) - 1;
            count = self.source.consume(id, (slice, after), &mut partition.batch, note);
            if count > 0 {
                if let Err(offset) = partition.recognise(next) {
                    events.push((id.clone(), Event::Rewritten(offset)));
                    return count;
                }
                partition.leave_out_skipped();
                failpoint::passed(Place::AfterPoll);
            }
        }
        let id = id.clone();
        if count == 0 {
            self.pass_markers(&id, next);
            self.tick_if_idle(&id, events);
        } else if let Err(range) = self.take_in(&id, limit) {
            events.push((id, Event::Panicked(range)));
        }
        count
    }

    /// Folds what waits of a partition, as far as its limit goes.
    fn take_in(&mut self, id: &TopicPartition, limit: Limit) -> Result<(), OffsetRange> {
        let bound = self.bound(id);
        let Some(partition) = self.partitions.get_mut(id) else { return Ok(()) };
        let before = self.protocol.next(id).unwrap_or_default();
        match limit {
            Limit::Emit => {
                let sent = self.outbox.len();
                if let Some(next) = partition.emit(bound, &mut self.outbox, &self.report)? {
                    self.protocol.advanced(id, next);
                }
                if failpoint::mutant() == Some(failpoint::Mutant::HashOrder) {
                    self.outbox.shuffle(sent);
                }
            }
            Limit::Silent { until } => {
                failpoint::passed(Place::DuringReplay);
                let (began, waiting) = (clock::instant(), partition.batch.len());
                let next = partition.fold_silently(until.min(bound), &self.report)?;
                self.pace.took(waiting - partition.batch.len(), began.elapsed());
                // Something behind the committed offset came: everything before it has come.
                let rest = partition.batch.offsets();
                let next =
                    if rest.is_some_and(|(first, _)| first >= until) { Some(until) } else { next };
                let Some(next) = next else { return Ok(()) };
                let ended = self.protocol.advanced(id, next);
                self.report.replayed_records(next - before);
                if ended {
                    self.report.replay_ended(partition, next);
                }
            }
            Limit::SilentTick => unreachable!("a tick takes no records"),
        }
        self.passed(id);
        Ok(())
    }

    /// Nothing waits: offsets up to where the client stands are no records, such as the markers of
    /// transactions.
    fn pass_markers(&mut self, id: &TopicPartition, next: i64) {
        let Some((handed, end)) = self.source.standing(id, next) else { return };
        let Some(partition) = self.partitions.get_mut(id) else { return };
        partition.end = partition.end.max(end);
        // Skipped records have come and are gone.
        let handed = handed.max(partition.taken);
        match self.protocol.limit(id) {
            Some(Limit::Emit) if handed > next => {
                self.protocol.advanced(id, handed);
            }
            // The end may be out of reach: a transaction is open behind the committed offset.
            Some(Limit::Silent { until }) if handed >= until => {
                if self.protocol.advanced(id, until) {
                    self.report.replay_ended(partition, until);
                }
            }
            Some(_) | None => {}
        }
    }

    /// Acts on what a queue told beside records.
    fn heed(&mut self, id: &TopicPartition, notice: Notice) -> Result<(), WorkerError> {
        match notice {
            Notice::OutOfRange => {
                let committed = self.protocol.next(id).unwrap_or_default();
                self.begin_again(id, Stop::OutOfRange { committed, low: -1, high: -1 })
            }
            Notice::Error(code, reason) => {
                warn!(
                    topic = id.topic,
                    partition = id.partition,
                    ?code,
                    reason,
                    "partition not read"
                );
                if let Some(partition) = self.partitions.get_mut(id) {
                    partition.astray = true;
                }
                Ok(())
            }
        }
    }

    /// The log is not the one any more that a running partition was reading: where it goes on, if
    /// it does, is decided as at its assignment. Where a partition cannot be taken alone it stops.
    pub(super) fn begin_again(
        &mut self,
        id: &TopicPartition,
        stop: Stop,
    ) -> Result<(), WorkerError> {
        // What was folded and published still counts.
        self.settle()?;
        let Some(next) = self.protocol.next(id).filter(|_| self.partitions.contains_key(id)) else {
            return Ok(());
        };
        warn!(
            topic = id.topic,
            partition = id.partition,
            offset = next,
            code = stop.code(),
            "begins again"
        );
        // What did not stand in time goes with it.
        if self.source.incremental() {
            return self.take_anew(id);
        }
        self.give_up(id, stop)
    }

    /// Stops the partitions that an expectation has halted, once everything before is committed and
    /// what halted them with it.
    pub(super) fn stop_halted(&mut self) -> Result<(), WorkerError> {
        let Self { partitions, protocol, recovery, .. } = self;
        let stop = |(id, partition): (&TopicPartition, &Partition)| {
            let next = protocol.next(id)?;
            let halted = partition.halted().filter(|_| protocol.committed(id) == Some(next))?;
            Some((id.clone(), halted.stop(next, &recovery.rules.expectations)))
        };
        let stops: Vec<_> = partitions.iter().filter_map(stop).collect();
        stops.into_iter().try_for_each(|(id, stop)| self.give_up(&id, stop))
    }

    /// Drops a partition that stays ours and stops it.
    pub(super) fn give_up(&mut self, id: &TopicPartition, stop: Stop) -> Result<(), WorkerError> {
        self.drop_partition(id);
        self.source.stop_fetching(id)?;
        self.stop_partition(id.clone(), stop);
        Ok(())
    }
}

/// Goes back to the next record after an error may have moved the position; not reading on before
/// that is what keeps the record. False if the client cannot yet.
fn return_to(source: &Source, partition: &mut Partition, next: i64) -> bool {
    let result = source.seek(&partition.id, partition.reads_from(next));
    partition.astray = result.is_err();
    if let Err(error) = &result {
        let TopicPartition { topic, partition: number } = &partition.id;
        debug!(topic, partition = number, %error, "not yet back at the next record");
    }
    result.is_ok()
}
