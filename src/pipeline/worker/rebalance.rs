//! Taking partitions and giving them back, between two turns.
//!
//! Revoked: finish, commit, drop the state, unassign. Lost: drop everything, commit nothing.
//! Assigned: ask off this thread where the partition stands, then replay from its origin.

use super::{
    Worker, WorkerError,
    partition::{Partition, state_hash},
    start::{self, Rules},
};
use crate::{
    kafka::TopicPartition,
    source::{Lookup, SourceEvent},
};
use std::sync::mpsc::TryRecvError;
use tracing::info;

impl Worker {
    /// Carries out what the group asks for.
    pub(super) fn serve_group(&mut self) -> Result<(), WorkerError> {
        while let Some(event) = self.source.serve()? {
            match event {
                // The group only waits for our answer.
                SourceEvent::Assigned(partitions) if partitions.is_empty() => {
                    self.source.assign(&[])?;
                    self.report.assigned(&partitions);
                }
                SourceEvent::Assigned(partitions) => {
                    let worker = self.report.worker();
                    info!(worker, count = partitions.len(), "partitions assigned");
                    self.report.assigned(&partitions);
                    let answer = self.source.lookup(partitions.clone());
                    self.lookups.push((partitions, answer));
                }
                SourceEvent::Revoked { partitions, lost } => self.give_back(&partitions, lost)?,
            }
        }
        self.finish_lookups()
    }

    pub(super) fn give_back(
        &mut self,
        partitions: &[TopicPartition],
        lost: bool,
    ) -> Result<(), WorkerError> {
        let worker = self.report.worker();
        info!(worker, count = partitions.len(), lost, "partitions revoked");
        // Lost partitions may be folded by somebody else already: nothing of them is committed, and
        // their messages under way are repeats at worst.
        if !lost {
            self.settle()?;
        }
        for id in partitions {
            self.partitions.remove(id);
            self.stopped.remove(id);
        }
        // A lookup under way answers into the void for the partitions that go.
        for (ids, _) in &mut self.lookups {
            ids.retain(|id| !partitions.contains(id));
        }
        self.lookups.retain(|(ids, _)| !ids.is_empty());
        self.report.revoked(partitions, lost);
        // Told before they go: another worker may count them right after.
        self.refresh();
        self.source.unassign(partitions)?;
        Ok(())
    }

    pub(super) fn finish_lookups(&mut self) -> Result<(), WorkerError> {
        let mut index = 0;
        while index < self.lookups.len() {
            match self.lookups[index].1.try_recv() {
                // An empty answer only tells that the question is still being asked.
                Ok(answer) if answer.is_empty() => {}
                Ok(answer) => {
                    let (awaited, _) = self.lookups.swap_remove(index);
                    self.take(answer.iter().filter(|l| awaited.contains(&l.partition)))?;
                }
                Err(TryRecvError::Empty) => index += 1,
                Err(TryRecvError::Disconnected) => {
                    let (partitions, _) = self.lookups.swap_remove(index);
                    let answer = self.source.lookup(partitions.clone());
                    self.lookups.push((partitions, answer));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub(super) fn take<'a>(
        &mut self,
        answer: impl Iterator<Item = &'a Lookup>,
    ) -> Result<(), WorkerError> {
        let source = &self.definition.spec().source;
        let rules = Rules {
            start: source.start,
            out_of_range: source.out_of_range,
            state_hash: state_hash(&self.definition),
            migrate: self.options.migrate,
        };
        let (mut starts, mut stopped) = (Vec::new(), Vec::new());
        for lookup in answer {
            match start::decide(lookup, rules) {
                Ok(start) => {
                    starts.push((start.partition.clone(), start.from));
                    let topic = &start.partition.topic;
                    let counts = (self.options.inputs[topic], self.options.output_partitions);
                    let partition = Partition::new(&self.definition, &start, counts);
                    self.report.begins(&partition);
                    self.partitions.insert(start.partition, partition);
                }
                Err(stop) => {
                    // Assigned all the same: the group must see an owner, or it hands it on.
                    starts.push((lookup.partition.clone(), lookup.high));
                    stopped.push((lookup.partition.clone(), stop));
                }
            }
        }
        self.source.assign(&starts)?;
        for (id, stop) in stopped {
            self.source.stop_fetching(&id)?;
            self.stop_partition(id, stop);
        }
        // A fresh origin is committed before the first record is folded.
        if self.partitions.values().any(Partition::unrecorded) {
            self.begin_commit();
        }
        Ok(())
    }
}
