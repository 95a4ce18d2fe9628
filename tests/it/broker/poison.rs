//! Records that break other pipelines: each ends once, where it belongs, and its neighbours do not
//! notice. Keys, values and headers are compared as bytes.

use super::{
    cluster,
    daemon::{Daemon, Pipeline},
};
use millstream::{
    batch::{MessageParts, Outbox, RawBatch, Target},
    kafka::{self, ConsumerEvents, Deliveries, Notice, PartitionQueue},
};
use rdkafka::{Offset, TopicPartitionList, consumer::Consumer as _, producer::Producer as _};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["id", "ts"],
  "properties": {
    "id": { "type": ["string", "null"] },
    "ts": { "type": "integer" },
    "x": { "type": ["number", "null"] },
    "text": { "type": "string" }
  }
}"#;

const PIPELINE: &str = "pipeline: poison
source: { topics: [in], format: json, schema: poison.schema.json, key: id, event_time: { column: ts, unit: ms }, lateness: 1h, max_ahead: 1h, start: earliest }
windows: [ { over: 1h, of: x, compute: [count] } ]
features: [ x, x_count_1h ]
output: { topic: out, format: json, carry: [id, text], headers: passthrough }
dead_letter: { topic: dlq }
limits: { record_bytes: 2MiB, vector_bytes: 100KiB }
delivery: at_least_once
";

/// What must become of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Published,
    Rejected(&'static str),
    Dropped,
}

struct Poison {
    name: &'static str,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    end: End,
}

fn poison(name: &'static str, value: impl Into<Vec<u8>>, end: End) -> Poison {
    Poison { name, key: Some(b"k".to_vec()), value: Some(value.into()), headers: vec![], end }
}

fn poisons(now_ms: i64) -> Vec<Poison> {
    use End::{Dropped, Published, Rejected};
    let good = format!(r#"{{"id":"k","ts":{now_ms},"x":1}}"#);
    let with = |name, more: &str| {
        poison(name, format!(r#"{{"id":"k","ts":{now_ms},{more}}}"#), Rejected("undecodable"))
    };
    let deep =
        format!(r#"{{"id":"k","ts":{now_ms},"y":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let text = |bytes: usize| {
        format!(r#"{{"id":"k","ts":{now_ms},"x":1,"text":"{}"}}"#, "a".repeat(bytes))
    };
    let mut set = vec![
        poison(
            "invalid UTF-8",
            b"{\"id\":\"\xff\xfe\",\"ts\":1}".to_vec(),
            Rejected("undecodable"),
        ),
        poison("truncated JSON", &good.as_bytes()[..good.len() - 3], Rejected("undecodable")),
        poison("depth 10,000", deep, Rejected("undecodable")),
        poison("20 MB", text(20_000_000), Rejected("oversize")),
        poison("wrong type", format!(r#"{{"id":"k","ts":{now_ms},"x":"1"}}"#), Rejected("invalid")),
        poison("missing field", r#"{"id":"k"}"#, Rejected("invalid")),
        poison("not an object", "[1,2]", Rejected("invalid")),
        poison("null entity", format!(r#"{{"id":null,"ts":{now_ms}}}"#), Rejected("null_key")),
        poison("empty value", "", Rejected("undecodable")),
        with("NaN literal", r#""x":NaN"#),
        with("duplicate JSON keys", r#""x":1,"x":2"#),
        with("duplicate keys in a part nobody reads", r#""y":[{"a":1,"a":2}]"#),
        poison("year 2099", r#"{"id":"k","ts":4070908800000,"x":1}"#, Rejected("future")),
        poison("far too late", r#"{"id":"k","ts":1000,"x":1}"#, Rejected("late")),
        poison("vector beyond its limit", text(200_000), Rejected("encode")),
        poison("text below the limit", text(50_000), Published),
    ];
    set.push(Poison { value: None, ..poison("null value", "", Dropped) });
    set.push(Poison { key: None, ..poison("null record key", good.clone(), Published) });
    let twice = vec![
        (b"h".to_vec(), Some(b"1".to_vec())),
        (b"h".to_vec(), Some(b"2".to_vec())),
        (b"h".to_vec(), None),
    ];
    let odd = vec![(b"caf\xe9\xff".to_vec(), Some(b"\x00\xff".to_vec()))];
    set.push(Poison {
        headers: twice.clone(),
        ..poison("duplicate headers", good.clone(), Published)
    });
    set.push(Poison { headers: odd.clone(), ..poison("header name not UTF-8", good, Published) });
    let headers = [twice, odd].concat();
    set.push(Poison { headers, ..poison("odd headers, rejected", "{", Rejected("undecodable")) });
    set
}

/// Produces good, poison, good, poison ... and returns what is in the topic by offset.
fn produce(topic: &str, now_ms: i64) -> Vec<Poison> {
    use End::Published;
    let mut all = Vec::new();
    for bad in poisons(now_ms) {
        all.push(poison("neighbour", format!(r#"{{"id":"n","ts":{now_ms},"x":7}}"#), Published));
        all.push(bad);
    }
    all.push(poison("neighbour", format!(r#"{{"id":"n","ts":{now_ms},"x":7}}"#), Published));
    let mut outbox = Outbox::default();
    for record in &all {
        let parts = MessageParts {
            target: Target::Output,
            partition: Some(0),
            key: record.key.as_deref(),
            timestamp_ms: Some(now_ms),
        };
        outbox.push(parts, |out| {
            out.extend_from_slice(record.value.as_deref().unwrap_or_default());
            record.value.is_some()
        });
        for (name, value) in &record.headers {
            outbox.header(name, value.as_deref());
        }
    }
    let producer: kafka::Producer = cluster::client()
        .set("message.max.bytes", "30000000")
        .set("enable.idempotence", "true")
        .create_with_context(Deliveries::default())
        .unwrap();
    let producer = Arc::new(producer);
    let topic = std::ffi::CString::new(topic).unwrap();
    let topic = kafka::ProducerTopic::new(&producer, &topic).unwrap();
    for message in outbox.iter() {
        topic.produce(&message).unwrap();
    }
    producer.flush(Duration::from_mins(1)).unwrap();
    all
}

/// Reads partition 0 as bytes, header names included.
fn read(topic: &str, records: usize) -> RawBatch {
    let consumer: Arc<kafka::Consumer> = Arc::new(
        cluster::client()
            .set("group.id", cluster::unique("poison"))
            .set("enable.auto.commit", "false")
            .create_with_context(ConsumerEvents::default())
            .unwrap(),
    );
    let mut queue = PartitionQueue::split(&consumer, topic, 0).unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut batch = RawBatch::new(Arc::from(topic), 0);
    let deadline = Instant::now() + Duration::from_secs(30);
    while batch.len() < records {
        assert!(Instant::now() < deadline, "{} of {records} records in {topic}", batch.len());
        assert!(consumer.poll(Duration::from_millis(5)).is_none());
        let after = batch.offsets().map_or(-1, |(_, last)| last);
        queue.consume(100, after, &mut batch, |notice: Notice| println!("{notice:?}"));
    }
    consumer.context().close();
    batch
}

type Bytes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

fn headers(batch: &RawBatch, index: usize, prefix: &str) -> (Bytes, Bytes) {
    batch
        .record(index)
        .headers
        .iter()
        .map(|h| (h.name.to_vec(), h.value.map(<[u8]>::to_vec)))
        .partition(|(name, _)| !name.starts_with(prefix.as_bytes()))
}

fn value_of<'h>(headers: &'h Bytes, name: &str) -> &'h str {
    let (_, value) = headers.iter().find(|(n, _)| n == name.as_bytes()).expect(name);
    std::str::from_utf8(value.as_deref().unwrap()).unwrap()
}

#[test]
fn each_poison_ends_once_where_it_belongs() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("poison.schema.json"), SCHEMA).unwrap();
    let pipeline = Pipeline::write(directory, PIPELINE, 1);
    let now_ms = millstream::pipeline::clock::now_ms();
    let sent = produce(&pipeline.input, now_ms);
    let mut daemon = Daemon::start(&pipeline, &["--until-end", "--set", "workers=1"]);
    assert!(daemon.wait(90).success(), "{}", daemon.log());
    check_published(&pipeline, &sent, now_ms);
    check_rejected(&pipeline, &sent, now_ms);
    let dropped = sent.iter().filter(|p| p.end == End::Dropped).count();
    assert!(daemon.log().contains(&format!("+ dropped {dropped} ")), "{}", daemon.log());
}

fn offsets(sent: &[Poison], is: impl Fn(End) -> bool) -> Vec<usize> {
    (0..sent.len()).filter(|i| is(sent[*i].end)).collect()
}

fn check_published(pipeline: &Pipeline, sent: &[Poison], now_ms: i64) {
    let expected = offsets(sent, |end| end == End::Published);
    let batch = read(&pipeline.output, expected.len());
    assert_eq!(batch.len(), expected.len());
    let mut neighbours = 0;
    for (index, offset) in expected.into_iter().enumerate() {
        let (record, poison) = (batch.record(index), &sent[offset]);
        let (passed, ours) = headers(&batch, index, "millstream-");
        let source = format!("{}/0/{offset}", pipeline.input);
        assert_eq!(value_of(&ours, "millstream-source"), source, "{}", poison.name);
        assert_eq!(passed, poison.headers, "{}", poison.name);
        assert_eq!(record.timestamp_ms, Some(now_ms));
        // The key's bytes, or the entity's text where there is none.
        assert_eq!(record.key, Some(poison.key.as_deref().unwrap_or(b"k")), "{}", poison.name);
        if poison.name == "neighbour" {
            neighbours += 1;
            let expected = format!(r#"{{"id":"n","text":null,"x":7.0,"x_count_1h":{neighbours}}}"#);
            assert_eq!(std::str::from_utf8(record.value.unwrap()).unwrap(), expected);
        }
    }
}

fn check_rejected(pipeline: &Pipeline, sent: &[Poison], now_ms: i64) {
    let expected = offsets(sent, |end| matches!(end, End::Rejected(_)));
    let batch = read(&pipeline.dead_letter, expected.len());
    assert_eq!(batch.len(), expected.len());
    for index in 0..batch.len() {
        let (record, (passed, context)) =
            (batch.record(index), headers(&batch, index, "__connect.errors."));
        let offset: usize = value_of(&context, "__connect.errors.offset").parse().unwrap();
        assert!(expected.contains(&offset));
        let poison = &sent[offset];
        let End::Rejected(reason) = poison.end else { panic!("{} was rejected", poison.name) };
        let said = value_of(&context, "__connect.errors.exception.class.name");
        assert_eq!(said, reason, "{}", poison.name);
        assert_eq!(value_of(&context, "__connect.errors.topic"), pipeline.input);
        assert_eq!(value_of(&context, "__connect.errors.partition"), "0");
        assert!(!value_of(&context, "__connect.errors.stage").is_empty());
        assert!(!value_of(&context, "__connect.errors.exception.message").is_empty());
        assert_eq!(passed, poison.headers, "{}", poison.name);
        assert_eq!(record.key, poison.key.as_deref(), "{}", poison.name);
        assert_eq!(record.timestamp_ms, Some(now_ms));
        if reason == "oversize" {
            assert_eq!(record.value, Some(&b""[..]), "an oversize value is left out");
            let size = poison.value.as_ref().unwrap().len().to_string();
            assert_eq!(value_of(&context, "__connect.errors.value.size"), size);
        } else {
            assert_eq!(record.value, poison.value.as_deref(), "{}", poison.name);
        }
    }
}
