//! What an operator does about one partition while nobody runs the pipeline: look at where it
//! stands, skip records, go back to a snapshot.
//!
//! The record of a decision is the commit itself: position and metadata stand in one record of the
//! group's log, and whoever has the partition next, or replays it, goes by them.

mod change;
mod shown;

pub use change::Change;
pub use shown::Shown;

use super::{
    Known, Place,
    metadata::{Metadata, SKIPPED_MAX},
    rebalance,
    recovery::{Looked, Recovery},
};
use crate::{
    kafka::{self, ConsumerGroup, TopicPartition, admin::AdminError},
    pipeline::{Definition, supervisor},
    settings::Settings,
    source::{CommitError, Lookup, Source, SourceError},
    state::snapshot::LogPosition,
    store::SnapshotStore,
    telemetry::{BuildInfo, Metrics},
};
use std::{collections::BTreeMap, sync::Arc};
use tracing::{info, warn};

/// Why a partition was not looked at or not changed. Nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The pipeline file does not name the topic.
    #[error("the pipeline does not read topic `{0}`")]
    ForeignTopic(String),
    /// The cluster does not answer, or not as it should.
    #[error(transparent)]
    Cluster(#[from] AdminError),
    /// The client could not be made.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Positions were not told.
    #[error("where the partition stands was not told: {0}")]
    Lookup(String),
    /// Somebody runs the pipeline.
    #[error(
        "the group has members: they would not notice, or overwrite it; stop all instances of the \
         pipeline first (an instance that was killed leaves once its session has timed out)"
    )]
    Running,
    /// The group has no position of ours.
    #[error(
        "the group has no position with millstream's metadata of this partition: there is nothing \
         to change; `partition show` says what a start would do"
    )]
    NoPosition,
    /// The position is one of another definition.
    #[error(
        "the position was committed under another definition; use the pipeline file that was run \
         last, or run this one with --migrate first"
    )]
    OtherDefinition,
    /// Nothing halted it.
    #[error("no expectation has halted the partition: `partition show` says how it stands")]
    NotHalted,
    /// The range is empty, or not in the log.
    #[error("offsets {from} to before {to} cannot be skipped: the log ends at {high}")]
    Range {
        /// First offset.
        from: i64,
        /// Offset behind the last.
        to: i64,
        /// End of the log.
        high: i64,
    },
    /// In order of event time what was consumed decides when others go.
    #[error(
        "offset {from} was consumed before the committed offset {committed}: in order of event time it \
         is held, or has decided what was released when; `partition rewind` to before it, then skip it"
    )]
    HeldOrReleased {
        /// First offset to skip.
        from: i64,
        /// The group's position.
        committed: i64,
    },
    /// What is folded again may come to other states than those stored.
    #[error(
        "{newer} snapshots are newer than {to}: records folded again may be released at other places, \
         and these would not fit any more; remove them first (`millstream state rm`)"
    )]
    NewerSnapshots {
        /// How many.
        newer: usize,
        /// Where it would go back to.
        to: LogPosition,
    },
    /// No room for another range.
    #[error(
        "the position has room for {SKIPPED_MAX} ranges of skipped offsets; skip a larger range \
         that spans several of them"
    )]
    TooManyRanges,
    /// No snapshot and no origin to go back to.
    #[error(
        "there is nothing to go back to at or before offset {to}: no snapshot that can be used, \
         and the log or the state begins behind it ({begin}); the group stands at {committed}"
    )]
    NothingBefore {
        /// What was asked for.
        to: i64,
        /// Where the log or the state begins.
        begin: i64,
        /// The group's position.
        committed: i64,
    },
    /// The coordinator did not take the position.
    #[error("the position was not committed: {0}")]
    Commit(String),
}

/// Looks at one partition and changes where it stands.
pub struct Operator {
    id: TopicPartition,
    recovery: Recovery,
    source: Source,
}

impl Operator {
    /// Connects to the cluster of the settings, without joining the pipeline's group.
    pub fn open(
        definition: Arc<Definition>,
        settings: &Settings,
        topic: &str,
        partition: i32,
    ) -> Result<Self, OperatorError> {
        let spec = definition.spec();
        if !spec.source.topics.iter().any(|known| known == topic) {
            return Err(OperatorError::ForeignTopic(topic.to_owned()));
        }
        let cluster = supervisor::admin(settings)?.cluster_id();
        let group = ConsumerGroup { id: spec.pipeline.clone(), instance: None };
        let properties = supervisor::consumer_properties(settings, None);
        let source = Source::join(&kafka::consumer_config(&properties, &group), &[])?;
        let place = Place::new(&definition, cluster, &supervisor::processor());
        let store = SnapshotStore::open_existing(&settings.snapshots)
            .inspect_err(|error| warn!(%error, "snapshots not looked at"))
            .ok();
        let build = BuildInfo {
            version: env!("CARGO_PKG_VERSION"),
            pipeline: &spec.pipeline,
            definition: definition.hash(),
        };
        let metrics = Arc::new(Metrics::new(&build));
        let rules = rebalance::rules(&definition, (false, false), &place);
        let identities = source.asker().identities(&[topic.to_owned()]);
        let identities = identities.map_err(OperatorError::Lookup)?;
        let inputs: BTreeMap<String, i32> =
            identities.into_iter().map(|topic| (topic.name, topic.partitions)).collect();
        let id = TopicPartition { topic: topic.to_owned(), partition };
        let recovery = Recovery {
            definition,
            place,
            rules,
            store,
            known: Known::default(),
            metrics,
            output_partitions: 1,
            inputs,
        };
        Ok(Self { id, recovery, source })
    }

    /// Where the partition stands and what a start would decide.
    pub fn show(&self) -> Result<Shown, OperatorError> {
        let (lookup, looked) = self.look()?;
        Ok(Shown::new(&lookup, &looked, &self.recovery.place))
    }

    /// Commits a change, unless the group has members by now.
    pub fn apply(&self, change: &Change) -> Result<(), OperatorError> {
        self.refuse_members()?;
        self.source.commit(std::slice::from_ref(&change.after)).map_err(|error| match error {
            CommitError::Rebalanced(_) => OperatorError::Running,
            CommitError::Retry(error) => OperatorError::Commit(error.to_string()),
        })?;
        let TopicPartition { topic, partition } = &self.id;
        let (before, after) = (change.before, change.after.offset);
        info!(topic, partition, before, after, decision = change.decision, "position changed");
        Ok(())
    }

    fn look(&self) -> Result<(Lookup, Looked), OperatorError> {
        let looked = self.recovery.inspect(&self.source.asker(), &self.id);
        looked.map_err(|unknown| OperatorError::Lookup(unknown.to_string()))
    }

    /// The position that is to be changed, with its metadata.
    fn standing(&self) -> Result<(Lookup, Looked, i64, Metadata), OperatorError> {
        self.refuse_members()?;
        let (lookup, looked) = self.look()?;
        let committed = lookup.committed.as_ref().ok_or(OperatorError::NoPosition)?;
        let metadata = Metadata::parse(&committed.metadata).ok_or(OperatorError::NoPosition)?;
        if metadata.state_hash != self.recovery.place.state_hash {
            return Err(OperatorError::OtherDefinition);
        }
        let offset = committed.offset;
        Ok((lookup, looked, offset, metadata))
    }

    /// The broker would refuse a commit from outside: this says so before anything is asked.
    fn refuse_members(&self) -> Result<(), OperatorError> {
        let members = self.source.asker().members(&self.recovery.place.pipeline);
        if members.is_some_and(|members| members > 0) {
            Err(OperatorError::Running)
        } else {
            Ok(())
        }
    }
}
