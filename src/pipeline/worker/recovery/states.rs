//! States as they lie in the store: which there are, and which can be used.

use super::{Recovery, start::Start};
use crate::{
    pipeline::Fold,
    state::snapshot::{self, SnapshotError},
    store::{Entry, Name, PartitionKey, StoreError},
    telemetry::SnapshotRejection,
};
use tracing::warn;

/// Why a snapshot is of no use.
pub(super) enum Unusable {
    /// The store does not answer: perhaps the next time.
    Away(StoreError),
    /// It is damaged, or not what it is named.
    Rejected(SnapshotRejection, String),
}

impl Recovery {
    /// Snapshots of the partition, newest first, and whether there are others of it, where that is
    /// asked for.
    pub(super) fn list(
        &self,
        key: &PartitionKey,
        look_for_others: bool,
    ) -> Result<(Vec<Entry>, bool), StoreError> {
        let Some(store) = &self.store else { return Ok((Vec::new(), false)) };
        let listed = store.list(key).and_then(|entries| {
            let others = look_for_others && !store.list_other(key)?.is_empty();
            Ok((entries, others))
        });
        listed.inspect_err(|error| {
            self.metrics.snapshots_rejected_total(SnapshotRejection::Unavailable).inc();
            warn!(topic = key.topic, partition = key.partition, %error, "snapshots not listed");
        })
    }

    /// The state of one snapshot, unless it cannot be used; the log says why.
    pub(super) fn load(&self, entry: &Entry, start: &Start) -> Result<Fold, Unusable> {
        let store = self.store.as_ref().expect("who lists snapshots has a store");
        let bytes = store.get(entry).map_err(Unusable::Away);
        let fold = bytes.and_then(|bytes| self.restore(&bytes, entry, start));
        fold.inspect_err(|unusable| {
            let (rejection, reason) = match unusable {
                Unusable::Away(error) => (SnapshotRejection::Unavailable, error.to_string()),
                Unusable::Rejected(rejection, reason) => (*rejection, reason.clone()),
            };
            self.metrics.snapshots_rejected_total(rejection).inc();
            warn!(snapshot = %entry.name, reason, "snapshot not used");
        })
    }

    fn restore(&self, bytes: &[u8], entry: &Entry, start: &Start) -> Result<Fold, Unusable> {
        let corrupt = |error: SnapshotError| {
            let rejection = match error {
                SnapshotError::NewerVersion { .. } => SnapshotRejection::Version,
                _ => SnapshotRejection::Corrupt,
            };
            Unusable::Rejected(rejection, error.to_string())
        };
        let refused = |rejection, what: &str| Err(Unusable::Rejected(rejection, what.to_owned()));
        let (header, sections) = snapshot::read(bytes).map_err(corrupt)?;
        let mut fold = self.definition.fold(Some(header.partitions));
        if Name::of(&header) != entry.name {
            return refused(SnapshotRejection::Topic, "its header says that it is another one");
        }
        if header.origin != start.origin {
            let what = "its state began at another offset than the committed one";
            return refused(SnapshotRejection::Definition, what);
        }
        fold.restore(&sections).map_err(corrupt)?;
        let digest = format!("{:016x}", fold.digest());
        let at = header.position.offset;
        if header.skipped.before(at) != start.skipped.before(at) {
            let what = "other offsets before it were skipped than the committed ones";
            return refused(SnapshotRejection::Definition, what);
        }
        let at_committed = start.skipped.next_kept(at) >= start.committed.offset
            && start.ticks_behind(header.position).is_empty();
        let differs = start.digest.is_some_and(|committed| committed != fold.digest());
        if digest != header.digest || (at_committed && differs) {
            return refused(SnapshotRejection::Corrupt, "its digest is not the committed one");
        }
        Ok(fold)
    }
}
