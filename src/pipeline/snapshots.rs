//! Snapshots as an operator looks at them: what they hold, whether they can be used, which is the
//! one that a restart would use.

use super::{Definition, FOLD_VERSION};
use crate::{
    state::snapshot::{self, HEADER_BYTES_MAX, Header, Sections, SnapshotError},
    store::{Entry, Name, SnapshotStore, StoreError},
};

/// Why a snapshot cannot be used, or be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The store did not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its bytes are not those of a snapshot.
    #[error(transparent)]
    Damaged(#[from] SnapshotError),
    /// It is a snapshot, but of something else than its name says.
    #[error("the header says `{found}`: the file was renamed or copied")]
    Misnamed {
        /// The name that its header gives it.
        found: String,
    },
    /// Another version of the fold made it.
    #[error("made by fold version {found}; this program's is {FOLD_VERSION}")]
    FoldVersion {
        /// That version.
        found: u32,
    },
    /// Its ledger does not add up.
    #[error("the outcomes in the header do not add up to the records consumed")]
    Unbalanced,
}

/// A snapshot that was read to its end.
#[derive(Debug)]
pub struct Inspected {
    /// Its header.
    pub header: Header,
    /// Its state.
    pub sections: Sections,
}

/// The header of a stored snapshot; the rest is not read.
pub fn header(store: &SnapshotStore, entry: &Entry) -> Result<Header, Unusable> {
    let start = store.get_start(entry, HEADER_BYTES_MAX as u64)?;
    Ok(snapshot::read_header(&start)?)
}

/// Reads the bytes of a snapshot to the end and checks every one of them.
pub fn inspect(bytes: &[u8]) -> Result<Inspected, Unusable> {
    let (header, sections) = snapshot::read(bytes)?;
    if !header.ledger.balanced() {
        return Err(Unusable::Unbalanced);
    }
    Ok(Inspected { header, sections })
}

/// Reads a stored snapshot to the end and checks it, its name too. A fold of `definition`, where it
/// is the snapshot's, has to take the state over.
pub fn verify(
    store: &SnapshotStore,
    entry: &Entry,
    definition: Option<&Definition>,
) -> Result<Inspected, Unusable> {
    let inspected = inspect(&store.get(entry)?)?;
    let found = Name::of(&inspected.header);
    if found != entry.name {
        return Err(Unusable::Misnamed { found: found.to_string() });
    }
    if let Some(definition) = definition {
        let Header { fold_version, partitions, .. } = inspected.header;
        if fold_version != FOLD_VERSION {
            return Err(Unusable::FoldVersion { found: fold_version });
        }
        definition.fold(Some(partitions)).restore(&inspected.sections)?;
    }
    Ok(inspected)
}

/// The newest of `entries`, newest first and of one partition, that can be used; those before it
/// that cannot are passed over.
pub fn newest_valid<'e>(
    store: &SnapshotStore,
    entries: &'e [Entry],
) -> Result<Option<&'e Entry>, StoreError> {
    for entry in entries {
        match verify(store, entry, None) {
            Ok(_) => return Ok(Some(entry)),
            Err(Unusable::Store(error)) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(None)
}

/// True if the snapshot was made by the definition, as far as state is concerned.
pub fn is_current(name: &Name, definition: &Definition) -> bool {
    let partition = &name.partition;
    partition.pipeline == definition.spec().pipeline
        && partition.state_hash == definition.state_hash()
}
