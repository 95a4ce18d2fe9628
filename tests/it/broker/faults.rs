//! Faults in mid-stream, each judged by the oracle: repeats are allowed, nothing else.

use super::{
    cluster,
    daemon::{Daemon, Pipeline, SHORT_SESSION, all_done},
    groups::produce_cards,
    oracle, starts, topic,
};
use millstream::source::{Generator as _, Record, cards::Cards};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Cards at a steady rate, in a thread of its own.
fn feed(topic: &str, seed: u64, total: u64, per_tick: u64) -> thread::JoinHandle<()> {
    let topic = topic.to_owned();
    thread::spawn(move || {
        let producer = cluster::producer();
        let (mut cards, mut record) = (Cards::new(seed, 200, total), Record::default());
        let mut count = 0;
        while cards.next(&mut record) {
            producer.send(BaseRecord::to(&topic).key(&record.key).payload(&record.value)).unwrap();
            count += 1;
            if count % per_tick == 0 {
                producer.poll(Duration::ZERO);
                thread::sleep(Duration::from_millis(10));
            }
        }
        cluster::flush(&producer);
    })
}

/// A process that sleeps longer than its session wakes up as a stranger to its group.
#[test]
fn a_process_that_overslept_its_session_loses_nothing() {
    const TOTAL: u64 = 20_000;
    let pipeline = Pipeline::copy("card-features.yaml", 4, |text| text);
    let fed = feed(&pipeline.input, 11, TOTAL, 25);
    let mut sleeper = Daemon::start(&pipeline, &SHORT_SESSION);
    let some = |d: &Daemon| d.metric("millstream_records_published_total", "") > 1_000.0;
    sleeper.wait_until("first vectors", 60, some);
    let mut other = Daemon::start(&pipeline, &SHORT_SESSION);
    other.wait_until("its share", 60, |d| d.metric("millstream_partitions_assigned", "") == 2.0);
    sleeper.signal("-STOP");
    other.wait_until("all partitions", 60, |d| {
        d.metric("millstream_partitions_assigned", "") == 4.0
    });
    sleeper.signal("-CONT");
    fed.join().unwrap();
    other.wait_until("no lag", 60, |d| all_done(&pipeline, &[d, &sleeper], 4.0));
    for daemon in [&mut sleeper, &mut other] {
        assert_eq!(daemon.metric("millstream_fold_divergence_total", ""), 0.0);
        assert!(daemon.terminate().success(), "{}", daemon.log());
    }
    let judged = oracle::judge("card.py", &pipeline, &["--allow-duplicates"]);
    assert_eq!(judged.input.len() as u64, TOTAL);
}

/// Members come and go, some of them killed, while records flow.
#[test]
fn a_rebalance_storm_loses_nothing() {
    const TOTAL: u64 = 20_000;
    let pipeline = Pipeline::copy("card-features.yaml", 6, |text| text);
    let session = [
        "--set",
        "kafka.consumer_properties.session.timeout.ms=2000",
        "--set",
        "kafka.consumer_properties.heartbeat.interval.ms=300",
    ];
    let fed = feed(&pipeline.input, 12, TOTAL, 20);
    let mut lasting = Daemon::start(&pipeline, &[&session[..], &["--set", "workers=2"]].concat());
    for round in 0..5 {
        let mut passing =
            Daemon::start(&pipeline, &[&session[..], &["--set", "workers=1"]].concat());
        let shown = Instant::now();
        passing.wait_until("a share, or time", 10, |d| {
            d.metric("millstream_partitions_assigned", "") > 0.0
                || shown.elapsed() > Duration::from_secs(3)
        });
        thread::sleep(Duration::from_millis(100 * round));
        if round % 2 == 0 {
            passing.kill();
        } else {
            assert!(passing.terminate().success(), "{}", passing.log());
        }
    }
    fed.join().unwrap();
    lasting.wait_until("no lag", 60, |d| all_done(&pipeline, &[d], 6.0));
    assert_eq!(lasting.metric("millstream_fold_divergence_total", ""), 0.0);
    assert!(lasting.terminate().success(), "{}", lasting.log());
    let judged = oracle::judge("card.py", &pipeline, &["--allow-duplicates"]);
    assert_eq!(judged.input.len() as u64, TOTAL);
}

/// The broker's limit is on a batch, not on a message: batches must stay below it.
#[test]
fn batches_stay_below_the_limit_of_a_small_topic() {
    let pipeline =
        Pipeline::copy("card-features.yaml", 1, |text| text + "limits: { vector_bytes: 40KiB }\n");
    let small = format!("{}.small", pipeline.name);
    cluster::create(&small, 1, &[("max.message.bytes", "60000")]);
    let text = std::fs::read_to_string(&pipeline.file).unwrap();
    std::fs::write(&pipeline.file, text.replace(&pipeline.output, &small)).unwrap();
    produce_cards(&pipeline.input, 1, 5_000);
    let uncompressed = "kafka.producer_properties.compression.type=none";
    let arguments = ["--until-end", "--set", uncompressed];
    let mut daemon = Daemon::start(&pipeline, &arguments);
    assert!(daemon.wait(60).success(), "{}", daemon.log());
    assert_eq!(topic::dump(&small).len(), 5_000);
    assert!(!daemon.log().contains("sending again"), "{}", daemon.log());
}

/// The end of a log of transactions is a marker: no record ever reaches it.
#[test]
fn a_log_that_ends_in_a_marker_has_an_end() {
    let pipeline = Pipeline::copy("card-features.yaml", 2, |text| text);
    let producer: BaseProducer =
        cluster::client().set("transactional.id", &pipeline.name).create().unwrap();
    let timeout = Duration::from_secs(20);
    producer.init_transactions(timeout).unwrap();
    let (mut cards, mut record) = (Cards::new(1, 200, 300), Record::default());
    for committed in [true, false, true] {
        producer.begin_transaction().unwrap();
        for _ in 0..100 {
            assert!(cards.next(&mut record));
            let next = BaseRecord::to(&pipeline.input).key(&record.key).payload(&record.value);
            producer.send(next).unwrap();
        }
        producer.flush(timeout).unwrap();
        if committed {
            producer.commit_transaction(timeout).unwrap();
        } else {
            producer.abort_transaction(timeout).unwrap();
        }
    }
    for consumed in [200, 0] {
        let mut daemon = Daemon::start(&pipeline, &["--until-end"]);
        assert!(daemon.wait(60).success(), "{}", daemon.log());
        let said = format!("consumed {consumed} = published");
        assert!(daemon.log().contains(&said), "{}", daemon.log());
    }
}

/// A run to the end cannot get there past a stopped partition, and says so.
#[test]
fn a_run_to_the_end_fails_when_a_partition_stops() {
    let pipeline = Pipeline::copy("card-features.yaml", 2, |text| text);
    produce_cards(&pipeline.input, 1, 1_000);
    starts::commit(&pipeline.name, &pipeline.input, 5_000);
    let mut daemon = Daemon::start(&pipeline, &["--until-end"]);
    assert_eq!(daemon.wait(60).code(), Some(1), "{}", daemon.log());
    assert!(daemon.log().contains("1 partitions stopped"), "{}", daemon.log());
}

/// A running partition that loses the records it was about to read does what the file says, as
/// one that starts does.
#[test]
fn a_running_partition_whose_records_vanish_goes_on_where_the_file_says() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| {
        text.replace("start: earliest", "start: earliest\n  out_of_range: earliest")
    });
    produce_cards(&pipeline.input, 1, 100);
    // A fetch answers with one batch at most, so that deleted records were not fetched before.
    let fetch = "kafka.consumer_properties.fetch.message.max.bytes=1000";
    let mut daemon = Daemon::start(&pipeline, &["--set", "workers=1", "--set", fetch]);
    daemon.wait_until("all", 60, |d| d.metric("millstream_records_consumed_total", "") == 100.0);
    daemon.signal("-STOP");
    for seed in 2..=11 {
        produce_cards(&pipeline.input, seed, 100);
    }
    starts::delete_before(&pipeline.input, 1_000);
    daemon.signal("-CONT");
    daemon.wait_until("the rest", 60, |d| {
        all_done(&pipeline, &[d], 1.0) && d.metric("millstream_records_consumed_total", "") >= 200.0
    });
    assert!(daemon.log().contains("begins again"), "{}", daemon.log());
    assert!(daemon.terminate().success(), "{}", daemon.log());
}
