//! Where a worker runs and what it runs: the part of snapshots and commits that is the same for
//! all of its partitions.

use crate::pipeline::Definition;
use xxhash_rust::xxh3::xxh3_64;

/// What snapshots and committed positions say of where they were made.
#[derive(Debug, Clone)]
pub struct Place {
    /// Name of the pipeline.
    pub(super) pipeline: String,
    /// Hash of what decides the state, its first 64 bits.
    pub(super) state_hash: u64,
    /// The same as text.
    pub(super) state_hash_text: String,
    /// Id of the cluster, where it is known.
    pub cluster: Option<String>,
    /// Program version, operating system and processor.
    pub(super) platform: String,
}

impl Place {
    /// The place of a worker of this definition.
    pub fn new(definition: &Definition, cluster: Option<String>, processor: &str) -> Self {
        let hash = definition.state_hash();
        let first = hash.get(..16).unwrap_or(hash);
        let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
        Self {
            pipeline: definition.spec().pipeline.clone(),
            state_hash: u64::from_str_radix(first, 16).expect("a hash is hexadecimal"),
            state_hash_text: hash.to_owned(),
            cluster,
            platform: format!("millstream {version}, {system}, {processor}"),
        }
    }

    /// A short hash of the platform: bits are compared only where it is the same.
    pub(super) fn platform_hash(&self) -> u32 {
        platform_hash(&self.platform)
    }
}

/// The same of any platform.
#[expect(clippy::cast_possible_truncation, reason = "a hash of 32 bits")]
pub(super) fn platform_hash(platform: &str) -> u32 {
    xxh3_64(platform.as_bytes()) as u32
}
