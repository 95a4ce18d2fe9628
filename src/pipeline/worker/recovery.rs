//! Finding out where partitions stand and bringing their states back, off the polling thread.
//!
//! The committed positions may have to wait for a dead peer's transaction, a snapshot may be large
//! and its store slow: meanwhile the worker goes on with its other partitions.

use super::{
    metadata::Metadata,
    partition::Beginning,
    place::Place,
    start::{self, Facts, Rules, Start, Stop},
};
use crate::{
    kafka::{TopicIdentity, TopicPartition},
    pipeline::{Definition, Fold, failpoint, protocol, protocol::Epoch, tasks},
    source::{Asker, Lookup},
    state::snapshot::{self, SnapshotError},
    store::{Entry, Name, PartitionKey, SnapshotStore},
    telemetry::{Metrics, SnapshotRejection},
};
use rdkafka::error::KafkaError;
use std::{
    collections::BTreeMap,
    slice,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use tracing::{debug, warn};

/// Where a partition stands, with its state.
pub(super) struct Found {
    pub(super) id: TopicPartition,
    pub(super) epoch: Epoch,
    /// End of the log, for partitions that only stay assigned.
    pub(super) high: i64,
    pub(super) result: Result<(protocol::Start, Box<Beginning>), Stop>,
}

/// What a start finds of a partition, before a snapshot is read.
pub(super) struct Looked {
    pub(super) key: PartitionKey,
    /// Partitions of the topic.
    pub(super) partitions: i32,
    /// Snapshots under this definition, newest first.
    pub(super) entries: Vec<Entry>,
    pub(super) decision: Result<Start, Stop>,
}

/// What recovery needs to know of the worker.
#[derive(Clone)]
pub(super) struct Recovery {
    pub(super) definition: Arc<Definition>,
    pub(super) place: Place,
    pub(super) rules: Rules,
    pub(super) store: Option<SnapshotStore>,
    pub(super) metrics: Arc<Metrics>,
    /// Partitions of the output topic.
    pub(super) output_partitions: i32,
    /// Partitions of each input topic, as known at start.
    pub(super) inputs: BTreeMap<String, i32>,
}

const BACKOFF: Duration = Duration::from_millis(250);

/// Partitions asked about under the epochs of their assignments.
pub(super) type Asked = Vec<(TopicPartition, Epoch)>;

impl Recovery {
    /// Asks on a thread of its own until everything is answered; ends early when nobody waits any
    /// more. An empty answer only tells that the question is still being asked.
    pub(super) fn spawn(self, source: Asker, asked: Asked) -> mpsc::Receiver<Vec<Found>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let work = move || {
            if let Some(found) = self.find_in_time(&source, &asked, &sender) {
                drop(source);
                drop(sender.send(found));
            }
        };
        tasks::thread("recovery".to_owned(), work).expect("a thread can be started");
        receiver
    }

    /// Asks until there is an answer, or nobody waits for it.
    fn find_in_time(
        &self,
        source: &Asker,
        asked: &Asked,
        sender: &mpsc::SyncSender<Vec<Found>>,
    ) -> Option<Vec<Found>> {
        loop {
            match self.find(source, asked) {
                Ok(found) => return Some(found),
                Err(error) => warn!(%error, "committed offsets not read, trying again"),
            }
            if let Err(mpsc::TrySendError::Disconnected(_)) = sender.try_send(Vec::new()) {
                return None;
            }
            thread::sleep(BACKOFF);
        }
    }

    fn find(&self, source: &Asker, asked: &Asked) -> Result<Vec<Found>, KafkaError> {
        let partitions: Vec<TopicPartition> = asked.iter().map(|(id, _)| id.clone()).collect();
        let lookups = match source.look_up(&partitions) {
            Err(_) if failpoint::mutant() == Some(failpoint::Mutant::ResetToEarliest) => {
                source.ends(&partitions)?
            }
            lookups => lookups?,
        };
        let mut topics: Vec<String> = partitions.into_iter().map(|id| id.topic).collect();
        topics.dedup();
        // A broker without an id, such as the embedded one, has no topic ids either and does not
        // answer in time.
        let has_ids = self.place.cluster.is_some();
        let identities = if has_ids { source.identities(&topics) } else { Vec::new() };
        let before = self.partitions_before(source, &lookups)?;
        let epoch_of = |id: &TopicPartition| asked.iter().find(|(other, _)| other == id);
        let mut found = Vec::with_capacity(lookups.len());
        for lookup in lookups {
            let Some((id, epoch)) = epoch_of(&lookup.partition).cloned() else { continue };
            let identity = identities.iter().find(|identity| identity.name == id.topic);
            let partitions_before = before.get(&id.topic).copied();
            let high = lookup.high;
            let result = self.begin(&lookup, identity, partitions_before);
            found.push(Found { id, epoch, high, result });
        }
        Ok(found)
    }

    /// How many partitions the topics had when others of them were committed: asked where some
    /// partition has no position yet.
    fn partitions_before(
        &self,
        source: &Asker,
        lookups: &[Lookup],
    ) -> Result<BTreeMap<String, i32>, KafkaError> {
        let mut before = BTreeMap::new();
        for lookup in lookups.iter().filter(|lookup| lookup.committed.is_none()) {
            let topic = &lookup.partition.topic;
            if before.contains_key(topic) {
                continue;
            }
            let known = self.inputs.get(topic).copied().unwrap_or_default();
            let siblings: Vec<TopicPartition> = (0..known.max(lookup.partition.partition))
                .map(|partition| TopicPartition { topic: topic.clone(), partition })
                .collect();
            let counts = source
                .committed(&siblings)?
                .into_iter()
                .filter_map(|(_, committed)| Metadata::parse(&committed?.metadata)?.partitions);
            if let Some(count) = counts.max() {
                before.insert(topic.clone(), count);
            }
        }
        Ok(before)
    }

    fn begin(
        &self,
        lookup: &Lookup,
        identity: Option<&TopicIdentity>,
        partitions_before: Option<i32>,
    ) -> Result<(protocol::Start, Box<Beginning>), Stop> {
        let Looked { key, partitions, entries, decision } =
            self.look(lookup, identity, partitions_before);
        let start = decision?;
        let topic = (key.topic_id.clone(), partitions);
        let usable = entries.iter().filter(|e| start.snapshots.contains(&e.name.position.offset));
        for entry in usable {
            if let Some(fold) = self.load(entry, &start) {
                return Ok(self.ready(start, entry.name.position.offset, fold, topic));
            }
        }
        if !start.has_origin {
            return Err(Stop::ReplayGap { origin: start.origin, low: start.low });
        }
        if !start.fresh && self.store.is_some() && start.origin < start.committed {
            debug!(
                topic = key.topic,
                partition = key.partition,
                "no snapshot to begin with, or the store is not shared"
            );
        }
        let (from, fold) = (start.origin, self.definition.fold(Some(partitions)));
        Ok(self.ready(start, from, fold, topic))
    }

    /// What a start would find of one partition, and what it would decide.
    pub(super) fn inspect(
        &self,
        asker: &Asker,
        id: &TopicPartition,
    ) -> Result<(Lookup, Looked), KafkaError> {
        let mut lookups = asker.look_up(slice::from_ref(id))?;
        let lookup = lookups.pop().ok_or(KafkaError::NoMessageReceived)?;
        let identities = asker.identities(slice::from_ref(&id.topic));
        let before = self.partitions_before(asker, slice::from_ref(&lookup))?;
        let looked = self.look(&lookup, identities.first(), before.get(&id.topic).copied());
        Ok((lookup, looked))
    }

    fn look(
        &self,
        lookup: &Lookup,
        identity: Option<&TopicIdentity>,
        partitions_before: Option<i32>,
    ) -> Looked {
        let topic = &lookup.partition.topic;
        let known = self.inputs.get(topic).copied().unwrap_or(1);
        let partitions = identity.map_or(known, |identity| identity.partitions);
        let key = PartitionKey {
            pipeline: self.place.pipeline.clone(),
            state_hash: self.place.state_hash_text.clone(),
            topic: topic.clone(),
            topic_id: identity.map(|identity| identity.id.clone()),
            partition: lookup.partition.partition,
        };
        let (entries, other_snapshots) = self.list(&key, lookup.committed.is_none());
        let positions: Vec<i64> = entries.iter().map(|e| e.name.position.offset).collect();
        let facts = Facts {
            lookup,
            topic_id: key.topic_id.as_deref(),
            partitions,
            partitions_before,
            snapshots: &positions,
            other_snapshots,
        };
        let decision = start::decide(&facts, &self.rules);
        Looked { key, partitions, entries, decision }
    }

    fn ready(
        &self,
        start: Start,
        from: i64,
        fold: Fold,
        topic: (Option<String>, i32),
    ) -> (protocol::Start, Box<Beginning>) {
        let Start { partition: id, origin, committed, end, digest, ledger, skipped, fresh, .. } =
            start;
        let snapshot = (from > origin).then_some(from);
        // What is skipped may be gone from the log: nothing is read of it.
        let from = skipped.next_kept(from).min(committed);
        let emitter = self.definition.emitter(Some(self.output_partitions));
        let beginning =
            Beginning { id, fold, emitter, origin, ledger, digest, end, topic, skipped, snapshot };
        (protocol::Start { from, committed, fresh }, Box::new(beginning))
    }

    /// Snapshots of the partition, newest first, and whether there are others of it. A store that
    /// does not answer is as good as an empty one: the log has everything, it only takes longer.
    fn list(&self, key: &PartitionKey, look_for_others: bool) -> (Vec<Entry>, bool) {
        let Some(store) = &self.store else { return (Vec::new(), false) };
        let entries = store.list(key).unwrap_or_else(|error| {
            self.metrics.snapshots_rejected_total(SnapshotRejection::Unavailable).inc();
            warn!(topic = key.topic, partition = key.partition, %error, "snapshots not listed");
            Vec::new()
        });
        let others =
            look_for_others && store.list_other(key).is_ok_and(|others| !others.is_empty());
        (entries, others)
    }

    /// The state of one snapshot, unless it cannot be used; the log says why.
    fn load(&self, entry: &Entry, start: &Start) -> Option<Fold> {
        let store = self.store.as_ref()?;
        let bytes = store.get(entry);
        let bytes = bytes.map_err(|error| (SnapshotRejection::Unavailable, error.to_string()));
        match bytes.and_then(|bytes| self.restore(&bytes, entry, start)) {
            Ok(fold) => Some(fold),
            Err((rejection, reason)) => {
                self.metrics.snapshots_rejected_total(rejection).inc();
                warn!(snapshot = %entry.name, reason, "snapshot not used");
                None
            }
        }
    }

    fn restore(
        &self,
        bytes: &[u8],
        entry: &Entry,
        start: &Start,
    ) -> Result<Fold, (SnapshotRejection, String)> {
        let corrupt = |error: SnapshotError| {
            let rejection = match error {
                SnapshotError::NewerVersion { .. } => SnapshotRejection::Version,
                _ => SnapshotRejection::Corrupt,
            };
            (rejection, error.to_string())
        };
        let (header, sections) = snapshot::read(bytes).map_err(corrupt)?;
        let mut fold = self.definition.fold(Some(header.partitions));
        if Name::of(&header) != entry.name {
            let what = "its header says that it is another one".to_owned();
            return Err((SnapshotRejection::Topic, what));
        }
        fold.restore(&sections).map_err(corrupt)?;
        let digest = format!("{:016x}", fold.digest());
        let at = header.position.offset;
        if header.skipped.before(at) != start.skipped.before(at) {
            let what = "other offsets before it were skipped than the committed ones".to_owned();
            return Err((SnapshotRejection::Definition, what));
        }
        let at_committed = start.skipped.next_kept(at) >= start.committed;
        let differs = start.digest.is_some_and(|committed| committed != fold.digest());
        if digest != header.digest || (at_committed && differs) {
            let what = "its digest is not the committed one".to_owned();
            return Err((SnapshotRejection::Corrupt, what));
        }
        Ok(fold)
    }
}
