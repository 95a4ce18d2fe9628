//! Where snapshots of partitions' states are kept: a directory, or a bucket that instances share.
//!
//! The calls block and are for plain threads: each drives the store's own small runtime, ends
//! within a limit of time, and has had its failed requests repeated with growing random pauses.
//! From inside an asynchronous task they panic.

mod error;
mod local;
mod name;
mod objects;
mod open;

#[cfg(test)]
mod tests;

pub use error::{Cause, Operation, Remedy, StoreError};
pub use name::{Name, PartitionKey};

use crate::{
    settings::Snapshots,
    state::snapshot::{Header, LogPosition},
};
use bytes::Bytes;
use object_store::{ObjectStore, path::Path};
use objects::{Objects, Written};
use open::{Opened, Patience};
use std::{sync::Arc, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// Longest time of a call, beside what its bytes take.
const LONGEST: Duration = Duration::from_mins(1);
/// A store that moves bytes slower than this counts as one that does not answer.
const BYTES_PER_SECOND_MIN: u64 = 4 << 20;

/// A snapshot in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub name: Name,
    /// Its size.
    pub bytes: u64,
    /// When it was stored, milliseconds since the epoch, by the store's clock.
    pub stored_ms: i64,
}

/// An object that is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its name in the store.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// Everything in a store, in no particular order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Snapshots.
    pub snapshots: Vec<Entry>,
    /// What is none: partial, empty and foreign files.
    pub foreign: Vec<Foreign>,
}

/// What became of a snapshot that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a divergence has to be counted and told"]
pub enum Stored {
    /// It stands in the store and survives a power cut.
    Written,
    /// It stood there already: another instance folded the same records to the same state.
    Known,
    /// It stands there, and so does another state for the same position: one of the two folds was
    /// not deterministic. A recovery tells them apart by the committed digest.
    Divergent {
        /// The snapshots of the position with another digest.
        others: Vec<Name>,
    },
}

/// A store of snapshots. Cheap to clone; clones share connections and runtime.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    inner: Arc<Inner>,
    /// A limit for whole calls, instead of the usual.
    longest: Option<Duration>,
}

#[derive(Debug)]
struct Inner {
    shown: String,
    objects: Objects,
    /// Always there until the drop.
    runtime: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The last clone may go in an asynchronous task, where waiting for threads panics.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl SnapshotStore {
    /// Opens the store of the settings to write to it; a missing directory is made. One that time
    /// may bring back is opened when it is used; a bucket is not asked anything yet.
    pub fn open(settings: &Snapshots) -> Result<Self, StoreError> {
        Ok(Self::new(open::open(settings, Patience::Waits)?))
    }

    /// Opens the store of the settings to look at it: a missing directory is an error.
    pub fn open_existing(settings: &Snapshots) -> Result<Self, StoreError> {
        Ok(Self::new(open::open(settings, Patience::None)?))
    }

    /// Any object store as a store of snapshots, named `shown` in messages: for tests that make
    /// one fail.
    pub fn over(objects: Arc<dyn ObjectStore>, shown: &str) -> Self {
        Self::new(Opened { shown: shown.to_owned(), objects, parts: true })
    }

    fn new(opened: Opened) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("snapshots")
            .enable_all()
            .build()
            .expect("the system has room for one more thread");
        let Opened { shown, objects, parts } = opened;
        let objects = Objects { objects, parts };
        Self { inner: Arc::new(Inner { shown, objects, runtime: Some(runtime) }), longest: None }
    }

    /// The same store, each call of which ends after `longest`, whatever the number of bytes.
    #[must_use]
    pub fn within(&self, longest: Duration) -> Self {
        Self { inner: Arc::clone(&self.inner), longest: Some(longest) }
    }

    /// The store as messages name it: a URL without secrets.
    pub fn shown(&self) -> &str {
        &self.inner.shown
    }

    /// Stores the snapshot with this header, complete or not at all.
    pub fn put(&self, header: &Header, bytes: impl Into<Bytes>) -> Result<Stored, StoreError> {
        let (name, bytes) = (Name::of(header), bytes.into());
        assert!(!bytes.is_empty(), "a snapshot has a header");
        let objects = &self.inner.objects;
        let work = async {
            let written = objects.write(&name, &bytes).await?;
            // Looked for afterwards: of two that write at a time the later one sees the other.
            let others = objects.list(&name.partition).await?;
            Ok((written, others))
        };
        let limit = self.limit(bytes.len() as u64);
        let (written, entries) = self
            .block(Operation::Write, limit, work)
            .map_err(|error| error.about(&name.to_string()))?;
        let others: Vec<Name> = entries
            .into_iter()
            .map(|entry| entry.name)
            .filter(|other| other.position == name.position && other.digest != name.digest)
            .collect();
        Ok(match written {
            _ if !others.is_empty() => Stored::Divergent { others },
            Written::New => Stored::Written,
            Written::Known => Stored::Known,
        })
    }

    /// Snapshots of the partition, newest position first. Several of one position differ in their
    /// digest.
    pub fn list(&self, partition: &PartitionKey) -> Result<Vec<Entry>, StoreError> {
        let work = self.inner.objects.list(partition);
        self.block(Operation::List, self.limit(0), work)
    }

    /// Snapshots of the same pipeline, topic and partition under another definition or another
    /// topic id, newest position first.
    pub fn list_other(&self, partition: &PartitionKey) -> Result<Vec<Entry>, StoreError> {
        let work = self.inner.objects.list_other(partition);
        self.block(Operation::List, self.limit(0), work)
    }

    /// Everything in the store, or everything of one pipeline.
    pub fn list_all(&self, pipeline: Option<&str>) -> Result<Listing, StoreError> {
        let prefix = pipeline.map(Path::from);
        let work = self.inner.objects.list_all(prefix.as_ref());
        self.block(Operation::List, self.limit(0), work)
    }

    /// The bytes of a snapshot, as many as the listing said. Nothing else about them is checked.
    pub fn get(&self, entry: &Entry) -> Result<Bytes, StoreError> {
        self.get_start(entry, entry.bytes)
    }

    /// The first `bytes` bytes of a snapshot, all of them where it has fewer.
    pub fn get_start(&self, entry: &Entry, bytes: u64) -> Result<Bytes, StoreError> {
        let wanted = bytes.min(entry.bytes);
        let about = |error: StoreError| error.about(&entry.name.to_string());
        let work = self.inner.objects.read(entry, wanted);
        let read = self.block(Operation::Read, self.limit(wanted), work).map_err(about)?;
        if read.len() as u64 != wanted {
            let reason = format!("{} bytes came, {wanted} were expected", read.len());
            let error = StoreError::new(self.shown(), Operation::Read, Cause::Incomplete, &reason);
            return Err(about(error));
        }
        Ok(read.into())
    }

    /// Removes the partition's snapshots but those of the newest `keep` positions at or before
    /// `not_after`; one beyond it is never removed. Returns what was removed.
    pub fn retain(
        &self,
        partition: &PartitionKey,
        keep: usize,
        not_after: LogPosition,
    ) -> Result<Vec<Name>, StoreError> {
        assert!(keep > 0, "the newest snapshot of a position is kept");
        let mut kept: Option<LogPosition> = None;
        let mut positions = 0;
        let mut removed = Vec::new();
        for entry in self.list(partition)? {
            if entry.name.position > not_after {
                continue;
            }
            if kept != Some(entry.name.position) {
                kept = Some(entry.name.position);
                positions += 1;
            }
            if positions > keep {
                self.remove(&entry.name)?;
                removed.push(entry.name);
            }
        }
        Ok(removed)
    }

    /// Removes a snapshot; one that is gone already is no error.
    pub fn remove(&self, name: &Name) -> Result<(), StoreError> {
        let work = self.inner.objects.remove(name);
        self.block(Operation::Remove, self.limit(0), work)
            .map_err(|error| error.about(&name.to_string()))
    }

    fn limit(&self, bytes: u64) -> Duration {
        let usual = || LONGEST + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN);
        self.longest.unwrap_or_else(usual)
    }

    fn block<T>(
        &self,
        operation: Operation,
        longest: Duration,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreError> {
        let runtime = self.inner.runtime.as_ref().expect("it goes with the store");
        let shown = self.shown();
        match runtime.block_on(async { tokio::time::timeout(longest, work).await }) {
            Ok(outcome) => outcome.map_err(|error| StoreError::of(shown, operation, &error)),
            Err(_) => Err(StoreError::timed_out(shown, operation, longest)),
        }
    }
}
