//! The worker's decisions, taken turn by turn over an embedded broker.

mod ticks;

use super::{
    Found, Known, Parts, Place, Pulse, Report, SnapshotOptions, Snapshots, Step, Stop, Worker,
    WorkerOptions, metadata::Metadata, partition::Beginning, report::Progress,
};
use crate::{
    kafka::{self, ClientProperties, ConsumerGroup, TopicPartition},
    pipeline::{Definition, Overrides, clock, protocol, protocol::Phase},
    sink::{Sink, Topics},
    source::{Generator as _, Record, Source, cards::Cards, embedded::Embedded},
    state::snapshot::{Ledger, LogPosition, OffsetRange, Skipped},
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

/// Assigns the partition and answers where it stands.
fn take(worker: &mut Worker, partition: i32, start: protocol::Start, end: i64) {
    let found = found(worker, partition, start, end);
    take_found(worker, vec![found]);
}

/// Takes partitions; nothing is committed before the group has been served again.
fn take_found(worker: &mut Worker, found: Vec<Found>) {
    worker.take(found).unwrap();
    worker.serve_group().unwrap();
}

fn found(worker: &mut Worker, partition: i32, start: protocol::Start, end: i64) -> Found {
    let id = id(partition);
    let epoch = worker.protocol.assigned(id.clone());
    let beginning = Beginning {
        id: id.clone(),
        fold: worker.definition.fold(Some(2)),
        emitter: worker.definition.emitter(Some(2)),
        origin: start.from,
        ledger: Ledger::default(),
        digest: None,
        end,
        topic: (None, 2),
        skipped: Skipped::default(),
        snapshot: None,
        ticks: (Vec::new(), None),
        rebuild: None,
        tail: None,
    };
    let result = Ok((start, Box::new(beginning)));
    Found { id, epoch, high: end, result }
}

const EMPTY: protocol::Start =
    protocol::Start { from: 0, committed: NOWHERE, ticks: Vec::new(), fresh: true };

const NOWHERE: LogPosition = LogPosition { offset: 0, tick: 0 };

/// A start with a state at `from`, in a group that stands at `committed`.
fn start_at(from: i64, committed: i64) -> protocol::Start {
    protocol::Start { from, committed: protocol::at(committed), fresh: false, ..EMPTY }
}

fn broker() -> Embedded {
    Embedded::start(&[(INPUT, 2), ("card.features", 2), ("card.transactions.dlq", 2)]).unwrap()
}

/// A worker that has not joined its group: the tests tell it what it is assigned.
fn worker(broker: &Embedded, definition: &Arc<Definition>) -> Worker {
    worker_of(broker, definition, &[])
}

/// A worker that joins its group for these topics.
fn worker_of(broker: &Embedded, definition: &Arc<Definition>, inputs: &[String]) -> Worker {
    let properties =
        ClientProperties::new([("bootstrap.servers".to_owned(), broker.bootstrap_servers())]);
    let group = ConsumerGroup { id: "g".to_owned(), instance: None };
    let topics = Topics {
        output: "card.features".to_owned(),
        dead_letter: Some("card.transactions.dlq".to_owned()),
        quality: None,
    };
    let source = Source::join(&kafka::consumer_config(&properties, &group), inputs).unwrap();
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
        accept_growth: false,
    };
    let report = Report::new(0, &metrics, &health, &Progress::default());
    let every = SnapshotOptions { interval: Duration::from_hours(1), records: u64::MAX, keep: 2 };
    let parts = Parts {
        source,
        sink,
        snapshots: Snapshots::start(0, None, every, &metrics).unwrap(),
        store: None,
        place: Place::new(definition, None, "a processor"),
        known: Known::default(),
        metrics,
        pulse: Arc::new(Pulse::default()),
    };
    Worker::new(Arc::clone(definition), options, parts, report)
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
    take(&mut worker, 0, EMPTY, 0);
    until(&mut worker, "origin committed", |w| {
        w.begin_commit();
        w.commit().unwrap();
        w.protocol.step() == Step::Fold
    });
    until(&mut worker, "ten records folded", |w| {
        w.fold_slices().unwrap();
        w.protocol.next(&id(0)) == Some(10)
    });
    assert_eq!(worker.outbox.len(), 0, "the encoder gathers");
    take(&mut worker, 1, EMPTY, 0);
    assert_ne!(worker.protocol.step(), Step::Fold);
    assert_eq!(worker.outbox.len(), 1, "all that is behind the position is to be sent");
}

/// Who waits for the end of a backlog must not see a zero before the first record was read.
#[test]
fn the_lag_of_a_partition_shows_from_where_it_begins() {
    let broker = broker();
    let mut worker = worker(&broker, &definition("json"));
    let lag = |worker: &Worker| {
        let page = worker.recovery.metrics.expose();
        let line = page.lines().find(|l| l.starts_with("millstream_consumer_lag_records{"));
        line.map(|l| l.rsplit(' ').next().unwrap().to_owned())
    };
    worker.report.assigned(&[id(0)]);
    assert_eq!(lag(&worker), None, "nobody knows yet");
    take(&mut worker, 0, protocol::Start { fresh: true, ..start_at(4, 6) }, 10);
    assert_eq!(lag(&worker).as_deref(), Some("4"));
}

#[test]
fn what_was_never_taken_can_be_given_back_and_the_rest_of_its_lookup_is_taken() {
    let broker = broker();
    let mut worker = worker(&broker, &definition("json"));
    let asked = [0, 1].map(|p| (id(p), worker.protocol.assigned(id(p)))).to_vec();
    worker.question(asked);
    worker.give_back(&[id(0)], true).unwrap();
    until(&mut worker, "the other partition taken", |w| {
        w.hear_answers().unwrap();
        w.questions.is_empty()
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
    let both = [0, 1].map(|p| found(&mut worker, p, EMPTY, 0));
    take_found(&mut worker, both.into());
    let mut order = Vec::new();
    until(&mut worker, "both read", |w| {
        w.begin_commit();
        w.commit().unwrap();
        if w.protocol.step() == Step::Fold {
            w.fold_slices().unwrap();
            let pending = w.partitions.values().map(|p| p.pending.consumed);
            assert!(pending.clone().sum::<u64>() < 200);
            order.extend((0..).zip(pending).filter(|(_, n)| *n > 0).map(|(p, _)| p));
        }
        (0..2).all(|p| w.protocol.next(&id(p)) == Some(300))
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
    take(&mut worker, 0, EMPTY, 0);
    until(&mut worker, "origin committed", |w| {
        w.begin_commit();
        w.commit().unwrap();
        w.protocol.step() == Step::Fold
    });
    until(&mut worker, "a record folded", |w| w.fold_slices().unwrap() > 0);
    worker.source.wait(Duration::from_millis(20)).unwrap();
    let started = clock::instant();
    assert!(!worker.poll_sink(Duration::from_millis(50)).unwrap());
    assert!(started.elapsed() >= Duration::from_millis(10));
}

/// Skipped offsets are as good as none, in the middle, at the end, and in a replay.
#[test]
fn skipped_records_are_not_folded_live_or_in_a_replay() {
    let broker = broker();
    let definition = definition("json");
    fill(&broker, 0, 6);
    let ranges = [(1, 3), (5, 6)].map(|(from, to)| OffsetRange { from, to });
    let skipped: Skipped = ranges.to_vec().try_into().unwrap();
    let fold_all = |start: protocol::Start| {
        let mut worker = worker(&broker, &definition);
        let mut found = found(&mut worker, 0, start, 6);
        found.result.as_mut().unwrap().1.skipped = skipped.clone();
        take_found(&mut worker, vec![found]);
        until(&mut worker, "all folded", |w| {
            w.fold_slices().unwrap();
            w.send().unwrap();
            w.protocol.next(&id(0)) == Some(6) && w.protocol.phase(&id(0)) == Some(Phase::Live)
        });
        let partition = &worker.partitions[&id(0)];
        (partition.pending.consumed, worker.outbox.len(), partition.fold().digest())
    };
    let (consumed, messages, digest) = fold_all(protocol::Start { fresh: false, ..EMPTY });
    assert_eq!((consumed, messages), (3, 3));
    let replayed = fold_all(start_at(0, 6));
    assert_eq!(replayed, (0, 0, digest));
}

/// Who takes a partition reads the newest record that was folded first: it is the one that was
/// folded, or nothing is.
#[test]
fn a_log_that_was_written_anew_stops_and_the_same_one_goes_on_behind() {
    let broker = broker();
    let definition = definition("json");
    fill(&broker, 0, 6);
    let worker_at = |committed: i64, tail| {
        let mut worker = worker(&broker, &definition);
        let mut found = found(&mut worker, 0, start_at(committed, committed), 6);
        found.result.as_mut().unwrap().1.tail = tail;
        take_found(&mut worker, vec![found]);
        worker
    };
    let folds_to = |worker: &mut Worker, end: i64| {
        until(worker, "all folded", |w| {
            w.fold_slices().unwrap();
            w.protocol.next(&id(0)) == Some(end)
        });
    };
    let mut first = worker_at(0, None);
    folds_to(&mut first, 6);
    let partition = first.partitions.get_mut(&id(0)).unwrap();
    let committed = partition.position(protocol::at(6), &first.place);
    let tail = Metadata::parse(committed.metadata.as_bytes()).unwrap().tail.unwrap();
    assert_eq!(tail.offset, 5);

    let mut second = worker_at(6, Some(tail));
    fill(&broker, 0, 2);
    folds_to(&mut second, 8);
    assert_eq!(second.partitions[&id(0)].pending.consumed, 2, "the record itself is not folded");

    let other = format!("{}1", tail.to_string().trim_end_matches(|c| c != ':')).parse().unwrap();
    let mut third = worker_at(6, Some(other));
    until(&mut third, "stopped", |w| {
        w.fold_slices().unwrap();
        !w.stopped.is_empty()
    });
    assert_eq!(third.stopped[&id(0)], Stop::LogRewritten { offset: 5 });
    assert!(third.partitions.is_empty() && third.outbox.is_empty());
}

/// A panic in the fold costs its partition, with the messages of the open commit; the others go on.
/// A member outside of a group takes partitions all at a time and so cannot look for the record.
#[test]
fn a_fold_that_panics_stops_its_partition_alone() {
    let broker = broker();
    fill(&broker, 0, 4);
    fill(&broker, 1, 4);
    let mut worker = worker(&broker, &definition("json"));
    worker.protocol = protocol::Protocol::new(true, None);
    let both = [0, 1].map(|p| found(&mut worker, p, start_at(0, 0), 4));
    take_found(&mut worker, both.into());
    until(&mut worker, "all folded", |w| {
        w.fold_slices().unwrap();
        w.send().unwrap();
        (0..2).all(|p| w.protocol.next(&id(p)) == Some(4))
    });
    let of_other = worker.partitions[&id(1)].epoch.number();
    worker.fold_failed(&id(0), OffsetRange { from: 2, to: 4 }).unwrap();
    assert_eq!(worker.stopped[&id(0)], Stop::FoldFailed { from: 2, to: 4 });
    assert_eq!(worker.partitions.keys().collect::<Vec<_>>(), [&id(1)]);
    assert_eq!(worker.protocol.step(), Step::Reopen, "what was sent for it must not stand");
    assert_eq!(worker.outbox.len(), 4);
    assert_eq!(worker.outbox.retain_owners(0, |owner| owner != of_other), 0);
    assert!(worker.outbox.is_empty(), "the messages left are those of the other partition");
}

/// A log may end in markers of transactions: they take offsets and are no records.
#[test]
fn a_replay_ends_where_only_markers_are_left() {
    let broker = broker();
    fill(&broker, 0, 3);
    let mut worker = worker(&broker, &definition("json"));
    take(&mut worker, 0, start_at(0, 3), 3);
    assert_eq!(worker.protocol.phase(&id(0)), Some(Phase::Replaying { until: 3 }));
    until(&mut worker, "replayed", |w| {
        w.fold_slices().unwrap();
        w.protocol.phase(&id(0)) == Some(Phase::Live)
    });
    assert_eq!((worker.outbox.len(), worker.protocol.next(&id(0))), (0, Some(3)));
}

/// What was taken by one member is not committed by another, even if the client says nothing of it;
/// another client takes everything anew.
#[test]
fn who_became_another_member_commits_nothing_and_joins_anew() {
    let broker = broker();
    fill(&broker, 0, 10);
    let mut worker = worker_of(&broker, &definition("json"), &[INPUT.to_owned()]);
    worker.options.commit_interval = Duration::from_millis(20);
    let committed = |w: &Worker| {
        let found = w.source.asker().committed(&[id(0)]).unwrap();
        found[0].1.as_ref().map(|committed| committed.offset)
    };
    until(&mut worker, "everything committed", |w| {
        w.turn().unwrap();
        w.protocol.committed(&id(0)) == Some(10)
    });
    worker.member.takes(Some(c"the one before"));
    fill(&broker, 0, 10);
    until(&mut worker, "the rest folded", |w| {
        w.fold_slices().unwrap();
        w.protocol.next(&id(0)) == Some(20)
    });
    worker.settle().unwrap();
    assert_eq!(worker.protocol.all().count(), 0, "everything is lost");
    assert_eq!(committed(&worker), Some(10));
    until(&mut worker, "the rest committed by another client", |w| {
        w.turn().unwrap();
        w.protocol.committed(&id(0)) == Some(20)
    });
    assert_eq!(committed(&worker), Some(20));
}
