//! What became of the expectations that a pipeline has of its records, window by window.

use std::ops::Range;

/// An expectation of the records of a partition, as it is told with every verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// What it is called: unique within a pipeline.
    pub name: String,
    /// The column it is about, if it is about one.
    pub column: Option<String>,
    /// What is measured, by the name of the component.
    pub measure: &'static str,
    /// What happens where it is not met.
    pub severity: Severity,
    /// What the measured value has to be.
    pub threshold: Bounds,
}

/// What happens where an expectation is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Severity {
    /// It is told.
    #[default]
    Warn,
    /// The record leaves.
    Reject,
    /// The partition stops.
    Halt,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Warn, Self::Reject, Self::Halt];

    /// The name used in pipeline files and verdicts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Reject => "reject",
            Self::Halt => "halt",
        }
    }
}

/// What a measured value has to be: both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds {
    /// The least that is expected.
    pub min: Option<f64>,
    /// The most that is expected.
    pub max: Option<f64>,
}

impl Bounds {
    /// True if the value is neither too small nor too large; NaN never is in bounds.
    pub fn hold(self, value: f64) -> bool {
        !value.is_nan()
            && self.min.is_none_or(|min| value >= min)
            && self.max.is_none_or(|max| value <= max)
    }
}

/// Whether a window met an expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It did.
    Passed,
    /// It did not.
    Failed,
    /// It held too few values to be judged.
    Skipped,
}

impl Judgement {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Skipped];

    /// The name used in verdicts and metrics labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One expectation in one window that has closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Index, in its [`RawBatch`](super::RawBatch), of the record that closed the window: the
    /// verdict is told if and only if this record's outcome is.
    pub record: u32,
    /// Index of the expectation in the pipeline file.
    pub expectation: usize,
    /// Event times of the window in microseconds; the end is not part of it.
    pub window: Range<i64>,
    /// Values that it is about.
    pub count: u64,
    /// What was measured; none without values.
    pub observed: Option<f64>,
    /// Whether that is as expected.
    pub judgement: Judgement,
}

/// Where a partition stops because an expectation with [`Severity::Halt`] is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halt {
    /// Index, in its [`RawBatch`](super::RawBatch), of the last record that counts.
    pub record: u32,
    /// The partition's watermark after that record, microseconds.
    pub watermark: i64,
    /// Index of the expectation in the pipeline file.
    pub expectation: usize,
    /// Begin and end of the window that did not meet it; none where a record did not.
    pub window: Option<(i64, i64)>,
}
