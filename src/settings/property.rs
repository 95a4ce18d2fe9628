//! What is known of librdkafka's properties: which millstream sets itself, which hold secrets,
//! which may be printed.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// The value of a librdkafka property or of an option of the snapshot store. Only [`Property::expose`] shows it; `Debug` and `Display`
/// print `***` unless the property is known to be harmless.
#[derive(Clone)]
pub struct Property {
    value: SecretString,
    printable: bool,
}

impl Property {
    /// The value of the property `name`.
    pub(super) fn new(name: &str, value: String) -> Self {
        Self { value: value.into(), printable: is_printable(name) }
    }

    /// The value of an option of the snapshot store.
    pub(super) fn of_store(value: String, printable: bool) -> Self {
        Self { value: value.into(), printable }
    }

    /// The value itself, for the client that needs it and nothing else: never print it.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.printable { self.expose() } else { "***" })
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Properties that decide what millstream promises, and what to use instead.
const OWNED: [(&str, &str); 24] = [
    ("bootstrap.servers", "set `kafka.bootstrap_servers`"),
    ("metadata.broker.list", "set `kafka.bootstrap_servers`"),
    ("group.id", "the consumer group is the name of the pipeline"),
    ("group.instance.id", "set `group_instance_id`"),
    ("group.remote.assignor", "with `group.protocol: consumer` the broker's own assignor is used"),
    ("partition.assignment.strategy", "partitions move by cooperative-sticky assignment only"),
    ("enable.auto.commit", "offsets are committed after the vectors are acknowledged"),
    ("auto.commit.enable", "offsets are committed after the vectors are acknowledged"),
    ("auto.commit.interval.ms", "set `commit_interval`"),
    ("enable.auto.offset.store", "offsets are committed after the vectors are acknowledged"),
    ("auto.offset.reset", "set `source.start` and `source.out_of_range` in the pipeline file"),
    ("isolation.level", "only committed records are read"),
    ("enable.partition.eof", "the end of a partition is not an event"),
    ("allow.auto.create.topics", "set `create_topics`"),
    ("transactional.id", "it is made of pipeline, `instance` and worker"),
    ("enable.idempotence", "the producer is always idempotent"),
    ("enable.gapless.guarantee", "the producer is always idempotent"),
    ("acks", "every vector is acknowledged by all in-sync replicas"),
    ("request.required.acks", "every vector is acknowledged by all in-sync replicas"),
    ("partitioner", "vectors go to the partition that murmur2 of their key names"),
    ("delivery.report.only.error", "delivery reports are counted"),
    ("dr_cb", "callbacks are set by code only"),
    ("log_cb", "callbacks are set by code only"),
    ("plugin.library.paths", "no code is loaded from settings"),
];

/// Why `name` cannot be set, if millstream sets it itself.
pub(super) fn owned(name: &str) -> Option<&'static str> {
    OWNED.iter().find(|(owned, _)| *owned == name).map(|(_, instead)| *instead)
}

/// True for properties that hold a password, a private key or a token.
pub(super) fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 5] = ["password", "passphrase", "secret", "key.pem", "ssl_key"];
    const WHOLE: [&str; 2] = ["sasl.oauthbearer.config", "sasl.jaas.config"];
    WORDS.iter().any(|word| name.contains(word)) || WHOLE.contains(&name)
}

/// True for properties whose values say nothing about whom or how to log in as.
fn is_printable(name: &str) -> bool {
    const BEGINNINGS: [&str; 18] = [
        "batch.",
        "compression.",
        "connections.max.idle",
        "fetch.",
        "heartbeat.",
        "linger.",
        "max.",
        "message.",
        "queue.buffering.",
        "queued.",
        "receive.message.",
        "reconnect.",
        "request.timeout",
        "retry.",
        "session.timeout",
        "socket.",
        "topic.metadata.",
        "transaction.timeout",
    ];
    const WHOLE: [&str; 12] = [
        "bootstrap.servers",
        "broker.address.family",
        "check.crcs",
        "client.id",
        "client.rack",
        "enable.metrics.push",
        "enable.ssl.certificate.verification",
        "sasl.mechanism",
        "sasl.mechanisms",
        "security.protocol",
        "ssl.endpoint.identification.algorithm",
        "statistics.interval.ms",
    ];
    !is_secret(name)
        && (WHOLE.contains(&name) || BEGINNINGS.iter().any(|begin| name.starts_with(begin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_printable() {
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "ssl.keystore.password",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.client.credentials.client.secret",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.oauthbearer.assertion.private.key.pem",
            "sasl.oauthbearer.config",
        ] {
            assert!(is_secret(name), "{name}");
            assert_eq!(format!("{:?}", Property::new(name, "canary".into())), "***", "{name}");
        }
    }

    #[test]
    fn only_listed_properties_print() {
        let shown = |name| Property::new(name, "value".into()).to_string();
        assert_eq!(shown("linger.ms"), "value");
        assert_eq!(shown("sasl.username"), "***");
        assert_eq!(shown("some.new.property"), "***");
    }
}
