//! Reading a whole topic back, byte for byte.

use super::cluster;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers as _,
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    time::{Duration, Instant},
};

/// A record as it lies in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dumped {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Dumped {
    /// The last header of that name as text.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().rev().find(|(n, _)| n == name)?;
        Some(String::from_utf8_lossy(value.as_ref()?).into_owned())
    }
}

/// Everything in `topic`, partition by partition in offset order.
///
/// Header names must be UTF-8 here; the poison test reads odd ones with Kafka's own consumer.
pub(super) fn dump(topic: &str) -> Vec<Dumped> {
    let consumer: BaseConsumer = cluster::client()
        .set("group.id", cluster::unique("dump"))
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.message.max.bytes", "30000000")
        .create()
        .unwrap();
    let timeout = Duration::from_secs(20);
    let metadata = consumer.fetch_metadata(Some(topic), timeout).unwrap();
    let (mut list, mut ends) = (TopicPartitionList::new(), BTreeMap::new());
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = settled(&consumer, topic, partition.id());
        if low < high {
            list.add_partition_offset(topic, partition.id(), Offset::Offset(low)).unwrap();
            ends.insert(partition.id(), high);
        }
    }
    consumer.assign(&list).unwrap();
    let mut records = Vec::new();
    let mut heard = Instant::now();
    while !ends.is_empty() {
        assert!(heard.elapsed() < Duration::from_secs(30), "{topic}: {ends:?} not reached");
        let Some(message) = consumer.poll(Duration::from_millis(200)) else {
            // The end of a log may be the marker of a transaction, which is no record.
            let positions = consumer.position().unwrap();
            ends.retain(|partition, end| {
                let position = positions.find_partition(topic, *partition).unwrap().offset();
                position.to_raw().is_none_or(|offset| offset < *end)
            });
            continue;
        };
        let message = message.unwrap();
        heard = Instant::now();
        if ends.get(&message.partition()).is_some_and(|end| message.offset() + 1 >= *end) {
            ends.remove(&message.partition());
        }
        records.push(Dumped {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map_or(Vec::new(), |headers| {
                headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect()
            }),
        });
    }
    records.sort_by_key(|r| (r.partition, r.offset));
    records
}

/// The ends of a log once no transaction is open in it: what a killed process left open ends in its
/// time, and hides everything behind its first record until then.
fn settled(consumer: &BaseConsumer, topic: &str, partition: i32) -> (i64, i64) {
    let everything: BaseConsumer = cluster::client()
        .set("group.id", cluster::unique("dump"))
        .set("isolation.level", "read_uncommitted")
        .create()
        .unwrap();
    let started = Instant::now();
    loop {
        let timeout = Duration::from_secs(20);
        let (low, high) = consumer.fetch_watermarks(topic, partition, timeout).unwrap();
        let (_, end) = everything.fetch_watermarks(topic, partition, timeout).unwrap();
        if high >= end {
            return (low, high);
        }
        assert!(started.elapsed() < Duration::from_secs(40), "{topic}: a transaction stays open");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Where a vector or a dead letter came from, as its headers say: topic/partition/offset.
pub(super) fn source(record: &Dumped) -> String {
    record.header("millstream-source").unwrap_or_else(|| {
        let part = |name: &str| record.header(&format!("__connect.errors.{name}")).unwrap();
        format!("{}/{}/{}", part("topic"), part("partition"), part("offset"))
    })
}

/// Writes records as the oracles read them: one JSON object per line.
pub(super) fn write_jsonl(path: &Path, records: &[Dumped]) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for record in records {
        let text = |bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map(|b| String::from_utf8_lossy(b).into_owned())
        };
        let is_result = !record.headers.is_empty();
        let line = serde_json::json!({
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp_ms,
            "key": text(&record.key),
            "value": text(&record.value),
            "source": is_result.then(|| source(record)),
            "reason": record.header("__connect.errors.exception.class.name"),
        });
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
}
