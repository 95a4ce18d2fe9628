//! The keys of the settings, their defaults and the checks on their values.

use super::merged::Merged;
use super::scalar::Scalar;
use super::secret::Sources;
use super::{Kafka, Log, Settings, kafka, security, snapshots};
use crate::registry::{self, ByteSize, Node, Position, Problem, Span};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object per line.
    Json,
    /// Text.
    Text,
}

impl LogFormat {
    /// Whether lines are JSON, given whether they go to a terminal.
    pub fn is_json(self, terminal: bool) -> bool {
        match self {
            Self::Auto => !terminal,
            Self::Json => true,
            Self::Text => false,
        }
    }
}

/// The keys of a settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    kafka: KafkaKeys,
    instance: Option<Scalar<String>>,
    workers: Option<Scalar<NonZeroUsize>>,
    commit_interval: Option<Span>,
    commit_records: Option<Scalar<NonZeroUsize>>,
    commit_bytes: Option<ByteSize>,
    batch_records: Option<Scalar<NonZeroUsize>>,
    group_instance_id: Option<Scalar<String>>,
    create_topics: Option<Scalar<bool>>,
    snapshots: snapshots::Keys,
    listen: Option<Scalar<SocketAddr>>,
    log: LogKeys,
    shutdown_grace: Option<Span>,
    startup_timeout: Option<Span>,
    allow_insecure: Option<Scalar<bool>>,
    allow_literal_secrets: Option<Scalar<bool>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct KafkaKeys {
    bootstrap_servers: Option<Scalar<String>>,
    // The maps are read by `kafka::Reader`, whose messages never repeat a value.
    #[serde(rename = "properties")]
    _properties: IgnoredAny,
    #[serde(rename = "consumer_properties")]
    _consumer_properties: IgnoredAny,
    #[serde(rename = "producer_properties")]
    _producer_properties: IgnoredAny,
    #[serde(rename = "secrets")]
    _secrets: IgnoredAny,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogKeys {
    level: Option<Scalar<String>>,
    format: LogFormat,
}

/// Reads and checks the merged settings.
pub(super) fn settings(
    merged: &Merged,
    environment: &BTreeMap<String, String>,
) -> Result<Settings, Problem> {
    let root = &merged.root;
    let keys: Keys = registry::options(root)?;
    let mut warnings = Vec::new();
    let flag = |value: Option<Scalar<bool>>| value.is_some_and(|flag| flag.0);
    let brokers = keys.kafka.bootstrap_servers.map_or("localhost:9092".to_owned(), |s| s.0);
    let allow_literal_secrets = flag(keys.allow_literal_secrets);
    let kafka = kafka::Reader {
        merged,
        sources: Sources { environment, warnings: &mut warnings },
        allow_literal_secrets,
    }
    .read(brokers)?;
    let allow_insecure = flag(keys.allow_insecure);
    let mut tls_verification_disabled =
        secure(&kafka, allow_insecure, root.at("kafka"), &mut warnings)?;
    let sources = Sources { environment, warnings: &mut warnings };
    let snapshots =
        snapshots::Reader { merged, sources, allow_literal_secrets }.read(keys.snapshots)?;
    let found = snapshots::judge(&snapshots);
    tls_verification_disabled |= found.tls_verification_disabled;
    warnings.extend(found.warnings.into_iter().map(str::to_owned));
    let count = |value: Option<Scalar<NonZeroUsize>>, default| value.map_or(default, |n| n.0);
    Ok(Settings {
        kafka,
        instance: name(root, "instance", keys.instance)?,
        workers: count(keys.workers, cores()),
        commit_interval: span(root, "commit_interval", keys.commit_interval, 100_000)?,
        commit_records: count(keys.commit_records, COMMIT_RECORDS),
        commit_bytes: bytes(root, "commit_bytes", keys.commit_bytes)?,
        batch_records: batch_records(root, keys.batch_records)?,
        group_instance_id: name(root, "group_instance_id", keys.group_instance_id)?,
        create_topics: flag(keys.create_topics),
        snapshots,
        listen: keys.listen.map_or(LISTEN, |address| address.0),
        log: log(root, keys.log)?,
        shutdown_grace: span(root, "shutdown_grace", keys.shutdown_grace, 30_000_000)?,
        startup_timeout: span(root, "startup_timeout", keys.startup_timeout, 30_000_000)?,
        allow_insecure,
        tls_verification_disabled,
        warnings,
    })
}

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);
const COMMIT_RECORDS: NonZeroUsize = NonZeroUsize::new(50_000).expect("not zero");
/// The most records that are folded at once.
pub const BATCH_RECORDS_MAX: usize = 65_536;
const BATCH_RECORDS: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");

fn batch_records(
    root: &Node,
    value: Option<Scalar<NonZeroUsize>>,
) -> Result<NonZeroUsize, Problem> {
    let records = value.map_or(BATCH_RECORDS, |value| value.0);
    if records.get() <= BATCH_RECORDS_MAX {
        return Ok(records);
    }
    Err(Problem::new(root.at("batch_records"), format!("wrong value: {records}"))
        .expected(format!("a whole number up to {BATCH_RECORDS_MAX}")))
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Refuses what is insecure unless it is allowed. Returns whether TLS verification is off.
fn secure(
    kafka: &Kafka,
    allow_insecure: bool,
    at: Position,
    warnings: &mut Vec<String>,
) -> Result<bool, Problem> {
    let mut tls_verification_disabled = false;
    for own in [&kafka.consumer, &kafka.producer] {
        let found = security::judge(&kafka.merged(own));
        if let Some(sentence) = found.insecure.first().filter(|_| !allow_insecure) {
            return Err(Problem::new(at, *sentence).expected(
                "TLS (`sasl_ssl`), or `allow_insecure: true` where the network is trusted",
            ));
        }
        tls_verification_disabled |= found.tls_verification_disabled;
        for sentence in found.insecure.into_iter().chain(found.warnings) {
            if !warnings.iter().any(|w| w == sentence) {
                warnings.push(sentence.to_owned());
            }
        }
    }
    Ok(tls_verification_disabled)
}

/// Names become part of Kafka ids, so they keep to letters that are good in all of them.
fn name(root: &Node, key: &str, value: Option<Scalar<String>>) -> Result<Option<String>, Problem> {
    let Some(Scalar(text)) = value else { return Ok(None) };
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(good) {
        return Err(Problem::new(root.at(key), format!("wrong value: `{text}`"))
            .expected("1 to 100 letters, digits, `.`, `_` or `-`"));
    }
    Ok(Some(text))
}

fn span(root: &Node, key: &str, value: Option<Span>, default_us: i64) -> Result<Span, Problem> {
    let span = value.unwrap_or(Span { us: default_us });
    if span.us < 1_000 {
        return Err(Problem::new(root.at(key), format!("wrong value: `{span}`"))
            .expected("a duration of at least 1ms"));
    }
    Ok(span)
}

fn bytes(root: &Node, key: &str, value: Option<ByteSize>) -> Result<ByteSize, Problem> {
    let size = value.unwrap_or(ByteSize(64 << 20));
    if size.0 < 1 << 20 {
        return Err(Problem::new(root.at(key), format!("wrong value: {} bytes", size.0))
            .expected("a size of at least 1MiB, so that a vector of any allowed size fits"));
    }
    Ok(size)
}

fn log(root: &Node, keys: LogKeys) -> Result<Log, Problem> {
    let level = keys.level.map_or("info".to_owned(), |level| level.0);
    if EnvFilter::builder().parse(&level).is_err() {
        let at = root.get("log").map_or(root.at, |log| log.at("level"));
        return Err(Problem::new(at, format!("wrong value: `{level}`")).expected(
            "a level (error, warn, info, debug, trace) or directives such as \
                       info,millstream::sink=debug",
        ));
    }
    Ok(Log { level, format: keys.format })
}
