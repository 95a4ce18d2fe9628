//! Client configuration: our defaults, then the user's properties, then what we must own.
//!
//! The defaults were measured (reference figures in `docs/benchmark.md`); librdkafka's own
//! `fetch.queue.backoff.ms` of one second would cost two thirds of the throughput.

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use std::{fmt, time::Duration};

/// librdkafka properties as given by settings. `Debug` prints names only: values may be secret.
#[derive(Clone, Default)]
pub struct ClientProperties(Vec<(String, String)>);

impl ClientProperties {
    /// Properties in order; a later one of the same name wins.
    pub fn new(properties: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(properties.into_iter().collect())
    }

    /// True if somebody set the property.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// True unless the brokers are to decide who has which partitions (KIP-848).
    pub fn is_classic_group(&self) -> bool {
        is_classic(self.get("group.protocol"))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Membership in a consumer group.
#[derive(Debug, Clone)]
pub struct ConsumerGroup {
    /// `group.id`.
    pub id: String,
    /// `group.instance.id`, for static membership.
    pub instance: Option<String>,
}

const COMMON: &[(&str, &str)] = &[
    ("client.id", "millstream"),
    ("allow.auto.create.topics", "false"),
    ("enable.metrics.push", "false"),
    ("socket.keepalive.enable", "true"),
    ("topic.metadata.refresh.interval.ms", "30000"),
    ("reconnect.backoff.max.ms", "5000"),
];

const CONSUMER: &[(&str, &str)] = &[
    ("check.crcs", "true"),
    ("fetch.wait.max.ms", "50"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.message.max.bytes", "4000000"),
    ("queued.min.messages", "100000"),
    ("queued.max.messages.kbytes", "32768"),
    ("max.poll.interval.ms", "300000"),
    // A commit to a dead broker blocks the worker for so long at most.
    ("socket.timeout.ms", "10000"),
];

const CLASSIC_GROUP: &[(&str, &str)] = &[
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("session.timeout.ms", "10000"),
    // A join or a leave is heard of with a heartbeat: a hand-over waits at most so long.
    ("heartbeat.interval.ms", "1000"),
];

const CONSUMER_OWNED: &[(&str, &str)] = &[
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
];

const PRODUCER: &[(&str, &str)] = &[
    ("linger.ms", "1"),
    ("compression.type", "lz4"),
    ("batch.num.messages", "10000"),
    ("batch.size", "1000000"),
    ("queue.buffering.max.messages", "200000"),
    ("queue.buffering.max.kbytes", "262144"),
    ("message.timeout.ms", "60000"),
    ("partitioner", "murmur2_random"),
];

const TRANSACTIONAL: &[(&str, &str)] = &[
    ("transaction.timeout.ms", "10000"),
    ("message.timeout.ms", "8000"),
    ("socket.timeout.ms", "6000"),
];

const PRODUCER_OWNED: &[(&str, &str)] =
    &[("enable.idempotence", "true"), ("delivery.report.only.error", "true")];

#[expect(clippy::disallowed_methods, reason = "the one place that makes a ClientConfig")]
fn build(layers: &[&[(&str, &str)]], properties: &ClientProperties) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (name, value) in COMMON.iter().chain(layers.iter().copied().flatten()) {
        config.set(*name, *value);
    }
    for (name, value) in &properties.0 {
        config.set(name, value);
    }
    config
}

fn own(config: &mut ClientConfig, owned: &[(&str, &str)]) {
    for (name, value) in owned {
        config.set(*name, *value);
    }
}

/// Configuration of a group consumer.
pub fn consumer_config(properties: &ClientProperties, group: &ConsumerGroup) -> ClientConfig {
    let group_layer = if properties.is_classic_group() { CLASSIC_GROUP } else { &[] };
    let mut config = build(&[CONSUMER, group_layer], properties);
    // The one word of an answer that was missed is a notice; `log.level` decides what is shown.
    config.set_log_level(RDKafkaLogLevel::Notice);
    own(&mut config, CONSUMER_OWNED);
    config.set("group.id", &group.id);
    if let Some(instance) = &group.instance {
        config.set("group.instance.id", instance);
    }
    config
}

/// Configuration of an idempotent producer whose largest message has `message_bytes`.
pub fn producer_config(properties: &ClientProperties, message_bytes: u64) -> ClientConfig {
    let mut config = build(&[PRODUCER], properties);
    own(&mut config, PRODUCER_OWNED);
    if !properties.has("message.max.bytes") {
        config.set("message.max.bytes", message_bytes.max(1_000_000).to_string());
    }
    config
}

/// Makes a producer's configuration transactional under that id.
///
/// Requests time out before the transaction does, and messages before it too: a producer whose
/// transaction has outlived its time is fenced for good and must be replaced.
pub fn make_transactional(config: &mut ClientConfig, properties: &ClientProperties, id: &str) {
    config.set("transactional.id", id);
    for (name, value) in TRANSACTIONAL {
        if !properties.has(name) {
            config.set(*name, *value);
        }
    }
}

/// Keeps a producer's batches below `bytes`: a topic's `max.message.bytes` is a limit on the batch
/// that messages travel in, and a batch beyond it is refused however often it is sent.
pub fn limit_batches(config: &mut ClientConfig, bytes: u64) {
    let configured = config.get("batch.size").and_then(|size| size.parse().ok());
    config.set("batch.size", bytes.min(configured.unwrap_or(u64::MAX)).to_string());
}

/// How long a consumer may go without a poll before the group takes its partitions.
pub fn max_poll_interval(consumer: &ClientConfig) -> Duration {
    milliseconds(consumer, "max.poll.interval.ms", 300_000)
}

/// How long a member of a classic group may be silent before the group goes on without it; none where
/// the brokers say (KIP-848).
pub fn classic_session(consumer: &ClientConfig) -> Option<Duration> {
    is_classic(consumer.get("group.protocol"))
        .then(|| milliseconds(consumer, "session.timeout.ms", 45_000))
}

fn is_classic(group_protocol: Option<&str>) -> bool {
    group_protocol != Some("consumer")
}

fn milliseconds(config: &ClientConfig, name: &str, default: u64) -> Duration {
    let set = config.get(name).and_then(|ms| ms.parse().ok());
    Duration::from_millis(set.unwrap_or(default))
}

/// Configuration of a client that only asks questions.
pub fn admin_config(properties: &ClientProperties) -> ClientConfig {
    build(&[], properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(properties: &[(&str, &str)]) -> ClientConfig {
        let owned = properties.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        producer_config(&ClientProperties::new(owned), 1)
    }

    #[test]
    fn a_batch_is_never_larger_than_its_topics_take() {
        let mut config = producer(&[]);
        limit_batches(&mut config, 60_000);
        assert_eq!(config.get("batch.size"), Some("60000"));
        let mut config = producer(&[("batch.size", "5000")]);
        limit_batches(&mut config, 60_000);
        assert_eq!(config.get("batch.size"), Some("5000"));
    }

    #[test]
    fn the_poll_interval_is_the_one_in_force() {
        let group = ConsumerGroup { id: "g".to_owned(), instance: None };
        let consumer = |properties| consumer_config(&ClientProperties::new(properties), &group);
        assert_eq!(max_poll_interval(&consumer(vec![])), Duration::from_mins(5));
        let short = vec![("max.poll.interval.ms".to_owned(), "10000".to_owned())];
        assert_eq!(max_poll_interval(&consumer(short)), Duration::from_secs(10));
    }
}
