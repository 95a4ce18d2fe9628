//! The worker's decisions, taken turn by turn over an embedded broker.

use super::{
    Partition, Phase, Report, Worker, WorkerOptions, metadata::Ledger, partition::Replayed,
    report::Progress, start::Start,
};
use crate::{
    kafka::{self, ClientProperties, ConsumerGroup, TopicPartition},
    pipeline::{Definition, Overrides, clock},
    sink::{Sink, Topics},
    source::{Generator as _, Lookup, Record, Source, cards::Cards, embedded::Embedded},
    telemetry::{BuildInfo, Health, Metrics},
};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::{path::Path, sync::Arc, time::Duration};

const INPUT: &str = "card.transactions";

/// The card pipeline with this output format.
fn definition(format: &str) -> Arc<Definition> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines");
    let directory = tempfile::tempdir().unwrap();
    let schema = "card-transaction.schema.json";
    std::fs::copy(source.join(schema), directory.path().join(schema)).unwrap();
    let text = std::fs::read_to_string(source.join("card-features.yaml")).unwrap();
    let file = directory.path().join("pipeline.yaml");
    std::fs::write(&file, text.replace("format: json, carry", &format!("format: {format}, carry")))
        .unwrap();
    Arc::new(Definition::load(&file, Overrides::default()).unwrap())
}

fn id(partition: i32) -> TopicPartition {
    TopicPartition { topic: INPUT.to_owned(), partition }
}

fn empty(partition: i32) -> Lookup {
    Lookup { partition: id(partition), committed: None, low: 0, high: 0 }
}

fn broker() -> Embedded {
    Embedded::start(&[(INPUT, 2), ("card.features", 2), ("card.transactions.dlq", 2)]).unwrap()
}

/// A worker that has not joined its group: the tests tell it what it is assigned.
fn worker(broker: &Embedded, definition: &Arc<Definition>) -> Worker {
    let properties =
        ClientProperties::new([("bootstrap.servers".to_owned(), broker.bootstrap_servers())]);
    let group = ConsumerGroup { id: "g".to_owned(), instance: None };
    let topics = Topics {
        output: "card.features".to_owned(),
        dead_letter: Some("card.transactions.dlq".to_owned()),
    };
    let source = Source::join(&kafka::consumer_config(&properties, &group), &[]).unwrap();
    let sink = Sink::open(&kafka::producer_config(&properties, 1_000_000), &topics).unwrap();
    let build = BuildInfo { version: "0", pipeline: "p", definition: definition.hash() };
    let (metrics, health) = (Arc::new(Metrics::new(&build)), Arc::new(Health::new(1)));
    let options = WorkerOptions {
        commit_interval: Duration::from_hours(1),
        commit_records: 1_000,
        commit_bytes: 1 << 20,
        batch_records: 100,
        inputs: [(INPUT.to_owned(), 2)].into(),
        output_partitions: 2,
        settle: Duration::from_secs(5),
        migrate: false,
    };
    let report = Report::new(0, &metrics, &health, &Progress::default());
    Worker::new(Arc::clone(definition), options, (source, sink), report)
}

fn fill(broker: &Embedded, partition: i32, records: u64) {
    let mut config = kafka::admin_config(&ClientProperties::default());
    broker.apply(&mut config);
    let producer: BaseProducer = config.create().unwrap();
    let (mut cards, mut record) = (Cards::new(1, 5, records), Record::default());
    while cards.next(&mut record) {
        let next = BaseRecord::to(INPUT).partition(partition);
        producer.send(next.key(&record.key).payload(&record.value)).unwrap();
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

fn until(worker: &mut Worker, what: &str, mut done: impl FnMut(&mut Worker) -> bool) {
    let deadline = clock::instant() + Duration::from_secs(20);
    while !done(worker) {
        assert!(clock::instant() < deadline, "{what}");
        worker.source.wait(Duration::from_millis(5)).unwrap();
    }
}

/// The commit of a new partition's origin takes the positions of all partitions along, and so
/// must take the vectors that their encoders kept back.
#[test]
fn a_new_partition_commits_no_position_whose_vectors_wait() {
    let broker = broker();
    fill(&broker, 0, 10);
    let mut worker = worker(&broker, &definition("arrow_ipc"));
    worker.take([empty(0)].iter()).unwrap();
    until(&mut worker, "origin committed", |w| {
        w.commit().unwrap();
        w.committing.is_none()
    });
    until(&mut worker, "ten records folded", |w| {
        w.fold_slices().unwrap();
        w.partitions[&id(0)].next == 10
    });
    assert_eq!(worker.outbox.len(), 0, "the encoder gathers");
    worker.take([empty(1)].iter()).unwrap();
    assert!(worker.committing.is_some());
    assert_eq!(worker.outbox.len(), 1, "all that is behind the position is to be sent");
}

#[test]
fn what_was_never_taken_can_be_given_back_and_the_rest_of_its_lookup_is_taken() {
    let broker = broker();
    let mut worker = worker(&broker, &definition("json"));
    let answer = worker.source.lookup(vec![id(0), id(1)]);
    worker.lookups.push((vec![id(0), id(1)], answer));
    worker.give_back(&[id(0)], true).unwrap();
    until(&mut worker, "the other partition taken", |w| {
        w.finish_lookups().unwrap();
        w.lookups.is_empty()
    });
    assert_eq!(worker.partitions.keys().collect::<Vec<_>>(), [&id(1)]);
}

/// A turn folds what a commit has room for and goes on with the next partition, so that many
/// partitions need no more memory than few and none starves.
#[test]
fn a_turn_stops_at_a_full_commit_and_the_next_goes_on_behind_it() {
    let broker = broker();
    fill(&broker, 0, 300);
    fill(&broker, 1, 300);
    let mut worker = worker(&broker, &definition("json"));
    worker.options.commit_records = 100;
    worker.take([empty(0), empty(1)].iter()).unwrap();
    let mut order = Vec::new();
    until(&mut worker, "both read", |w| {
        w.commit().unwrap();
        if w.committing.is_none() {
            w.fold_slices().unwrap();
            let pending = w.partitions.values().map(|p| p.pending.consumed);
            assert!(pending.clone().sum::<u64>() < 200);
            order.extend((0..).zip(pending).filter(|(_, n)| *n > 0).map(|(p, _)| p));
        }
        w.partitions.values().all(|p| p.next == 300)
    });
    assert!(order[..4].contains(&0) && order[..4].contains(&1), "{order:?}");
}

/// After a failure the new producer has nothing under way while all messages wait: that is a
/// pause, not a reason to spin.
#[test]
fn waiting_for_the_end_of_a_pause_sleeps() {
    let broker = broker();
    fill(&broker, 0, 1);
    let mut worker = worker(&broker, &definition("json"));
    worker.take([empty(0)].iter()).unwrap();
    until(&mut worker, "origin committed", |w| {
        w.commit().unwrap();
        w.committing.is_none()
    });
    until(&mut worker, "a record folded", |w| w.fold_slices().unwrap() > 0);
    worker.source.wait(Duration::from_millis(20)).unwrap();
    let started = clock::instant();
    assert!(!worker.poll_sink(Duration::from_millis(50)).unwrap());
    assert!(started.elapsed() >= Duration::from_millis(10));
}

/// A log may end in markers of transactions: they take offsets and are no records.
#[test]
fn markers_behind_the_last_record_are_passed() {
    let definition = definition("json");
    let start = |from, committed| Start {
        partition: id(0),
        from,
        committed,
        end: 101,
        digest: None,
        ledger: Ledger::default(),
        fresh: false,
    };
    let mut live = Partition::new(&definition, &start(100, 100), (2, 2));
    assert_eq!(live.idle((101, 101)), None);
    assert_eq!(live.position().unwrap().offset, 101);
    live.committed(101);
    assert!(live.at_end());

    let mut replaying = Partition::new(&definition, &start(0, 101), (2, 2));
    assert_eq!(replaying.idle((100, 150)), None);
    // The end may be out of reach: a transaction is open behind the committed offset.
    assert_eq!(replaying.idle((101, 150)), Some(Replayed::Unverifiable));
    assert_eq!((replaying.phase, replaying.next), (Phase::Live, 101));
}
