//! Settings of the service: everything about the place where it runs, nothing about the pipeline.
//!
//! Three layers, each winning over the one before: the file `config/millstream.yaml` (another by
//! `--settings`), the environment (`MILLSTREAM__KAFKA__BOOTSTRAP_SERVERS`), `--set
//! kafka.bootstrap_servers=..`. Whatever decides a vector is in the pipeline file instead.
//!
//! Secrets are read from files or from the environment and are shown by
//! [`Property::expose`] only.

mod kafka;
mod layers;
mod merged;
mod property;
mod read;
mod scalar;
mod secret;
mod security;
mod snapshots;

pub use kafka::Kafka;
pub use property::Property;
pub use read::{BATCH_RECORDS_MAX, LogFormat};
pub use snapshots::{Cloud, Snapshots, Store, option_names};

use crate::registry::{ByteSize, Problem, Span};
use layers::Layers;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;

/// The settings file that is read, where there is one, when none is named.
pub const DEFAULT_FILE: &str = "config/millstream.yaml";

/// Settings of the service, checked.
///
/// `Debug` prints no secret, and of librdkafka's properties only those known to be harmless.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Brokers, client properties, secrets.
    pub kafka: Kafka,
    /// Name of this instance among those of the pipeline, stable over restarts.
    pub instance: Option<String>,
    /// Worker threads, each with its own consumer and producer. Default: one per core.
    pub workers: NonZeroUsize,
    /// Longest time between two commits. Default 100 ms.
    pub commit_interval: Span,
    /// Records after which a worker commits before the interval is over. Default 50,000.
    pub commit_records: NonZeroUsize,
    /// Encoded bytes after which a worker commits before the interval is over. Default 64 MiB.
    pub commit_bytes: ByteSize,
    /// Most records in one batch. Default 8,192. It never shows in results.
    pub batch_records: NonZeroUsize,
    /// Static group membership; each worker appends its number. Default: dynamic.
    pub group_instance_id: Option<String>,
    /// Whether missing output and dead-letter topics are created. Default false.
    pub create_topics: bool,
    /// Snapshots of the state.
    pub snapshots: Snapshots,
    /// Where `/metrics`, `/livez` and `/readyz` are served. Default 127.0.0.1:9464.
    pub listen: SocketAddr,
    /// Log lines.
    pub log: Log,
    /// Longest time between SIGTERM and the end. Default 30 s.
    pub shutdown_grace: Span,
    /// Longest wait at start for brokers, topics and group. Default 30 s.
    pub startup_timeout: Span,
    /// Whether passwords may go over connections without TLS. Default false.
    pub allow_insecure: bool,
    tls_verification_disabled: bool,
    warnings: Vec<String>,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A level, or directives such as `info,millstream::sink=debug`. Default `info`.
    pub level: String,
    /// Default `auto`.
    pub format: LogFormat,
}

impl Settings {
    /// Reads the settings. Without `file`, [`DEFAULT_FILE`] is read where it exists.
    ///
    /// `environment` is [`environment`] outside of tests; `sets` are the values of `--set`.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        sets: &[String],
    ) -> Result<Self, Problem> {
        let environment: BTreeMap<String, String> = environment.collect();
        let mut layers = Layers::default();
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => layers.add_file(&name, &text)?,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Problem::nowhere(format!("cannot read: {error}")).in_file(name));
            }
        }
        layers.add_environment(&environment);
        for set in sets {
            layers.add_set(set)?;
        }
        let merged = layers.merge()?;
        read::settings(&merged, &environment).map_err(|problem| merged.explain(problem))
    }

    /// Properties of the consumer, brokers included.
    pub fn consumer_properties(&self) -> impl Iterator<Item = (String, Property)> + use<> {
        self.kafka.consumer_properties()
    }

    /// Properties of the producer, brokers included.
    pub fn producer_properties(&self) -> impl Iterator<Item = (String, Property)> + use<> {
        self.kafka.producer_properties()
    }

    /// True if a client does not verify the certificates of its brokers.
    pub fn tls_verification_disabled(&self) -> bool {
        self.tls_verification_disabled
    }

    /// What the daemon logs as warnings at every start.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The environment of the process; variables that are not UTF-8 are left out.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
