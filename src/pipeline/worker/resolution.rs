//! What stands after a failure: the producer is replaced, unless the group's refusal leaves no doubt,
//! and the committed positions are read before anything is sent again.

use super::{Worker, WorkerError, metadata::Metadata};
use crate::{
    kafka::{TopicPartition, TransactionError},
    pipeline::tasks,
    sink::{Remedy, SinkError},
    source::Committed,
    state::snapshot::LogPosition,
    telemetry::TransactionResult,
};
use rdkafka::error::KafkaError;
use std::{collections::BTreeMap, sync::mpsc, time::Duration};
use tracing::{info, warn};

/// Committed positions, none for a partition without one; or why they are not known.
pub(super) type Answers = Result<BTreeMap<TopicPartition, Option<LogPosition>>, KafkaError>;

/// Longest wait for the coordinator to take a new producer before the group is served again.
const INITIALISE: Duration = Duration::from_secs(5);

impl Worker {
    /// A message was not delivered, or a step of the transaction failed: what stands is found out
    /// with a new producer.
    pub(super) fn broke(&mut self, error: &SinkError) -> Result<(), WorkerError> {
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
                self.checkup.refused();
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

    pub(super) fn reopen(&mut self) -> Result<(), WorkerError> {
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
    pub(super) fn ask(&mut self, partitions: &[TopicPartition]) -> Result<(), WorkerError> {
        let Some(answer) = &self.resolving else {
            let (sender, receiver) = mpsc::sync_channel(1);
            let (asker, partitions) = (self.source.asker(), partitions.to_vec());
            let work = move || {
                let committed = asker.committed(&partitions);
                drop(asker);
                let answer = committed.map(|committed| {
                    let at = |c: Option<Committed>| c.as_ref().map(Metadata::position_of);
                    committed.into_iter().map(|(id, c)| (id, at(c))).collect()
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
        committed: &BTreeMap<TopicPartition, Option<LogPosition>>,
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
}

impl SinkError {
    /// The error again if a new producer helps against it; what needs a person ends the worker.
    pub(super) fn into_remedied(self) -> Result<Self, WorkerError> {
        match self.remedy() {
            Remedy::Stop => Err(self.into()),
            Remedy::Resend => Ok(self),
        }
    }
}
