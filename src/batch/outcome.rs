//! One outcome for every record: the closed set of reasons, and what a pipeline does about each.

use std::fmt;

/// Why a record did not become a vector, in the order in which a record can meet them, but for those
/// that came later: their numbers are part of digests.
///
/// The set is closed: labels of metrics and the dead-letter header take their values from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Key, value and headers together exceed `limits.record_bytes`.
    Oversize,
    /// The value is null.
    Tombstone,
    /// The bytes are not a document of the declared format.
    Undecodable,
    /// The document does not match the schema.
    Invalid,
    /// The event time is missing or cannot be read.
    NoEventTime,
    /// A column of the entity key is null.
    NullKey,
    /// The record lies in another partition than its key says.
    Misplaced,
    /// The event time is too far ahead.
    Future,
    /// The event time is before the watermark.
    Late,
    /// The record repeats one that was seen.
    Duplicate,
    /// A filter let it fall.
    Filtered,
    /// A sample left it out.
    Sampled,
    /// A value was judged an outlier whose action is to reject or drop.
    Outlier,
    /// A value could not be converted.
    Cast,
    /// An expression failed on this record.
    Expression,
    /// A feature is null and `output.nulls` is `reject`.
    NullPolicy,
    /// The vector cannot be encoded or exceeds `limits.vector_bytes`.
    Encode,
    /// A condition under `expectations` that rejects records does not hold.
    Expectation,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Oversize,
        Self::Tombstone,
        Self::Undecodable,
        Self::Invalid,
        Self::NoEventTime,
        Self::NullKey,
        Self::Misplaced,
        Self::Future,
        Self::Late,
        Self::Duplicate,
        Self::Filtered,
        Self::Sampled,
        Self::Outlier,
        Self::Cast,
        Self::Expression,
        Self::NullPolicy,
        Self::Encode,
        Self::Expectation,
    ];

    /// The name used in pipeline files, metrics labels and dead-letter headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oversize => "oversize",
            Self::Tombstone => "tombstone",
            Self::Undecodable => "undecodable",
            Self::Invalid => "invalid",
            Self::NoEventTime => "no_event_time",
            Self::NullKey => "null_key",
            Self::Misplaced => "misplaced",
            Self::Future => "future",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Filtered => "filtered",
            Self::Sampled => "sampled",
            Self::Outlier => "outlier",
            Self::Cast => "cast",
            Self::Expression => "expression",
            Self::NullPolicy => "null_policy",
            Self::Encode => "encode",
            Self::Expectation => "expectation",
        }
    }

    /// The step that judges it, or the last that can: what the `.stage` header of a dead letter says
    /// unless [`Rejected::stage`] knows better.
    pub const fn stage(self) -> &'static str {
        match self {
            Self::Oversize | Self::Tombstone | Self::Undecodable => "decode",
            Self::Invalid
            | Self::NoEventTime
            | Self::NullKey
            | Self::Misplaced
            | Self::Future
            | Self::Late => "validate",
            Self::Duplicate | Self::Filtered | Self::Sampled | Self::Outlier | Self::Cast => {
                "clean"
            }
            Self::Expression | Self::NullPolicy => "feature",
            Self::Encode => "encode",
            Self::Expectation => "window",
        }
    }

    /// What happens where the pipeline file says nothing.
    pub const fn default_policy(self) -> Policy {
        match self {
            Self::Duplicate | Self::Filtered | Self::Sampled | Self::Tombstone => Policy::Drop,
            _ => Policy::Reject,
        }
    }

    /// The policies a pipeline file may name for this reason.
    pub const fn allowed(self) -> &'static [Policy] {
        match self {
            Self::Late | Self::Future | Self::Outlier => {
                &[Policy::Reject, Policy::Drop, Policy::Keep]
            }
            Self::Tombstone => &[Policy::Reject, Policy::Drop, Policy::Forget],
            _ => &[Policy::Reject, Policy::Drop],
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The header that `dlq replay` puts on a dead letter that it sends again: how often that was done
/// by now, as a decimal number. A late record with it is kept unless the pipeline file says
/// otherwise.
pub const REPLAYED: &[u8] = b"millstream-replayed";

/// What a pipeline does with the records of one [`Reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// To the dead-letter topic.
    Reject,
    /// Counted, not kept.
    Drop,
    /// Goes on as if nothing had been found.
    Keep,
    /// Clears the key's state; for tombstones.
    Forget,
}

impl Policy {
    /// The name used in pipeline files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Drop => "drop",
            Self::Keep => "keep",
            Self::Forget => "forget",
        }
    }
}

/// The policy of every reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes([Policy; Reason::ALL.len()]);

impl Default for Outcomes {
    fn default() -> Self {
        Self(Reason::ALL.map(Reason::default_policy))
    }
}

impl Outcomes {
    /// The policy for `reason`.
    pub fn policy(&self, reason: Reason) -> Policy {
        self.0[reason as usize]
    }

    /// Sets the policy for `reason`; the caller has checked [`Reason::allowed`].
    pub fn set(&mut self, reason: Reason, policy: Policy) {
        self.0[reason as usize] = policy;
    }
}

/// A record that cannot become a vector. A value, not an error: bad input is normal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Index of the record in its [`RawBatch`](super::RawBatch).
    pub record: u32,
    /// Why.
    pub reason: Reason,
    /// The step that found it; an expression fails wherever it stands.
    pub stage: &'static str,
    /// Which field and what was expected; never the payload.
    pub detail: String,
    /// The policy where the component decides it (an outlier's `drop`), else the pipeline's.
    pub policy: Option<Policy>,
}

/// The records that left on the way, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Rejections(pub Vec<Rejected>);

impl Rejections {
    /// Notes that `record` leaves for `reason`, in the step that judges it.
    pub fn push(&mut self, record: u32, reason: Reason, detail: impl Into<String>) {
        self.push_from(reason.stage(), record, reason, detail);
    }

    /// Notes that `record` leaves for `reason` in the step `stage`.
    pub fn push_from(
        &mut self,
        stage: &'static str,
        record: u32,
        reason: Reason,
        detail: impl Into<String>,
    ) {
        self.0.push(Rejected { record, reason, stage, detail: detail.into(), policy: None });
    }
}
