//! The closed sets that labels take their values from.

/// A part of a batch's way that is timed. The label `step`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes to columns.
    Decode,
    /// Rules and gates.
    Validate,
    /// Cleaning operators.
    Clean,
    /// Windows.
    Window,
    /// The vector's fields, and columns to messages.
    Encode,
    /// Handing messages to the producer and waiting for their acknowledgement.
    Send,
    /// Committing offsets.
    Commit,
}

impl Step {
    /// All steps in order.
    pub const ALL: [Self; 7] = [
        Self::Decode,
        Self::Validate,
        Self::Clean,
        Self::Window,
        Self::Encode,
        Self::Send,
        Self::Commit,
    ];

    /// The label value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Validate => "validate",
            Self::Clean => "clean",
            Self::Window => "window",
            Self::Encode => "encode",
            Self::Send => "send",
            Self::Commit => "commit",
        }
    }
}

/// How a commit ended. The label `result` of `commits_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitResult {
    /// The broker has the offsets.
    Committed,
    /// The commit was refused; what it covered is sent again or taken over by another member.
    Failed,
}

impl CommitResult {
    pub(super) const NAMES: [&str; 2] = ["committed", "failed"];
}

/// How a transaction ended. The label `result` of `transactions_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionResult {
    /// Vectors, dead letters and offsets stand.
    Committed,
    /// Nothing of it stands; its messages are sent again or taken over by another member.
    Aborted,
    /// The broker refused it because another producer or member has taken over.
    Fenced,
    /// The broker did not say how it ended; the committed offsets decide.
    Ambiguous,
}

impl TransactionResult {
    pub(super) const NAMES: [&str; 4] = ["committed", "aborted", "fenced", "ambiguous"];
}

/// How the writing of a snapshot ended. The label `result` of `snapshots_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotResult {
    /// It stands in the store.
    Written,
    /// The store did not take it; the next one is tried at its time.
    Failed,
    /// The state read back from it was another.
    Divergent,
}

impl SnapshotResult {
    pub(super) const NAMES: [&str; 3] = ["written", "failed", "divergent"];
}

/// Why a snapshot in the store was not used. The label `reason` of `snapshots_rejected_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotRejection {
    /// It cannot be read: truncated, or a checksum differs.
    Corrupt,
    /// It was written by another version of the format.
    Version,
    /// It belongs to another definition of the state.
    Definition,
    /// It belongs to another topic, or to an earlier one of that name.
    Topic,
    /// It lies beyond the committed position.
    Ahead,
    /// The store did not hand it out.
    Unavailable,
}

impl SnapshotRejection {
    pub(super) const NAMES: [&str; 6] =
        ["corrupt", "version", "definition", "topic", "ahead", "unavailable"];
}

/// What happened to a partition. The label `kind` of `rebalances_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebalance {
    /// Partitions were assigned.
    Assigned,
    /// Partitions were given back in order.
    Revoked,
    /// Partitions were taken away.
    Lost,
}

impl Rebalance {
    pub(super) const NAMES: [&str; 3] = ["assigned", "revoked", "lost"];
}

/// The labels of `build_info`.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo<'a> {
    /// Version of the program.
    pub version: &'a str,
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Hash of its definition, as on the vectors.
    pub definition: &'a str,
}
