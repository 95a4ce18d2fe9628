//! Snapshots in a directory, written so that after `put` returns they survive a power cut, and
//! that nobody else can read: they hold raw keys and values.
//!
//! Reading, listing and removing is `object_store`'s. Writing is not, for three things that it
//! does not do: files are 0600 from their first byte and directories 0700, and what a crash left
//! half-written is removed some time later. The directory is opened when it is first used: a volume
//! that is away when a process starts comes back, as one does that goes away later.

use async_trait::async_trait;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Extensions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    local::LocalFileSystem, path::Path as Location,
};
use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};
use tempfile::NamedTempFile;

/// The end of the name of a file that is not complete yet.
const STAGED: &str = ".staged";
/// A staged file this old belongs to a process that is no more: nobody writes that slowly.
const ABANDONED: Duration = Duration::from_hours(1);

/// A directory as an object store. Two processes may share it.
#[derive(Debug)]
pub(super) struct LocalDirectory {
    root: PathBuf,
    create: bool,
    opened: OnceLock<Root>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    files: LocalFileSystem,
}

impl Root {
    fn open(path: &Path, create: bool) -> Result<Self> {
        if create {
            create_folders(path).map_err(failed)?;
        }
        let path = fs::canonicalize(path).map_err(failed)?;
        let files = LocalFileSystem::new_with_prefix(&path)?;
        Ok(Self { path, files })
    }

    fn path(&self, location: &Location) -> PathBuf {
        location.parts().fold(self.path.clone(), |path, part| path.join(part.as_ref()))
    }
}

impl LocalDirectory {
    /// The directory, which need not be there yet; with `create` it is made when it is opened,
    /// readable by this user only.
    pub(super) fn at(root: &Path, create: bool) -> Self {
        Self { root: root.to_owned(), create, opened: OnceLock::new() }
    }

    /// Opens it, unless it is.
    pub(super) fn open(&self) -> Result<()> {
        self.root().map(drop)
    }

    fn root(&self) -> Result<&Root> {
        if let Some(root) = self.opened.get() {
            return Ok(root);
        }
        let root = Root::open(&self.root, self.create)?;
        Ok(self.opened.get_or_init(|| root))
    }
}

impl fmt::Display for LocalDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalDirectory({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for LocalDirectory {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let path = self.root()?.path(location);
        let shown = location.to_string();
        let create = matches!(options.mode, PutMode::Create);
        let written = tokio::task::spawn_blocking(move || {
            let folder = path.parent().expect("a snapshot stands in a folder");
            create_folders(folder)?;
            remove_abandoned(folder);
            publish(stage(&path, &payload)?, &path, create)
        });
        match written.await? {
            Ok(()) => {
                Ok(PutResult { e_tag: None, version: None, extensions: Extensions::default() })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(object_store::Error::AlreadyExists { path: shown, source: error.into() })
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn put_multipart_opts(
        &self,
        _: &Location,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(object_store::Error::NotImplemented {
            operation: "writing in parts".to_owned(),
            implementer: self.to_string(),
        })
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        self.root()?.files.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        match self.root() {
            Ok(root) => root.files.delete_stream(locations),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.root() {
            Ok(root) => root.files.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        self.root()?.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Location, to: &Location, options: CopyOptions) -> Result<()> {
        self.root()?.files.copy_opts(from, to, options).await
    }
}

/// Writes the bytes to the disk beside where they belong, under a name that no listing takes for a
/// snapshot; dropped, the file is removed.
fn stage(target: &Path, payload: &PutPayload) -> io::Result<NamedTempFile> {
    let folder = target.parent().expect("a snapshot stands in a folder");
    let mut prefix = target.file_name().expect("a snapshot has a name").to_owned();
    prefix.push(".");
    // Made with 0600.
    let mut staged = tempfile::Builder::new().prefix(&prefix).suffix(STAGED).tempfile_in(folder)?;
    for bytes in payload {
        staged.write_all(bytes)?;
    }
    staged.as_file().sync_all()?;
    Ok(staged)
}

/// Gives the file its name, in one step and to stay. With `create` a file of that name is left as
/// it is, and that is an error.
fn publish(staged: NamedTempFile, target: &Path, create: bool) -> io::Result<()> {
    let folder = target.parent().expect("a snapshot stands in a folder");
    if create {
        staged.persist_noclobber(target).map_err(|error| error.error)?;
    } else {
        staged.persist(target).map_err(|error| error.error)?;
    }
    sync(folder)
}

/// Makes the folder and those above that are missing, 0700, and writes each down in its parent.
fn create_folders(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && !path.is_dir())
        .collect();
    for path in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            // Another instance was quicker.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(error),
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes what a crash left half-written. That it cannot must not keep a snapshot from being
/// written.
fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let staged = entry.file_name().to_string_lossy().ends_with(STAGED);
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if staged && age.is_some_and(|age| age > ABANDONED) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn failed(error: io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "directory", source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt as _;
    use std::os::unix::fs::PermissionsExt as _;

    const NAME: &str = "p/h/t/-/0/00000000000000000001-0000000000-ff.snap";

    fn block<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    fn put(store: &LocalDirectory, bytes: &'static [u8], mode: PutMode) -> Result<PutResult> {
        block(store.put_opts(&NAME.into(), PutPayload::from_static(bytes), mode.into()))
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn only_this_user_reads_and_the_first_writer_wins() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("deep/snapshots");
        let store = LocalDirectory::at(&root, true);
        put(&store, b"one", PutMode::Create).unwrap();
        let refused = put(&store, b"two", PutMode::Create).unwrap_err();
        assert!(matches!(refused, object_store::Error::AlreadyExists { .. }), "{refused}");
        assert_eq!(fs::read(root.join(NAME)).unwrap(), b"one");
        put(&store, b"three", PutMode::Overwrite).unwrap();
        assert_eq!(fs::read(root.join(NAME)).unwrap(), b"three");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&root.join(NAME)), 0o600);
        for folder in root.join(NAME).parent().unwrap().ancestors().take(7) {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
        assert_eq!(names(root.join(NAME).parent().unwrap()).len(), 1, "nothing staged is left");
    }

    #[test]
    fn a_crash_before_the_name_is_given_leaves_nothing_but_a_file_that_goes_later() {
        let root = tempfile::tempdir().unwrap();
        let store = LocalDirectory::at(root.path(), true);
        let folder = root.path().join("p/h/t/-/0");
        create_folders(&folder).unwrap();
        let staged = stage(&root.path().join(NAME), &PutPayload::from_static(b"half")).unwrap();
        // The process dies here: nothing is cleaned up.
        let (_, left) = staged.keep().unwrap();
        let listed: Vec<_> = block(store.list(None).try_collect()).unwrap();
        let snapshots = listed
            .iter()
            .filter(|meta| super::super::Name::parse(meta.location.as_ref()).is_some());
        assert_eq!(snapshots.count(), 0, "{listed:?}");
        put(&store, b"whole", PutMode::Create).unwrap();
        assert_eq!(names(&folder).len(), 2, "a young one may be another process's");
        let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_hours(1);
        File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
        put(&store, b"whole", PutMode::Create).unwrap_err();
        assert_eq!(names(&folder).len(), 1);
        assert_eq!(fs::read(root.path().join(NAME)).unwrap(), b"whole");
    }

    #[test]
    fn a_directory_that_is_not_there_is_made_only_to_write() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("snapshots");
        assert!(LocalDirectory::at(&root, false).open().is_err());
        assert!(!root.exists());
        LocalDirectory::at(&root, true).open().unwrap();
        assert!(root.is_dir());
    }

    #[test]
    fn a_directory_that_is_away_at_first_is_used_once_it_is_back() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("snapshots");
        fs::write(&root, "not a directory").unwrap();
        let store = LocalDirectory::at(&root, true);
        assert!(store.open().is_err());
        assert!(put(&store, b"one", PutMode::Create).is_err());
        assert!(block(store.list(None).try_collect::<Vec<_>>()).is_err());
        fs::remove_file(&root).unwrap();
        put(&store, b"one", PutMode::Create).unwrap();
        assert_eq!(block(store.list(None).try_collect::<Vec<_>>()).unwrap().len(), 1);
    }
}
