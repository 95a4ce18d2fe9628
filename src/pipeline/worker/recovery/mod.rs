//! Finding out where partitions stand and bringing their states back, off the polling thread.
//!
//! The committed positions may have to wait for a dead peer's transaction, a snapshot may be large
//! and its store slow: meanwhile the worker goes on with its other partitions.

mod states;

use super::{
    known::Known,
    metadata::Metadata,
    partition::Beginning,
    place::Place,
    start::{self, Facts, Rules, Start, Stop},
    trouble::Backoff,
};
use crate::{
    kafka::{TopicIdentity, TopicPartition},
    pipeline::{
        Definition, Fold, clock, failpoint, protocol,
        protocol::{Epoch, at},
        tasks,
    },
    source::{Asker, Lookup},
    state::snapshot::LogPosition,
    store::{Entry, PartitionKey, SnapshotStore, StoreError},
    telemetry::Metrics,
};
use rdkafka::error::KafkaError;
use states::Unusable;
use std::{
    collections::BTreeMap,
    slice,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
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
    /// True if the group has no position of the partition, or one that is behind where it was, as
    /// far as the process or the store know.
    pub(super) is_doubtful: bool,
}

/// What recovery needs to know of the worker.
#[derive(Clone)]
pub(super) struct Recovery {
    pub(super) definition: Arc<Definition>,
    pub(super) place: Place,
    pub(super) rules: Rules,
    pub(super) store: Option<SnapshotStore>,
    pub(super) known: Known,
    pub(super) metrics: Arc<Metrics>,
    /// Partitions of the output topic.
    pub(super) output_partitions: i32,
    /// Partitions of each input topic, as known at start.
    pub(super) inputs: BTreeMap<String, i32>,
}

/// Longest pause between two questions.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// For how long a position that the group had must be missing or behind before that is believed.
const FORGETS_FOR: Duration = Duration::from_secs(30);

/// Why it is not known where partitions stand. Time helps: it is asked again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unknown {
    /// The coordinator or a leader did not answer, or a transaction is still open.
    #[error("committed offsets not read: {0}")]
    Positions(#[from] KafkaError),
    /// Without the id of a topic its snapshots are not found.
    #[error("topics not described: {0}")]
    Identities(String),
    /// A partition that has no position, or no log to begin with, cannot do without.
    #[error("snapshots not read: {0}")]
    Snapshots(#[from] StoreError),
    /// A coordinator that comes back may answer before it has read its log.
    #[error(
        "no committed offset of {} partition {}, or an older one than before", .0.topic, .0.partition
    )]
    Doubtful(TopicPartition),
}

/// Partitions asked about under the epochs of their assignments.
pub(super) type Asked = Vec<(TopicPartition, Epoch)>;

impl Recovery {
    /// Asks on a thread of its own until everything is answered; ends early when nobody waits any
    /// more. An empty answer only tells that the question is still being asked.
    pub(super) fn spawn(self, source: Asker, asked: Asked) -> mpsc::Receiver<Vec<Found>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let work = move || {
            if self.find_in_time(&source, asked, &sender).is_some() {
                self.see_others(&source);
            }
        };
        tasks::thread("recovery".to_owned(), work).expect("a thread can be started");
        receiver
    }

    /// Asks until everything is answered, each partition as soon as it is known; none once nobody
    /// waits any more.
    fn find_in_time(
        &self,
        source: &Asker,
        mut asked: Asked,
        sender: &mpsc::SyncSender<Vec<Found>>,
    ) -> Option<()> {
        let mut backoff = Backoff::up_to(PAUSE_MAX);
        let mut doubtful: BTreeMap<TopicPartition, Instant> = BTreeMap::new();
        loop {
            let is_believed = |id: &TopicPartition| {
                doubtful.get(id).is_some_and(|since| since.elapsed() >= FORGETS_FOR)
            };
            let error = match self.find(source, &asked, is_believed) {
                Ok(found) => {
                    asked.retain(|(id, _)| found.iter().all(|found| found.id != *id));
                    if !found.is_empty() {
                        sender.send(found).ok()?;
                    }
                    let Some((first, _)) = asked.first() else { return Some(()) };
                    let first = first.clone();
                    for (id, _) in &asked {
                        doubtful.entry(id.clone()).or_insert_with(clock::instant);
                    }
                    Unknown::Doubtful(first)
                }
                // What was missing before the brokers were away was perhaps forgotten since.
                Err(error) => {
                    doubtful.clear();
                    error
                }
            };
            warn!(%error, "not known yet where partitions stand, asking again");
            if let Err(mpsc::TrySendError::Disconnected(_)) = sender.try_send(Vec::new()) {
                return None;
            }
            thread::sleep(backoff.failed(&error.to_string()));
        }
    }

    /// Notes how far the group is in all partitions, should one come here when the brokers do not
    /// know it just then.
    fn see_others(&self, source: &Asker) {
        for (topic, count) in &self.inputs {
            let all: Vec<TopicPartition> = (0..*count)
                .map(|partition| TopicPartition { topic: topic.clone(), partition })
                .collect();
            let Ok(identities) = self.identities(source, slice::from_ref(topic)) else { continue };
            let topic_id = identities.first().map(|identity| identity.id.as_str());
            for (id, committed) in source.committed_as_told(&all) {
                if let Some(committed) = committed {
                    self.known.saw(&id, topic_id, &committed);
                }
            }
        }
    }

    /// Asks once; what is doubtful and not believed yet is not among the found.
    fn find(
        &self,
        source: &Asker,
        asked: &Asked,
        is_believed: impl Fn(&TopicPartition) -> bool,
    ) -> Result<Vec<Found>, Unknown> {
        let partitions: Vec<TopicPartition> = asked.iter().map(|(id, _)| id.clone()).collect();
        let lookups = match source.look_up(&partitions) {
            Err(_) if failpoint::mutant() == Some(failpoint::Mutant::ResetToEarliest) => {
                source.ends(&partitions)?
            }
            lookups => lookups?,
        };
        let mut topics: Vec<String> = partitions.into_iter().map(|id| id.topic).collect();
        topics.dedup();
        let identities = self.identities(source, &topics)?;
        let before = self.partitions_before(source, &lookups)?;
        let epoch_of = |id: &TopicPartition| asked.iter().find(|(other, _)| other == id);
        let mut found = Vec::with_capacity(lookups.len());
        for lookup in lookups {
            let Some((id, epoch)) = epoch_of(&lookup.partition).cloned() else { continue };
            let identity = identities.iter().find(|identity| identity.name == id.topic);
            let partitions_before = before.get(&id.topic).copied();
            let high = lookup.high;
            let looked = self.look(&lookup, identity, partitions_before)?;
            if let Some(committed) = &lookup.committed {
                self.known.saw(&id, looked.key.topic_id.as_deref(), committed);
            }
            if looked.is_doubtful && !is_believed(&id) {
                continue;
            }
            let result = self.begin(looked)?;
            found.push(Found { id, epoch, high, result });
        }
        Ok(found)
    }

    /// Which topics the names stand for. A broker without an id, such as the embedded one, has no
    /// topic ids either and does not answer in time.
    fn identities(&self, source: &Asker, topics: &[String]) -> Result<Vec<TopicIdentity>, Unknown> {
        if self.place.cluster.is_none() {
            return Ok(Vec::new());
        }
        source.identities(topics).map_err(Unknown::Identities)
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
        looked: Looked,
    ) -> Result<Result<(protocol::Start, Box<Beginning>), Stop>, Unknown> {
        let Looked { key, partitions, entries, decision, .. } = looked;
        let start = match decision {
            Ok(start) => start,
            Err(stop) => return Ok(Err(stop)),
        };
        let topic = (key.topic_id.clone(), partitions);
        let mut away = None;
        for entry in &entries {
            let at = entry.name.position;
            if !start.snapshots.contains(&at) {
                continue;
            }
            match self.load(entry, &start) {
                Ok(fold) => return Ok(Ok(self.ready(start, at, fold, topic))),
                Err(Unusable::Away(error)) => away = Some(error),
                Err(Unusable::Rejected(..)) => {}
            }
        }
        if let Some(error) = away.filter(|_| !start.has_origin) {
            return Err(error.into());
        }
        let Some(from) = start.empty_from() else {
            return Ok(Err(start.gap()));
        };
        let mut start = start;
        if !start.has_origin {
            warn!(
                topic = key.topic,
                partition = key.partition,
                from,
                "the log has lost the state's origin, not what the state still depends on: rebuilt \
                 from there, values agree to 1e-9, the digest begins anew"
            );
            (start.origin, start.digest) = (from, None);
            // There are none behind it, and who begins there needs none before.
            start.ticks = (Vec::new(), None);
        } else if !start.fresh && self.store.is_some() && start.origin < start.committed.offset {
            debug!(
                topic = key.topic,
                partition = key.partition,
                "no snapshot to begin with, or the store is not shared"
            );
        }
        let fold = self.definition.fold(Some(partitions));
        Ok(Ok(self.ready(start, at(from), fold, topic)))
    }

    /// What a start would find of one partition, and what it would decide.
    pub(super) fn inspect(
        &self,
        asker: &Asker,
        id: &TopicPartition,
    ) -> Result<(Lookup, Looked), Unknown> {
        let mut lookups = asker.look_up(slice::from_ref(id))?;
        let lookup = lookups.pop().ok_or(KafkaError::NoMessageReceived)?;
        let identities = self.identities(asker, slice::from_ref(&id.topic))?;
        let before = self.partitions_before(asker, slice::from_ref(&lookup))?;
        let looked = self.look(&lookup, identities.first(), before.get(&id.topic).copied())?;
        Ok((lookup, looked))
    }

    fn look(
        &self,
        lookup: &Lookup,
        identity: Option<&TopicIdentity>,
        partitions_before: Option<i32>,
    ) -> Result<Looked, Unknown> {
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
        let is_new = lookup.committed.is_none();
        let (entries, other_snapshots, away) = match self.list(&key, is_new) {
            Ok((entries, others)) => (entries, others, None),
            Err(error) => (Vec::new(), false, Some(error)),
        };
        let positions: Vec<LogPosition> = entries.iter().map(|e| e.name.position).collect();
        let facts = Facts {
            lookup,
            topic_id: key.topic_id.as_deref(),
            partitions,
            partitions_before,
            snapshots: &positions,
            other_snapshots,
            seen: self
                .known
                .position(&lookup.partition, key.topic_id.as_deref(), lookup.committed.as_ref())
                .filter(|_| failpoint::mutant() != Some(failpoint::Mutant::ResetToEarliest)),
        };
        // Where the store is away it is not known what it would tell. That mutant's snapshots are all
        // ahead.
        let is_doubtful = (facts.is_doubtful() || away.is_some())
            && failpoint::mutant() != Some(failpoint::Mutant::WrongPosition);
        let decision = start::decide(&facts, &self.rules);
        // The log has everything, it only takes longer; but whether the group was here before only
        // the store knows where there is no position, and a log that lost its begin needs it.
        let has_origin = match &decision {
            Ok(start) => start.has_origin,
            Err(stop) => !matches!(stop, Stop::ReplayGap { .. }),
        };
        match away.filter(|_| is_new || !has_origin) {
            Some(error) => Err(error.into()),
            None => Ok(Looked { key, partitions, entries, decision, is_doubtful }),
        }
    }

    fn ready(
        &self,
        start: Start,
        from: LogPosition,
        fold: Fold,
        topic: (Option<String>, i32),
    ) -> (protocol::Start, Box<Beginning>) {
        let to_make = start.ticks_behind(from);
        let Start { partition: id, origin, committed, end, digest, ledger, skipped, .. } = start;
        let Start { fresh, rebuild, tail, ticks, .. } = start;
        let snapshot = (from > at(origin)).then_some(from);
        // What is skipped may be gone from the log: nothing is read of it.
        let from = skipped.next_kept(from.offset).min(committed.offset);
        let emitter = self.definition.emitter(Some(self.output_partitions));
        let beginning = Beginning {
            id,
            fold,
            emitter,
            origin,
            ledger,
            digest,
            end,
            topic,
            skipped,
            snapshot,
            ticks,
            rebuild,
            tail,
        };
        (protocol::Start { from, committed, ticks: to_make, fresh }, Box::new(beginning))
    }
}
