//! Publish, then commit: the order that loses nothing.

use super::{Worker, WorkerError};
use crate::{
    pipeline::clock,
    sink::{Remedy, SinkError},
    source::{CommitError, Position},
    telemetry::{CommitResult, Step},
};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Growing pauses between attempts.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
    until: Option<Instant>,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

impl Backoff {
    fn failed(&mut self) {
        let pause = (FIRST_PAUSE * 2_u32.saturating_pow(self.attempts.min(10))).min(PAUSE_MAX);
        self.attempts += 1;
        self.until = Some(clock::instant() + pause);
    }

    fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn waiting(&self) -> bool {
        self.until.is_some_and(|until| clock::instant() < until)
    }
}

impl Worker {
    /// Hands what is new in the outbox on to the producer, as far as it has room.
    pub(super) fn send(&mut self) -> Result<(), WorkerError> {
        if self.backoff.waiting() {
            return Ok(());
        }
        let started = clock::instant();
        let result = self.sink.send(&self.outbox, self.sent).and_then(|sent| {
            self.sent = sent;
            self.sink.poll(Duration::ZERO)
        });
        if self.committing.is_none() {
            self.sending += started.elapsed();
        }
        result
            .map(|under_way| self.report.under_way(under_way))
            .or_else(|error| self.recover(error))
    }

    /// Moves a due commit on: waits a moment for deliveries, and once all stand commits. Nothing is
    /// folded meanwhile, so that what stands is what was folded.
    pub(super) fn commit(&mut self) -> Result<(), WorkerError> {
        self.begin_commit();
        if self.backoff.waiting() {
            self.source.wait(Duration::from_millis(10))?;
            return Ok(());
        }
        self.send()?;
        if self.sent < self.outbox.len() {
            return self.poll_sink(Duration::from_millis(5)).map(drop);
        }
        if self.poll_sink(Duration::from_millis(1))? {
            self.commit_offsets();
        }
        Ok(())
    }

    /// From now on nothing is folded until the commit is done, and what the encoders kept back is
    /// part of it: no position is committed whose vectors are not in the outbox.
    pub(super) fn begin_commit(&mut self) {
        if self.committing.is_none() {
            self.committing = Some(clock::instant());
            for partition in self.partitions.values_mut() {
                partition.cut(&mut self.outbox);
            }
        }
    }

    /// True once everything sent stands.
    pub(super) fn poll_sink(&mut self, wait: Duration) -> Result<bool, WorkerError> {
        match self.sink.poll(Duration::ZERO) {
            Ok(0) if self.sent == self.outbox.len() => return Ok(true),
            // Nothing is under way, yet messages wait: for the pause after a failure to be over.
            Ok(0) => {
                self.source.wait(wait)?;
                return Ok(false);
            }
            Ok(_) => {}
            Err(error) => return self.recover(error).map(|()| false),
        }
        match self.sink.poll(wait) {
            Ok(under_way) => {
                self.report.under_way(under_way);
                Ok(under_way == 0 && self.sent == self.outbox.len())
            }
            Err(error) => self.recover(error).map(|()| false),
        }
    }

    /// A new producer, and all open messages again; the fold is not repeated.
    fn recover(&mut self, error: SinkError) -> Result<(), WorkerError> {
        match error.remedy() {
            Remedy::Stop => Err(error.into()),
            Remedy::Resend => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                warn!(%error, source, messages = self.outbox.len(), "sending again");
                self.sent = 0;
                self.backoff.failed();
                self.sink.reopen()?;
                Ok(())
            }
        }
    }

    fn commit_offsets(&mut self) {
        let positions: Vec<Position> =
            self.partitions.values().filter_map(super::partition::Partition::position).collect();
        let started = clock::instant();
        let result = if positions.is_empty() { Ok(()) } else { self.source.commit(&positions) };
        self.report.took(Step::Commit, started.elapsed());
        match result {
            Ok(()) => {
                self.report.latencies(&self.outbox);
                for position in &positions {
                    if let Some(partition) = self.partitions.get_mut(&position.partition) {
                        let totals = partition.committed(position.offset);
                        self.report.committed(&totals);
                    }
                }
                self.report.commit(CommitResult::Committed);
                self.backoff.succeeded();
            }
            Err(error @ CommitError::Rebalanced(_)) => {
                // Routine: the partitions are about to be revoked, or are lost already. The
                // messages stand; whoever owns the partitions next repeats them.
                info!(reason = %source_of(&error), "commit refused, the group rebalances");
                self.report.commit(CommitResult::Failed);
            }
            Err(error @ CommitError::Retry(_)) => {
                warn!(reason = %source_of(&error), "offsets not committed, trying again");
                self.report.commit(CommitResult::Failed);
                self.backoff.failed();
                return;
            }
        }
        let waited = self.committing.take().map_or(Duration::ZERO, |since| started - since);
        self.report.took(Step::Send, self.sending + waited);
        self.sending = Duration::ZERO;
        self.outbox.clear();
        self.sent = 0;
        self.last_commit = clock::instant();
        self.refresh();
    }

    /// Finishes and commits everything open, within the budget. What does not stand by then stays
    /// open: it is not committed, so whoever owns its partition next repeats it.
    pub(super) fn settle(&mut self) -> Result<(), WorkerError> {
        let deadline = clock::instant() + self.options.settle;
        self.commit()?;
        while self.committing.is_some() {
            if clock::instant() >= deadline {
                warn!(messages = self.outbox.len(), "not all messages stand, going on without");
                break;
            }
            self.commit()?;
        }
        Ok(())
    }
}

fn source_of(error: &CommitError) -> &dyn std::error::Error {
    std::error::Error::source(error).unwrap_or(error)
}
