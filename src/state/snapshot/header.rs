//! What a snapshot says of itself before its state.

use super::skipped::Skipped;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A place in the log of one partition: what was folded before it is in the state, nothing else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogPosition {
    /// Next offset to fold.
    pub offset: i64,
    /// Logged decisions at that offset that are in the state already, such as an idle tick.
    pub tick: u32,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tick {
            0 => write!(f, "{}", self.offset),
            tick => write!(f, "{}+{tick}", self.offset),
        }
    }
}

/// Outcomes of every record before a position:
/// `consumed = published + rejected + dropped + held`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Records taken from the log.
    pub consumed: u64,
    /// Vectors written.
    pub published: u64,
    /// Records written to the dead-letter topic.
    pub rejected: u64,
    /// Records counted and let go.
    pub dropped: u64,
    /// Records waiting for the watermark.
    pub held: u64,
}

impl Ledger {
    /// True if every record has exactly one outcome.
    pub fn balanced(&self) -> bool {
        self.consumed == self.published + self.rejected + self.dropped + self.held
    }
}

/// Which state a snapshot holds, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Hash of the part of the definition that decides the state.
    pub state_hash: String,
    /// Version of the fold.
    pub fold_version: u32,
    /// Program version, operating system and processor: bits are promised on the same only.
    pub platform: String,
    /// Id of the cluster, where it is known.
    pub cluster_id: Option<String>,
    /// Topic.
    pub topic: String,
    /// Id of the topic, where the cluster tells it: another one is another log.
    pub topic_id: Option<String>,
    /// Partition.
    pub partition: i32,
    /// Partitions the topic had.
    pub partitions: i32,
    /// Where the fold stood.
    pub position: LogPosition,
    /// First offset ever folded into the state.
    pub origin: i64,
    /// Watermark at the position, microseconds.
    pub watermark: Option<i64>,
    /// Rolling digest of the fold at the position, hexadecimal.
    pub digest: String,
    /// Outcomes of the records before the position.
    pub ledger: Ledger,
    /// Offsets that an operator skipped, before the position or behind it.
    #[serde(default)]
    pub skipped: Skipped,
    /// Keys with state.
    pub keys: u64,
    /// When it was taken, milliseconds since the epoch. Tells nothing about the state.
    pub taken_ms: i64,
}
