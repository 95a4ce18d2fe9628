//! Why a partition cannot begin or go on.

use crate::state::snapshot::LogPosition;
use chrono::{DateTime, SecondsFormat};
use std::fmt;

/// A person decides; nothing is skipped or read twice by accident.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The committed offset is before the log: retention, or somebody who deletes, passed it.
    #[error(
        "committed offset {committed} is outside the log ({low} to {high}): records were deleted \
         before they were read; set `source.out_of_range` to earliest or latest to go on there, or \
         reset the group's offsets"
    )]
    OutOfRange {
        /// The group's position.
        committed: i64,
        /// First offset in the log.
        low: i64,
        /// End of the log.
        high: i64,
    },
    /// The committed offset is behind the end of the log.
    #[error(
        "committed offset {committed} is behind the end of the log, {high}: the log was cut (an \
         unclean leader election, or a restored broker), so that what was folded is not what is in \
         it; set `source.out_of_range` to go on at either end, or reset the group's offsets"
    )]
    LogTruncated {
        /// The group's position.
        committed: i64,
        /// End of the log.
        high: i64,
    },
    /// The log was cut and written on.
    #[error(
        "the record at offset {offset} is not the one that was folded: the log was cut there or \
         before and written on (an unclean leader election, or a restored broker), so that what was \
         published is not what is in it; `millstream partition rewind` goes back to a snapshot \
         before the cut, or reset the group's offsets to begin anew"
    )]
    LogRewritten {
        /// Of the newest record folded before the committed offset.
        offset: i64,
    },
    /// The records that made the state are gone.
    #[error(
        "the state cannot be rebuilt: it began at offset {origin}, the log now begins at {low}, and \
         no snapshot in between can be used; values would be wrong without the records between; \
         bring a snapshot back, or reset the group's offsets to begin anew"
    )]
    ReplayGap {
        /// Where the state began.
        origin: i64,
        /// First offset in the log.
        low: i64,
    },
    /// No state is at hand from which on all ticks are known.
    #[error(
        "the state cannot be rebuilt: the ticks that released held records are known from position \
         {from} on only, and no snapshot since then can be used; values would be wrong without them; \
         bring a snapshot back, or reset the group's offsets to begin anew"
    )]
    TicksForgotten {
        /// Where the ticks that are known begin.
        from: LogPosition,
    },
    /// The definition's stateful part is another than the one that was committed.
    #[error(
        "the group was run with another definition (state hash {theirs:016x}, this file has \
         {ours:016x}); run it with --migrate to rebuild the state with this file"
    )]
    OtherDefinition {
        /// This file's.
        ours: u64,
        /// The committed one.
        theirs: u64,
    },
    /// The committed position carries no metadata of ours.
    #[error(
        "the group has committed offset {committed} without millstream's metadata: another program \
         uses this group, or an operator reset it; with `run --migrate` the state begins empty there"
    )]
    Foreign {
        /// The group's position.
        committed: i64,
    },
    /// The group was here before, as snapshots or this process tell, and has no position.
    #[error(
        "the group has no committed offset, yet it had one: there are snapshots of this partition, \
         or this process has seen it; offsets expire, are deleted, and brokers lose them; restore \
         them, or with `run --migrate` the state begins anew at `source.start`"
    )]
    OffsetMissing,
    /// The group is behind where this process has seen it.
    #[error(
        "the group's committed offset is {committed}, yet this process has seen it at {seen}: \
         brokers that lose commits would make it publish everything since then twice; restore the \
         offset, or, if it was moved back on purpose, start the process again"
    )]
    OffsetBack {
        /// The group's position.
        committed: i64,
        /// Where it was.
        seen: i64,
    },
    /// The topic was deleted and made again.
    #[error(
        "topic id {theirs} was committed, the topic now has id {ours}: it was deleted and made \
         again, and its offsets are those of other records; set `source.out_of_range` to earliest \
         or latest to begin anew there, or reset the group's offsets"
    )]
    TopicRecreated {
        /// The topic's id now.
        ours: String,
        /// The committed one.
        theirs: String,
    },
    /// The position was committed on another cluster.
    #[error(
        "the position was committed on cluster {theirs}, this is cluster {ours}: offsets of a \
         mirrored or failed-over cluster are those of other records; with `run --migrate` the state \
         begins empty at the committed offset"
    )]
    OtherCluster {
        /// This cluster's id.
        ours: String,
        /// The committed one.
        theirs: String,
    },
    /// Folding a record panicked.
    #[error(
        "folding the records from offset {from} to before {to} panicked: a defect of this program, \
         please report it with the log line `panicked` before this one; what was committed stands; \
         `millstream partition skip` goes on without them"
    )]
    FoldFailed {
        /// The first of these records.
        from: i64,
        /// The offset behind the last.
        to: i64,
    },
    /// An expectation with the severity `halt` was not met.
    #[error(
        "the expectation `{expectation}` was not met{window}: everything before offset {offset} is \
         published and committed, nothing behind it is; `millstream partition resume` goes on there"
    )]
    ExpectationNotMet {
        /// Its name.
        expectation: String,
        /// The window that did not meet it.
        window: Within,
        /// Where the partition goes on once it may.
        offset: i64,
    },
    /// The topic got more partitions.
    #[error(
        "the topic had {before} partitions and now has {now}: keys have moved between partitions, \
         so that their windows are split; run with --accept-growth to read the new partitions from \
         their beginning"
    )]
    PartitionsGrew {
        /// When positions were committed.
        before: i32,
        /// Now.
        now: i32,
    },
}

impl Stop {
    /// A short stable code for logs and `/readyz`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "OFFSET_OUT_OF_RANGE",
            Self::LogTruncated { .. } => "LOG_TRUNCATED",
            Self::LogRewritten { .. } => "LOG_REWRITTEN",
            Self::ReplayGap { .. } => "REPLAY_GAP",
            Self::TicksForgotten { .. } => "TICKS_FORGOTTEN",
            Self::OtherDefinition { .. } => "OTHER_DEFINITION",
            Self::Foreign { .. } => "FOREIGN_OFFSET",
            Self::OffsetMissing => "OFFSET_MISSING",
            Self::OffsetBack { .. } => "OFFSET_WENT_BACK",
            Self::TopicRecreated { .. } => "TOPIC_RECREATED",
            Self::OtherCluster { .. } => "OTHER_CLUSTER",
            Self::PartitionsGrew { .. } => "PARTITIONS_GREW",
            Self::FoldFailed { .. } => "FOLD_FAILED",
            Self::ExpectationNotMet { .. } => "EXPECTATION_NOT_MET",
        }
    }
}

/// A window of event time in microseconds, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within(Option<(i64, i64)>);

impl From<Option<(i64, i64)>> for Within {
    fn from(window: Option<(i64, i64)>) -> Self {
        Self(window)
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((begin, end)) = self.0 else { return f.write_str(" by a record") };
        let time = |us| {
            let time = DateTime::from_timestamp_micros(us);
            time.map_or(us.to_string(), |t| t.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        };
        write!(f, " in the window from {} to {}", time(begin), time(end))
    }
}
