//! Why bytes are not a snapshot that can be restored.

use std::io;
use thiserror::Error;

/// A snapshot that cannot be used. None of these is a reason to stop: an older snapshot, or the log
/// itself, gives the same state.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The bytes do not begin as a snapshot does.
    #[error("not a snapshot: the file begins with other bytes")]
    NotASnapshot,
    /// Written by a newer program.
    #[error("format version {found} is newer than {known}, the newest this program reads")]
    NewerVersion {
        /// Version in the file.
        found: u32,
        /// Newest version that can be read.
        known: u32,
    },
    /// The file ends before the snapshot does.
    #[error("truncated: the file ends in {section}")]
    Truncated {
        /// Where it ends.
        section: String,
    },
    /// Bytes are not those that were written.
    #[error("damaged: the checksum of {section} does not match")]
    Checksum {
        /// What was damaged.
        section: String,
    },
    /// Bytes are as they were written, but they do not make sense.
    #[error("section `{section}` cannot be used: {what}")]
    Malformed {
        /// Name of the section.
        section: String,
        /// What is wrong with it.
        what: String,
    },
}

impl SnapshotError {
    /// A section that does not make sense.
    pub fn malformed(section: &str, what: impl Into<String>) -> Self {
        Self::Malformed { section: section.to_owned(), what: what.into() }
    }

    pub(super) fn truncated(section: impl Into<String>) -> Self {
        Self::Truncated { section: section.into() }
    }
}

/// For the tools that read snapshots among other files.
impl From<SnapshotError> for io::Error {
    fn from(error: SnapshotError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}
