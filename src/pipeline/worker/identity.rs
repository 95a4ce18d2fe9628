//! Whether the topics are still those that their partitions began with.
//!
//! A topic that is deleted and made again keeps its name, and its offsets are those of other
//! records. A position behind its new end is noticed by the read; one before it is not, so that the
//! ids of the topics are asked for now and then, off the polling thread.

use super::{Stop, Worker, WorkerError};
use crate::{
    kafka::{TopicIdentity, TopicPartition},
    pipeline::{clock, tasks},
};
use std::{
    sync::mpsc::{self, TryRecvError},
    time::{Duration, Instant},
};

/// How often is asked.
const EVERY: Duration = Duration::from_secs(30);

/// When was asked, and the answer that is waited for.
#[derive(Debug)]
pub(super) struct Identities {
    asked: Instant,
    answer: Option<mpsc::Receiver<Vec<TopicIdentity>>>,
}

impl Default for Identities {
    fn default() -> Self {
        Self { asked: clock::instant(), answer: None }
    }
}

impl Worker {
    /// Asks when it is time to, and stops the partitions of a topic that is another one now.
    pub(super) fn watch_topics(&mut self) -> Result<(), WorkerError> {
        let Some(answer) = &self.identities.answer else {
            if self.identities.asked.elapsed() >= EVERY && self.place.cluster.is_some() {
                self.ask_identities();
            }
            return Ok(());
        };
        let found = match answer.try_recv() {
            Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Disconnected) => Vec::new(),
            Ok(found) => found,
        };
        self.identities = Identities::default();
        for (id, stop) in self.made_again(&found) {
            self.begin_again(&id, stop)?;
        }
        Ok(())
    }

    fn ask_identities(&mut self) {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (asker, topics) = (self.source.asker(), self.definition.spec().source.topics.clone());
        let work = move || {
            let found = asker.identities(&topics);
            drop(asker);
            // Who did not answer is asked again next time.
            drop(sender.send(found.unwrap_or_default()));
        };
        tasks::thread("identities".to_owned(), work).expect("a thread can be started");
        self.identities.answer = Some(receiver);
    }

    /// Partitions that began with another topic of the same name. One that is gone is not known to
    /// be another.
    fn made_again(&self, found: &[TopicIdentity]) -> Vec<(TopicPartition, Stop)> {
        let made_again = |id: &TopicPartition| {
            let theirs = self.partitions.get(id)?.topic_id()?;
            let ours = &found.iter().find(|identity| identity.name == id.topic)?.id;
            let stop = || Stop::TopicRecreated { ours: ours.clone(), theirs: theirs.to_owned() };
            (ours != theirs).then(|| (id.clone(), stop()))
        };
        self.partitions.keys().filter_map(made_again).collect()
    }
}
