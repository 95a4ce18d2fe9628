//! `millstream dlq`: what lies in a dead-letter topic is counted, shown and sent again as it came.

use super::{
    cluster,
    daemon::{Daemon, Pipeline},
    topic,
};
use millstream::{
    batch::{MessageParts, Outbox, RawBatch, RawRecord, Target},
    kafka::{self, ClientProperties, ConsumerGroup, Deliveries},
    pipeline::clock,
    source::{ReadFrom, TopicReader},
};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::{process::Command, sync::Arc, time::Duration};

const PIPELINE: &str = "pipeline: letters
source: { topics: [in], format: json, schema: letters.schema.json, key: id, event_time: { column: ts, unit: ms }, lateness: 1h, start: earliest }
windows: [ { over: 1d, of: x, compute: [count] } ]
features: [ x, x_count_1d ]
output: { topic: out, format: json, carry: [id], headers: passthrough }
dead_letter: { topic: dlq }
limits: { record_bytes: 100KiB }
delivery: at_least_once
";

/// The schema of the records; what `x` is, is the mistake that is corrected.
fn schema(x: &str) -> String {
    format!(
        r#"{{"type":"object","required":["id","ts"],"properties":{{
        "id":{{"type":"string"}},"ts":{{"type":"integer"}},"x":{{"type":"number","maximum":{x}}}}}}}"#
    )
}

fn pipeline(partitions: i32) -> Pipeline {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("letters.schema.json"), schema("10")).unwrap();
    Pipeline::write(directory, PIPELINE, partitions)
}

/// A record as bytes.
#[derive(Debug, Clone, Default, PartialEq)]
struct Bytes {
    partition: i32,
    timestamp_ms: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn record(partition: i32, now_ms: i64, value: impl Into<Vec<u8>>) -> Bytes {
    let (key, value) = (Some(b"k\xff".to_vec()), Some(value.into()));
    Bytes { partition, timestamp_ms: Some(now_ms), key, value, headers: vec![] }
}

impl From<(i32, RawRecord<'_>)> for Bytes {
    fn from((partition, record): (i32, RawRecord<'_>)) -> Self {
        let headers = record.headers.iter();
        Self {
            partition,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers.map(|h| (h.name.to_vec(), h.value.map(<[u8]>::to_vec))).collect(),
        }
    }
}

fn produce(topic: &str, records: &[Bytes]) {
    let producer: kafka::Producer = cluster::client()
        .set("enable.idempotence", "true")
        .create_with_context(Deliveries::default())
        .unwrap();
    let producer = Arc::new(producer);
    let topic = std::ffi::CString::new(topic).unwrap();
    let topic = kafka::ProducerTopic::new(&producer, &topic).unwrap();
    for record in records {
        let mut outbox = Outbox::default();
        let parts = MessageParts {
            target: Target::Output,
            partition: Some(record.partition),
            key: record.key.as_deref(),
            timestamp_ms: record.timestamp_ms,
        };
        outbox.push(parts, |out| {
            out.extend_from_slice(record.value.as_deref().unwrap_or_default());
            record.value.is_some()
        });
        for (name, value) in &record.headers {
            outbox.header(name, value.as_deref());
        }
        topic.produce(&outbox.message(0)).unwrap();
    }
    producer.flush(Duration::from_mins(1)).unwrap();
    assert_eq!(producer.context().failed().0, 0);
}

/// Everything in a topic as bytes, partition by partition.
fn read(topic: &str, partitions: i32) -> Vec<Bytes> {
    let servers = ("bootstrap.servers".to_owned(), cluster::bootstrap());
    let group = ConsumerGroup { id: cluster::unique("read"), instance: None };
    let config = kafka::consumer_config(&ClientProperties::new([servers]), &group);
    let mut reader = TopicReader::open(&config, topic, partitions, ReadFrom::default()).unwrap();
    let mut records = Vec::new();
    while let Some(batch) = reader.read(10).unwrap() {
        let all = |batch: &RawBatch| {
            batch.iter().map(|r| Bytes::from((batch.partition(), r))).collect::<Vec<_>>()
        };
        records.extend(all(&batch));
    }
    records
}

/// Exit code and standard output of `millstream dlq ..`; what it says beside it is printed.
fn dlq(pipeline: &Pipeline, verb: &str, arguments: &[&str]) -> (i32, String) {
    let servers = format!("kafka.bootstrap_servers={}", cluster::bootstrap());
    let output = Command::new(env!("CARGO_BIN_EXE_millstream"))
        .args(["dlq", verb, pipeline.file.to_str().unwrap(), "--set", &servers])
        .args(arguments)
        .current_dir(pipeline.directory.path())
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn run(pipeline: &Pipeline, arguments: &[&str]) -> String {
    let mut daemon = Daemon::start(pipeline, &[&["--until-end"], arguments].concat());
    assert!(daemon.wait(90).success(), "{}", daemon.log());
    daemon.log()
}

/// Records of two partitions: one good, one beyond the schema's mistake in each, one that is no
/// JSON with a header whose name is no text, and one that is too large.
fn mixed(now_ms: i64) -> Vec<Bytes> {
    let json = |x: i32| format!(r#"{{"id":"k","ts":{now_ms},"x":{x}}}"#);
    let odd = vec![
        (b"caf\xe9\xff".to_vec(), Some(b"\x00\xff".to_vec())),
        (b"h".to_vec(), None),
        (b"h".to_vec(), Some(vec![])),
    ];
    vec![
        record(0, now_ms, json(1)),
        Bytes { headers: odd.clone(), ..record(0, now_ms - 1_000, json(11)) },
        Bytes { headers: odd, key: None, ..record(1, now_ms, b"\xff no json".as_slice()) },
        record(1, now_ms, json(12)),
        record(1, now_ms, "x".repeat(200_000)),
        Bytes { key: Some(vec![]), ..record(1, now_ms, json(13)) },
    ]
}

#[test]
fn dead_letters_are_counted_and_shown() {
    let pipeline = pipeline(2);
    let now_ms = clock::now_ms();
    produce(&pipeline.input, &mixed(now_ms));
    run(&pipeline, &[]);
    let (code, table) = dlq(&pipeline, "ls", &[]);
    assert_eq!(code, 0, "{table}");
    let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    let input = |partition: i32| format!("{}/{partition}", pipeline.input);
    let counted: Vec<(&str, &str, &str)> = lines[1..5].iter().map(|l| (l[0], l[1], l[2])).collect();
    let [first, second] = [input(0), input(1)];
    let expected = [
        ("invalid", first.as_str(), "1"),
        ("invalid", &second, "2"),
        ("oversize", &second, "1"),
        ("undecodable", &second, "1"),
    ];
    assert_eq!(counted, expected, "{table}");
    assert_eq!(lines[2][5], "1..3", "{table}");
    assert!(table.ends_with("\n5 dead letters\n"), "{table}");

    let (_, json) = dlq(&pipeline, "ls", &["--json", "--reason", "oversize"]);
    let line: serde_json::Value = serde_json::from_str(json.trim_end()).unwrap();
    assert_eq!((&line["reason"], &line["dead_letters"]), (&"oversize".into(), &1.into()));

    let source = format!("{}/0/1", pipeline.input);
    let (_, shown) = dlq(&pipeline, "show", &["--source", &source]);
    assert!(shown.contains(&format!("from       {source}\n")), "{shown}");
    assert!(shown.contains("reason     invalid (validate)\n"), "{shown}");
    assert!(shown.contains("key        2 bytes, sha256 "), "{shown}");
    assert!(!shown.contains(r#""id""#), "{shown}");
    let (_, shown) = dlq(&pipeline, "show", &["--source", &source, "--payload"]);
    assert!(shown.contains(r#"value      {"id":"k","#), "{shown}");
    assert!(shown.contains("header     caf\\xe9\\xff: \\u{0}\\xff\n"), "{shown}");
    let (_, json) = dlq(&pipeline, "show", &["--json", "--limit", "2"]);
    assert_eq!(json.lines().count(), 2);
}

#[test]
fn filters_by_time_and_offset_choose_what_lies_there() {
    let pipeline = pipeline(1);
    let now_ms = 1_767_225_600_000;
    let late_by = [0, -60_000, 30_000, 0, 90_000];
    let records: Vec<Bytes> = late_by.iter().map(|ms| record(0, now_ms + ms, "{")).collect();
    produce(&pipeline.input, &records);
    run(&pipeline, &[]);
    let count = |arguments: &[&str]| {
        let (code, table) = dlq(&pipeline, "ls", arguments);
        assert_eq!(code, 0);
        table.lines().last().unwrap().to_owned()
    };
    assert_eq!(count(&["--since", "2026-01-01T00:00:30Z"]), "2 dead letters");
    assert_eq!(count(&["--until", "2026-01-01T00:00:00Z"]), "1 dead letter");
    assert_eq!(count(&["--since", "2030-01-01T00:00:00Z"]), "0 dead letters");
    assert_eq!(count(&["--since", "1s"]), "0 dead letters");
    assert_eq!(count(&["--until", "1s"]), "5 dead letters");
    assert_eq!(count(&["--partition", "0", "--offsets", "1..3"]), "2 dead letters");
    assert_eq!(count(&["--partition", "0", "--offsets", "3.."]), "2 dead letters");
    let (code, _) = dlq(&pipeline, "ls", &["--partition", "1"]);
    assert_eq!(code, 1);
}

#[test]
fn what_is_sent_again_is_what_came_and_passes_once_the_schema_is_right() {
    let pipeline = pipeline(2);
    let now_ms = clock::now_ms();
    let sent = mixed(now_ms);
    produce(&pipeline.input, &sent);
    run(&pipeline, &[]);
    let before = read(&pipeline.input, 2);
    assert_eq!(before.len(), sent.len());

    let (code, plan) = dlq(&pipeline, "replay", &["--dry-run"]);
    assert_eq!(code, 1, "{plan}");
    assert_eq!(plan.matches("would send ").count(), 5, "{plan}");
    assert!(plan.contains("oversize: its value was not kept"), "{plan}");
    assert!(plan.ends_with("would send 4, refused 1\n"), "{plan}");
    assert_eq!(read(&pipeline.input, 2), before, "a dry run sends nothing");

    std::fs::write(pipeline.directory.path().join("letters.schema.json"), schema("100")).unwrap();
    let (code, told) = dlq(&pipeline, "replay", &["--reason", "invalid"]);
    assert_eq!((code, told.as_str()), (0, "sent 3, refused 0\n"));
    let letters = read(&pipeline.dead_letter, 2);
    let after = read(&pipeline.input, 2);
    assert_eq!(after.len(), sent.len() + 3);
    for index in [1, 3, 5] {
        let original = &sent[index];
        let again: Vec<&Bytes> = after
            .iter()
            .filter(|r| r.value == original.value && r.headers.len() > original.headers.len())
            .collect();
        assert_eq!(again.len(), 1, "sent once");
        let (own, ours) = again[0].headers.split_at(original.headers.len());
        assert_eq!(Bytes { headers: own.to_vec(), ..again[0].clone() }, *original);
        assert_eq!(ours[0], (b"millstream-replayed".to_vec(), Some(b"1".to_vec())));
        assert_eq!(ours[1].0, b"millstream-replayed-from");
        let from = String::from_utf8(ours[1].1.clone().unwrap()).unwrap();
        assert!(from.starts_with(&format!("{}/", pipeline.dead_letter)), "{from}");
    }
    let log = run(&pipeline, &["--migrate"]);
    assert!(log.contains("consumed 3 = published 3"), "{log}");
    assert_eq!(read(&pipeline.dead_letter, 2), letters, "none is rejected again");
}

#[test]
fn a_record_that_keeps_coming_back_is_stopped() {
    let pipeline = pipeline(1);
    produce(&pipeline.input, &[record(0, clock::now_ms(), "{")]);
    run(&pipeline, &[]);
    for round in 0..3 {
        let offsets = format!("{round}..");
        let (code, told) = dlq(&pipeline, "replay", &["--partition", "0", "--offsets", &offsets]);
        assert_eq!((code, told.as_str()), (0, "sent 1, refused 0\n"), "round {round}");
        run(&pipeline, &[]);
    }
    let letters = topic::dump(&pipeline.dead_letter);
    let times: Vec<_> = letters.iter().map(|l| l.header("millstream-replayed")).collect();
    assert_eq!(times, [None, Some("1".into()), Some("2".into()), Some("3".into())]);
    let last = ["--partition", "0", "--offsets", "3.."];
    let (code, told) = dlq(&pipeline, "replay", &last);
    assert_eq!(code, 1);
    assert!(told.contains("it was sent again 3 times already"), "{told}");
    assert!(told.ends_with("sent 0, refused 1\n"), "{told}");
    let (code, told) = dlq(&pipeline, "replay", &[&last[..], &["--max-replays", "4"]].concat());
    assert_eq!((code, told.as_str()), (0, "sent 1, refused 0\n"));
}

#[test]
fn a_late_record_that_is_sent_again_is_kept_unless_the_file_says_otherwise() {
    for outcomes in ["", "outcomes: { late: reject }\n"] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("letters.schema.json"), schema("10")).unwrap();
        let pipeline = Pipeline::write(directory, &format!("{PIPELINE}{outcomes}"), 1);
        let now_ms = clock::now_ms();
        let at = |ms: i64| record(0, now_ms, format!(r#"{{"id":"k","ts":{ms},"x":1}}"#));
        produce(&pipeline.input, &[at(now_ms), at(now_ms - 7_200_000)]);
        run(&pipeline, &[]);
        let (code, _) = dlq(&pipeline, "replay", &["--reason", "late"]);
        assert_eq!(code, 0);
        run(&pipeline, &[]);
        let vectors = topic::dump(&pipeline.output);
        if outcomes.is_empty() {
            assert_eq!(vectors[1].header("millstream-late").as_deref(), Some("1"));
            assert_eq!(vectors.len(), 2);
        } else {
            assert_eq!(vectors.len(), 1);
            assert_eq!(topic::dump(&pipeline.dead_letter).len(), 2);
        }
    }
}

/// A transaction holds all of them: the one that could be sent is not sent either, nor twice when
/// it is asked for again.
#[test]
fn when_one_cannot_be_sent_none_is() {
    let pipeline = pipeline(1);
    let letter = |partition: &str| {
        let values = [&pipeline.input, partition, "7", "validate", "invalid", "x"];
        let names = millstream::encode::DEAD_LETTER_CONTEXT.into_iter().zip(values);
        let header = |(name, value): (&str, &str)| {
            (format!("__connect.errors.{name}").into_bytes(), Some(value.as_bytes().to_vec()))
        };
        Bytes { headers: names.map(header).collect(), ..record(0, 1_000, "again") }
    };
    produce(&pipeline.dead_letter, &[letter("0"), letter("9")]);
    let (code, told) = dlq(&pipeline, "replay", &[]);
    assert_eq!((code, told.as_str()), (1, ""));
    assert_eq!(read(&pipeline.input, 1), []);
    let (code, told) = dlq(&pipeline, "replay", &["--limit", "1"]);
    assert_eq!((code, told.as_str()), (0, "sent 1, refused 0\n"));
    let sent = read(&pipeline.input, 1);
    assert_eq!((sent.len(), sent[0].value.as_deref()), (1, Some(&b"again"[..])));
}

/// Markers of transactions take offsets, aborted records are none, and what is still open is not
/// waited for.
#[test]
fn a_topic_written_by_transactions_is_read_to_its_end() {
    let pipeline = pipeline(1);
    let producer: BaseProducer =
        cluster::client().set("transactional.id", cluster::unique("letters")).create().unwrap();
    let timeout = Duration::from_secs(30);
    producer.init_transactions(timeout).unwrap();
    let write = |count: usize| {
        producer.begin_transaction().unwrap();
        for _ in 0..count {
            producer.send(BaseRecord::<[u8], _>::to(&pipeline.dead_letter).payload("x")).unwrap();
        }
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::from_millis(1));
        }
    };
    let count = || dlq(&pipeline, "ls", &[]).1.lines().last().unwrap().to_owned();
    write(3);
    producer.commit_transaction(timeout).unwrap();
    assert_eq!(count(), "3 dead letters");
    write(2);
    producer.abort_transaction(timeout).unwrap();
    assert_eq!(count(), "3 dead letters");
    write(4);
    assert_eq!(count(), "3 dead letters");
    producer.commit_transaction(timeout).unwrap();
    assert_eq!(count(), "7 dead letters");
    let (code, told) = dlq(&pipeline, "replay", &[]);
    assert_eq!(code, 1);
    assert!(told.ends_with("sent 0, refused 7\n"), "{told}");
}
