//! Publish, then commit: carrying out what the protocol asks for.

use super::{FULL_PAUSE, ROUND_PAUSE, Step, Worker, WorkerError};
use crate::{
    kafka::{Membership, TopicPartition},
    pipeline::{
        clock,
        failpoint::{self, Mutant, Place},
        protocol::Move,
    },
    source::{self, CommitError, Position},
    telemetry::{CommitResult, TransactionResult},
};
use std::time::Duration;
use tracing::{info, warn};

impl Worker {
    /// Hands what is new in the outbox on to the producer, as far as it has room.
    pub(super) fn send(&mut self) -> Result<(), WorkerError> {
        if self.backoff.waiting() || !self.protocol.may_send() || !self.has_unsent() {
            return Ok(());
        }
        let started = clock::instant();
        let result = self.sink.send(&self.outbox, self.sent).and_then(|handed| {
            (self.sent, self.is_full) = (handed.next, handed.is_full);
            self.sink.poll(Duration::ZERO)
        });
        failpoint::passed(Place::MidProduce);
        if self.committing.is_none() {
            self.sending += started.elapsed();
        }
        match result {
            Ok(under_way) => {
                self.report.under_way(under_way);
                Ok(())
            }
            Err(error) => self.broke(&error.into_remedied()?),
        }
    }

    /// True while messages wait to be handed to the producer.
    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.outbox.len()
    }

    /// True while they wait because it has no room.
    pub(super) fn waits_for_room(&self) -> bool {
        self.is_full && self.has_unsent()
    }

    /// From now on nothing is folded until the commit is done, and what the encoders kept back is
    /// part of it: no position is committed whose vectors are not in the outbox.
    pub(super) fn begin_commit(&mut self) {
        if self.protocol.step() == Step::Fold {
            self.committing = Some(clock::instant());
            for partition in self.partitions.values_mut() {
                partition.cut(&mut self.outbox);
            }
            self.protocol.begin_commit();
        }
    }

    /// Moves a commit on, as far as it goes without waiting for long.
    pub(super) fn commit(&mut self) -> Result<(), WorkerError> {
        loop {
            self.pulse.beats(super::watch::Doing::Commit);
            // First the group is served: partitions may be lost.
            if self.source.is_unsure() {
                return Ok(());
            }
            if self.backoff.waiting() {
                self.source.wait(Duration::from_millis(10))?;
                return Ok(());
            }
            let step = self.protocol.step();
            match &step {
                Step::Fold => return Ok(()),
                Step::Drain => self.drain()?,
                Step::SendOffsets(moves) => self.send_offsets(moves)?,
                Step::End => self.end()?,
                Step::Commit(moves) => self.commit_offsets(moves),
                Step::Reopen => self.reopen()?,
                Step::Ask(partitions) => self.ask(partitions)?,
            }
            if self.protocol.step() == step {
                return Ok(());
            }
        }
    }

    fn drain(&mut self) -> Result<(), WorkerError> {
        self.send()?;
        if self.has_unsent() {
            let pause = if self.is_full { FULL_PAUSE } else { ROUND_PAUSE };
            return self.poll_sink(pause).map(drop);
        }
        if self.poll_sink(ROUND_PAUSE)? && self.protocol.step() == Step::Drain {
            failpoint::passed(Place::BeforeSendOffsets);
            self.protocol.drained();
        }
        Ok(())
    }

    /// True once everything sent stands.
    pub(super) fn poll_sink(&mut self, wait: Duration) -> Result<bool, WorkerError> {
        let all_sent = !self.has_unsent();
        match self.sink.poll(Duration::ZERO) {
            Ok(0) if all_sent => return Ok(true),
            // Nothing is under way, yet messages wait: for the pause after a failure to be over.
            Ok(0) => {
                self.source.wait(wait)?;
                return Ok(false);
            }
            Ok(_) => {}
            Err(error) => return self.broke(&error.into_remedied()?).map(|()| false),
        }
        // The client polls in a loop for the last millisecond of its time: the bell is waited for.
        self.source.wait(wait)?;
        match self.sink.poll(Duration::ZERO) {
            Ok(under_way) => {
                self.report.under_way(under_way);
                Ok(under_way == 0 && all_sent)
            }
            Err(error) => self.broke(&error.into_remedied()?).map(|()| false),
        }
    }

    fn send_offsets(&mut self, moves: &[Move<TopicPartition>]) -> Result<(), WorkerError> {
        self.fences.alive();
        let membership = if failpoint::mutant() == Some(Mutant::UnfencedMetadata) {
            Membership::outsider(&self.definition.spec().pipeline)
        } else {
            self.source.membership()
        };
        if self.was_put_out(membership.as_ref()) {
            self.refused = true;
            return Ok(());
        }
        let is_member = membership.as_ref().is_some_and(Membership::is_member);
        let Some(membership) = membership.filter(|_| self.protocol.may_send_offsets(is_member))
        else {
            // A broker would take it: the group knows nothing of us, so it checks nothing.
            info!("not a member of the group any more, nothing is committed");
            self.report.fenced();
            self.report.transaction(TransactionResult::Aborted);
            self.protocol.failed();
            self.refused = true;
            self.checkup.refused();
            self.backoff.failed("not a member of the group");
            return Ok(());
        };
        let positions = self.positions(moves);
        let list = source::offsets(&positions).expect("positions are offsets");
        match self.sink.send_offsets(list, membership) {
            Ok(()) => {
                failpoint::passed(Place::AfterSendOffsets);
                self.protocol.offsets_sent();
                Ok(())
            }
            Err(error) => self.broke(&error.into_remedied()?),
        }
    }

    fn end(&mut self) -> Result<(), WorkerError> {
        let started = clock::instant();
        failpoint::passed(Place::DuringEndTransaction);
        match self.sink.end() {
            Ok(()) => {
                failpoint::passed(Place::AfterCommit);
                self.report.transaction(TransactionResult::Committed);
                let moves = self.protocol.ended();
                self.stand(&moves, started.elapsed());
                Ok(())
            }
            Err(error) => self.broke(&error.into_remedied()?),
        }
    }

    /// Commits positions by themselves.
    fn commit_offsets(&mut self, moves: &[Move<TopicPartition>]) {
        let membership = self.source.membership();
        if self.was_put_out(membership.as_ref()) {
            return;
        }
        let positions = self.positions(moves);
        let started = clock::instant();
        let result = if positions.is_empty() { Ok(()) } else { self.source.commit(&positions) };
        match result {
            Ok(()) => {
                let moves = self.protocol.ended();
                if self.protocol.step() == Step::Fold {
                    self.stand(&moves, started.elapsed());
                }
            }
            Err(error @ CommitError::Rebalanced(_)) => {
                // Routine: the partitions are about to be revoked, or are lost already. The
                // messages stand; whoever owns the partitions next repeats them.
                info!(reason = %source_of(&error), "commit refused, the group rebalances");
                self.report.commit(CommitResult::Failed);
                self.checkup.refused();
                self.protocol.refused();
                if self.protocol.step() == Step::Fold {
                    self.clear_outbox();
                }
            }
            Err(error @ CommitError::Retry(_)) => {
                warn!(reason = %source_of(&error), "offsets not committed, trying again");
                self.report.commit(CommitResult::Failed);
                self.backoff.failed("offsets are not committed");
            }
        }
    }

    fn positions(&mut self, moves: &[Move<TopicPartition>]) -> Vec<Position> {
        let Self { partitions, place, .. } = self;
        let position =
            |m: &Move<TopicPartition>| Some(partitions.get_mut(&m.id)?.position(m.to, place));
        moves.iter().filter_map(position).collect()
    }

    /// A commit stands, and with it these positions and everything in the outbox.
    fn stand(&mut self, moves: &[Move<TopicPartition>], took: Duration) {
        self.report.took(crate::telemetry::Step::Commit, took);
        let waited = self.committing.take().map_or(Duration::ZERO, |since| since.elapsed());
        let sending = self.sending + waited.saturating_sub(took);
        self.report.took(crate::telemetry::Step::Send, sending);
        self.report.latencies(&self.outbox);
        self.count(moves);
        self.clear_outbox();
        self.fences.alive();
        self.serve_snapshots();
        self.refresh();
    }

    pub(super) fn count(&mut self, moves: &[Move<TopicPartition>]) {
        for moved in moves {
            if let Some(partition) = self.partitions.get_mut(&moved.id) {
                self.recovery.known.committed(&moved.id, partition.lineage(), moved.to.offset);
                let totals = partition.committed();
                self.report.committed(partition, &totals);
                self.report.held(&moved.id, partition.held());
            }
        }
        self.report.commit(CommitResult::Committed);
        self.checkup.stands();
        self.backoff.succeeded();
    }

    pub(super) fn clear_outbox(&mut self) {
        self.outbox.clear();
        self.sent = 0;
        self.committing = None;
        self.sending = Duration::ZERO;
        self.last_commit = clock::instant();
    }

    /// Finishes and commits everything open, within the budget, as far as the group has been served.
    /// What does not stand by then stays open: it is not committed, so whoever owns its partition
    /// next repeats it.
    pub(super) fn settle(&mut self) -> Result<(), WorkerError> {
        let deadline = clock::instant() + self.options.settle;
        loop {
            if self.protocol.step() == Step::Fold {
                if !self.protocol.has_moved() {
                    return Ok(());
                }
                self.begin_commit();
            }
            if self.source.is_unsure() {
                return Ok(());
            }
            if clock::instant() >= deadline {
                warn!(messages = self.outbox.len(), "not all messages stand, going on without");
                return Ok(());
            }
            self.commit()?;
        }
    }
}

fn source_of(error: &CommitError) -> &dyn std::error::Error {
    std::error::Error::source(error).unwrap_or(error)
}
