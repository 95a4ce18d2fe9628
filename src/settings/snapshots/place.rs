//! Directories and buckets, as one names them.

use std::path::PathBuf;

/// What a store may be.
pub(super) const EXPECTED: &str = "a directory, `file:///DIRECTORY`, `s3://BUCKET/PREFIX`, \
                        `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`";

/// A place for snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A directory of this machine, or one that several mount.
    Directory(PathBuf),
    /// A bucket or container, and the prefix of all names in it, without slashes at its ends.
    Bucket {
        /// Who runs it.
        cloud: Cloud,
        /// Bucket or container.
        name: String,
        /// Prefix; may be empty.
        prefix: String,
    },
}

/// The bucket services that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// `s3://`: Amazon S3 and what speaks its protocol.
    S3,
    /// `gs://`: Google Cloud Storage.
    Google,
    /// `az://`: Azure Blob Storage.
    Azure,
}

impl Cloud {
    /// What its URLs begin with.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

impl Store {
    /// Reads a directory or a URL. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return if text.is_empty() { Err("empty") } else { Ok(Self::Directory(text.into())) };
        };
        if scheme == "file" {
            let local = rest.starts_with('/') && !rest.contains(['%', '?', '#']);
            let directory = local.then(|| Self::Directory(rest.into()));
            return directory.ok_or("not the URL of a local directory");
        }
        let cloud = [Cloud::S3, Cloud::Google, Cloud::Azure]
            .into_iter()
            .find(|cloud| cloud.scheme() == scheme)
            .ok_or("not a kind of store")?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        // This also keeps passwords and tokens out: they are said elsewhere.
        let parts = prefix.split('/').filter(|_| !prefix.is_empty());
        for part in std::iter::once(name).chain(parts) {
            if part.is_empty() || part.starts_with('.') || !part.chars().all(legal) {
                return Err("not the URL of a bucket");
            }
        }
        Ok(Self::Bucket { cloud, name: name.to_owned(), prefix: prefix.to_owned() })
    }
}
