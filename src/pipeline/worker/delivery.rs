//! Publish, then commit: carrying out what the protocol asks for.

use super::{FULL_PAUSE, ROUND_PAUSE, Step, Worker, WorkerError};
use crate::{
    kafka::{Membership, TopicPartition, TransactionError},
    pipeline::{
        clock,
        failpoint::{self, Mutant, Place},
        protocol::Move,
        tasks,
    },
    sink::{Remedy, SinkError},
    source::{self, CommitError, Position},
    telemetry::{CommitResult, TransactionResult},
};
use rdkafka::error::KafkaError;
use std::{collections::BTreeMap, sync::mpsc, time::Duration};
use tracing::{info, warn};

/// Committed positions, none for a partition without one; or why they are not known.
pub(super) type Answers = Result<BTreeMap<TopicPartition, Option<i64>>, KafkaError>;

/// Longest wait for the coordinator to take a new producer before the group is served again.
const INITIALISE: Duration = Duration::from_secs(5);

impl Worker {
    /// Hands what is new in the outbox on to the producer, as far as it has room.
    pub(super) fn send(&mut self) -> Result<(), WorkerError> {
        if self.backoff.waiting() || !self.protocol.may_send() || self.sent == self.outbox.len() {
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
        if self.sent < self.outbox.len() {
            let pause = if self.is_full { FULL_PAUSE } else { ROUND_PAUSE };
            return self.poll_sink(pause).map(drop);
        }
        if self.poll_sink(Duration::from_millis(1))? && self.protocol.step() == Step::Drain {
            failpoint::passed(Place::BeforeSendOffsets);
            self.protocol.drained();
        }
        Ok(())
    }

    /// True once everything sent stands.
    pub(super) fn poll_sink(&mut self, wait: Duration) -> Result<bool, WorkerError> {
        let all_sent = self.sent == self.outbox.len();
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

    fn count(&mut self, moves: &[Move<TopicPartition>]) {
        for moved in moves {
            if let Some(partition) = self.partitions.get_mut(&moved.id) {
                let totals = partition.committed();
                self.report.committed(&totals);
            }
        }
        self.report.commit(CommitResult::Committed);
        self.backoff.succeeded();
    }

    fn clear_outbox(&mut self) {
        self.outbox.clear();
        self.sent = 0;
        self.committing = None;
        self.sending = Duration::ZERO;
        self.last_commit = clock::instant();
    }

    /// A message was not delivered, or a step of the transaction failed: what stands is found out
    /// with a new producer.
    fn broke(&mut self, error: &SinkError) -> Result<(), WorkerError> {
        let reason = std::error::Error::source(error).map(ToString::to_string);
        let result = match error {
            SinkError::Transaction(TransactionError::Fenced(_)) => {
                self.report.fenced();
                if let Some(times) = self.fences.fenced() {
                    return Err(WorkerError::SlotUsedTwice(times));
                }
                TransactionResult::Fenced
            }
            SinkError::Transaction(TransactionError::Rebalanced(_)) => {
                self.report.fenced();
                TransactionResult::Aborted
            }
            _ => TransactionResult::Ambiguous,
        };
        if result == TransactionResult::Aborted {
            info!(%error, reason, "transaction refused, the group rebalances");
        } else {
            warn!(%error, reason, messages = self.outbox.len(), "looking for what stands");
        }
        self.report.transaction(result);
        self.protocol.failed();
        self.broken = false;
        self.refused = result == TransactionResult::Aborted;
        self.backoff.failed(&reason.unwrap_or_else(|| error.to_string()));
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), WorkerError> {
        self.resolving = None;
        // A refusal is certain: the same producer aborts and goes on, which takes much less.
        if std::mem::take(&mut self.refused) && self.sink.abort().is_ok() {
            self.sent = 0;
            self.protocol.reopened();
            return Ok(());
        }
        if !self.broken {
            tasks::drop_elsewhere(self.sink.reopen()?);
            (self.broken, self.sent) = (true, 0);
        }
        match self.sink.initialise(INITIALISE) {
            Ok(()) => {
                self.broken = false;
                self.protocol.reopened();
                Ok(())
            }
            Err(error) => self.broke(&error.into_remedied()?),
        }
    }

    /// Reads what is committed, off this thread, and acts on the answer when it is there.
    fn ask(&mut self, partitions: &[TopicPartition]) -> Result<(), WorkerError> {
        let Some(answer) = &self.resolving else {
            let (sender, receiver) = mpsc::sync_channel(1);
            let (asker, partitions) = (self.source.asker(), partitions.to_vec());
            let work = move || {
                let committed = asker.committed(&partitions);
                drop(asker);
                let answer = committed.map(|committed| {
                    committed.into_iter().map(|(id, c)| (id, c.map(|c| c.offset))).collect()
                });
                drop(sender.send(answer));
            };
            tasks::thread("resolve".to_owned(), work).expect("a thread can be started");
            self.resolving = Some(receiver);
            return Ok(());
        };
        match answer.try_recv() {
            Ok(Ok(committed)) => {
                self.resolving = None;
                self.resolve(&committed)
            }
            Err(mpsc::TryRecvError::Empty) => {
                self.source.wait(Duration::from_millis(5))?;
                Ok(())
            }
            Ok(Err(error)) => {
                self.resolving = None;
                self.backoff.failed(&format!("committed offsets are not read: {error}"));
                Ok(())
            }
            Err(mpsc::TryRecvError::Disconnected) => {
                self.resolving = None;
                Ok(())
            }
        }
    }

    fn resolve(
        &mut self,
        committed: &BTreeMap<TopicPartition, Option<i64>>,
    ) -> Result<(), WorkerError> {
        let resolution = self.protocol.resolved(committed);
        let again: Vec<u64> = resolution.again.iter().map(|epoch| epoch.number()).collect();
        info!(
            stands = resolution.stands.len(),
            again = again.len(),
            restore = resolution.restore.len(),
            "known what stands"
        );
        if !resolution.stands.is_empty() {
            self.count(&resolution.stands);
        }
        self.outbox.retain_owners(0, |owner| again.contains(&owner));
        self.sent = 0;
        if again.is_empty() {
            self.clear_outbox();
        }
        self.begin_anew(resolution.restore)
    }

    /// Finishes and commits everything open, within the budget. What does not stand by then stays
    /// open: it is not committed, so whoever owns its partition next repeats it.
    pub(super) fn settle(&mut self) -> Result<(), WorkerError> {
        let deadline = clock::instant() + self.options.settle;
        loop {
            if self.protocol.step() == Step::Fold {
                if !self.protocol.has_moved() {
                    return Ok(());
                }
                self.begin_commit();
            }
            if clock::instant() >= deadline || self.source.is_unsure() {
                warn!(messages = self.outbox.len(), "not all messages stand, going on without");
                return Ok(());
            }
            self.commit()?;
        }
    }
}

impl SinkError {
    /// The error again if a new producer helps against it; what needs a person ends the worker.
    fn into_remedied(self) -> Result<Self, WorkerError> {
        match self.remedy() {
            Remedy::Stop => Err(self.into()),
            Remedy::Resend => Ok(self),
        }
    }
}

fn source_of(error: &CommitError) -> &dyn std::error::Error {
    std::error::Error::source(error).unwrap_or(error)
}
