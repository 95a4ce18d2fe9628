//! The broker under test, and clients for it that are not the daemon's.

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaResult,
    producer::{BaseProducer, Producer},
    topic_partition_list::{Offset, TopicPartitionList},
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// `HOST:PORT` of the broker.
pub(super) fn bootstrap() -> String {
    variable("KAFKA_BOOTSTRAP")
}

/// A variable that `tests/kafka/broker.sh` sets.
pub(super) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests with `make test` or `tests/kafka/broker.sh run -- cargo test`")
    })
}

/// A client configuration for the broker.
pub(super) fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap());
    config
}

/// A name that no other test and no other run uses.
pub(super) fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{count}", std::process::id())
}

/// What the cluster answers to one question of an administrator.
pub(super) fn administer<T>(
    ask: impl AsyncFnOnce(&AdminClient<DefaultClientContext>, &AdminOptions) -> KafkaResult<T>,
) -> T {
    let admin = client().create().unwrap();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(ask(&admin, &options)).unwrap()
}

/// Creates a topic.
pub(super) fn create(topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in settings {
        new = new.set(name, value);
    }
    for answer in administer(async |admin, options| admin.create_topics([&new], options).await) {
        answer.unwrap();
    }
}

/// Records of the topic behind the group's positions, as the broker counts them.
pub(super) fn lag(group: &str, topic: &str) -> i64 {
    const PATIENCE: Duration = Duration::from_secs(10);
    let consumer: BaseConsumer = client().set("group.id", group).create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut positions = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        positions.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(positions, PATIENCE).unwrap();
    let behind = committed.elements().into_iter().map(|position| {
        let (low, high) = consumer.fetch_watermarks(topic, position.partition(), PATIENCE).unwrap();
        high - if let Offset::Offset(at) = position.offset() { at } else { low }
    });
    behind.sum()
}

/// A producer that keeps the order of what it is given.
pub(super) fn producer() -> BaseProducer {
    client()
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "1000000")
        .set("message.max.bytes", "30000000")
        .create()
        .unwrap()
}

/// Waits until everything handed to the producer is written.
pub(super) fn flush(producer: &BaseProducer) {
    producer.flush(Duration::from_mins(1)).unwrap();
}
