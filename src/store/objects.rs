//! Snapshots over any object store: what the calls of [`super::SnapshotStore`] do, asynchronously
//! and without limits of time.

use super::{Entry, Foreign, Listing, Name, PartitionKey};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, Result,
    WriteMultipart, path::Path,
};
use std::sync::Arc;

/// Larger snapshots go to a bucket in parts: one request would be lost as a whole.
const WHOLE_BYTES_MAX: usize = 64 << 20;
/// Bytes of a part, written or read by one request.
const PART_BYTES: usize = 16 << 20;
/// Parts under way at a time.
const PARTS_MAX: usize = 4;
/// Memory that is reserved on the word of a listing.
const RESERVED_BYTES_MAX: u64 = 1 << 30;

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// The bytes stand there now.
    New,
    /// As many bytes stood there already.
    Known,
}

/// An object store that holds snapshots.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// Whether large objects go in parts.
    pub(super) parts: bool,
}

impl Objects {
    /// Writes a snapshot unless it is there. A rest of other length in its place is replaced.
    pub(super) async fn write(&self, name: &Name, bytes: &Bytes) -> Result<Written> {
        let location = name.location();
        if self.parts && bytes.len() > WHOLE_BYTES_MAX {
            if self.holds(&location, bytes.len()).await? {
                return Ok(Written::Known);
            }
            self.write_parts(&location, bytes).await?;
            return Ok(Written::New);
        }
        let put = |mode: PutMode| {
            let payload = PutPayload::from(bytes.clone());
            self.objects.put_opts(&location, payload, mode.into())
        };
        match put(PutMode::Create).await {
            Ok(_) => return Ok(Written::New),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                if self.holds(&location, bytes.len()).await? {
                    return Ok(Written::Known);
                }
            }
            // A store without conditional writes: what it replaces is the same state.
            Err(Error::NotImplemented { .. }) => {}
            Err(error) => return Err(error),
        }
        put(PutMode::Overwrite).await?;
        Ok(Written::New)
    }

    async fn holds(&self, location: &Path, bytes: usize) -> Result<bool> {
        match self.objects.head(location).await {
            Ok(meta) => Ok(usize::try_from(meta.size).is_ok_and(|size| size == bytes)),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn write_parts(&self, location: &Path, bytes: &Bytes) -> Result<()> {
        let upload = self.objects.put_multipart(location).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        for start in (0..bytes.len()).step_by(PART_BYTES) {
            if let Err(error) = upload.wait_for_capacity(PARTS_MAX).await {
                upload.abort().await?;
                return Err(error);
            }
            upload.put(bytes.slice(start..bytes.len().min(start + PART_BYTES)));
        }
        upload.finish().await?;
        Ok(())
    }

    /// Snapshots of a partition, newest position first. Everything else is passed over.
    pub(super) async fn list(&self, partition: &PartitionKey) -> Result<Vec<Entry>> {
        let folder = partition.folder();
        let objects: Vec<ObjectMeta> = self.objects.list(Some(&folder)).try_collect().await?;
        let of_partition = |entry: &Entry| entry.name.partition == *partition;
        let mut entries: Vec<Entry> =
            objects.iter().filter_map(entry).filter(of_partition).collect();
        sort(&mut entries);
        Ok(entries)
    }

    /// Snapshots of the same pipeline, topic and partition under another definition or topic id.
    pub(super) async fn list_other(&self, partition: &PartitionKey) -> Result<Vec<Entry>> {
        let is_other = |entry: &Entry| {
            let other = &entry.name.partition;
            other.is_same_partition(partition) && other != partition
        };
        let mut entries = Vec::new();
        for hash in self.folders(Path::from(partition.pipeline.as_str())).await? {
            for topic_id in self.folders(hash.join(partition.topic.as_str())).await? {
                let folder = topic_id.join(partition.partition.to_string());
                let objects: Vec<ObjectMeta> =
                    self.objects.list(Some(&folder)).try_collect().await?;
                entries.extend(objects.iter().filter_map(entry).filter(is_other));
            }
        }
        sort(&mut entries);
        Ok(entries)
    }

    async fn folders(&self, parent: Path) -> Result<Vec<Path>> {
        Ok(self.objects.list_with_delimiter(Some(&parent)).await?.common_prefixes)
    }

    /// Everything below `prefix`, and what of it is no snapshot.
    pub(super) async fn list_all(&self, prefix: Option<&Path>) -> Result<Listing> {
        let mut listing = Listing::default();
        if let Some(prefix) = prefix {
            self.add_folder(&mut listing, prefix).await?;
            return Ok(listing);
        }
        // Folder by folder: the root of a volume has some that belong to the system.
        let top = self.objects.list_with_delimiter(None).await?;
        for meta in &top.objects {
            listing.add(meta);
        }
        for folder in &top.common_prefixes {
            match self.add_folder(&mut listing, folder).await {
                Err(error) if super::error::cause(&error) == super::Cause::Denied => {
                    let name = format!("{folder}/ (not readable)");
                    listing.foreign.push(Foreign { name, bytes: 0 });
                }
                outcome => outcome?,
            }
        }
        Ok(listing)
    }

    async fn add_folder(&self, listing: &mut Listing, folder: &Path) -> Result<()> {
        let mut objects = self.objects.list(Some(folder));
        while let Some(meta) = objects.try_next().await? {
            listing.add(&meta);
        }
        Ok(())
    }

    /// The first `bytes` bytes of an object, all of them where there are fewer.
    pub(super) async fn read(&self, entry: &Entry, bytes: u64) -> Result<Vec<u8>> {
        let location = entry.name.location();
        let end = entry.bytes.min(bytes);
        let part = PART_BYTES as u64;
        let starts = (0..end.div_ceil(part)).map(|index| index * part);
        let parts =
            starts.map(|start| self.objects.get_range(&location, start..end.min(start + part)));
        let mut parts = stream::iter(parts).buffered(PARTS_MAX);
        let reserved = usize::try_from(end.min(RESERVED_BYTES_MAX)).unwrap_or(0);
        let mut read = Vec::with_capacity(reserved);
        while let Some(part) = parts.try_next().await? {
            read.extend_from_slice(&part);
        }
        Ok(read)
    }

    /// Removes a snapshot; one that is gone already is removed.
    pub(super) async fn remove(&self, name: &Name) -> Result<()> {
        match self.objects.delete(&name.location()).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Listing {
    fn add(&mut self, meta: &ObjectMeta) {
        if let Some(entry) = entry(meta) {
            self.snapshots.push(entry);
        } else {
            let name = meta.location.to_string();
            self.foreign.push(Foreign { name, bytes: meta.size });
        }
    }
}

/// The snapshot that an object is, if it is one. An empty object never is.
fn entry(meta: &ObjectMeta) -> Option<Entry> {
    let name = Name::parse(meta.location.as_ref()).filter(|_| meta.size > 0)?;
    Some(Entry { name, bytes: meta.size, stored_ms: meta.last_modified.timestamp_millis() })
}

fn sort(entries: &mut [Entry]) {
    let order = |entry: &Entry| (entry.name.position, entry.name.digest.clone());
    entries.sort_by_key(|entry| std::cmp::Reverse(order(entry)));
}
