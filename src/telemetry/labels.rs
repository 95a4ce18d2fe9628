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
