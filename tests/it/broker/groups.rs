//! Several processes in one group: nobody loses a record, every value is right.

use super::{
    cluster,
    daemon::{Daemon, Pipeline, SHORT_SESSION, all_done},
    flights::send,
    oracle,
};
use millstream::source::{Generator as _, Record, cards::Cards};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use std::{thread, time::Duration};

/// Seeded card transactions into the pipeline's input.
pub(super) fn produce_cards(topic: &str, seed: u64, total: u64) {
    produce(topic, Cards::new(seed, 200, total), u64::MAX);
}

/// Writes them with a pause of 10 ms after every `burst` records.
pub(super) fn produce(topic: &str, mut cards: Cards, burst: u64) {
    let producer = cluster::producer();
    let (mut record, mut count) = (Record::default(), 0);
    while cards.next(&mut record) {
        let key = std::str::from_utf8(&record.key).unwrap();
        send(&producer, topic, key, std::str::from_utf8(&record.value).unwrap());
        count += 1;
        if count % burst == 0 {
            cluster::flush(&producer);
            thread::sleep(Duration::from_millis(10));
        }
    }
    cluster::flush(&producer);
}

/// One is killed and one is stopped in mid-stream; a third finishes.
#[test]
fn kill_and_terminate_in_mid_stream_lose_nothing_and_every_value_is_right() {
    const TOTAL: u64 = 60_000;
    let pipeline = Pipeline::copy("card-features.yaml", 6, |text| text);
    let input = pipeline.input.clone();
    let feed = thread::spawn(move || produce(&input, Cards::new(1, 200, TOTAL), 200));
    let mut killed = Daemon::start(&pipeline, &["--set", "workers=2"]);
    let mut terminated = Daemon::start(&pipeline, &["--set", "workers=1"]);
    let some = |d: &Daemon| d.metric("millstream_records_published_total", "") > 3_000.0;
    killed.wait_until("first vectors", 60, some);
    terminated.wait_until("first vectors", 60, some);
    killed.kill();
    let mut last = Daemon::start(&pipeline, &["--set", "workers=2"]);
    last.wait_until("vectors of the third", 90, some);
    assert!(terminated.terminate().success(), "{}", terminated.log());
    feed.join().unwrap();
    last.wait_until("no lag", 120, |d| all_done(&pipeline, &[d], 6.0));
    assert!(last.metric("millstream_replay_records_total", "") > 0.0, "state was rebuilt");
    assert_eq!(last.metric("millstream_fold_divergence_total", ""), 0.0);
    assert_eq!(terminated.metric("millstream_fold_divergence_total", ""), 0.0);
    assert!(last.terminate().success(), "{}", last.log());
    let judged = oracle::judge("card.py", &pipeline, &["--allow-duplicates"]);
    assert_eq!(judged.input.len() as u64, TOTAL);
}

/// A clean stop in the middle, then a start: the values after it are as if nothing had happened,
/// and nothing is published twice.
#[test]
fn a_restart_rebuilds_the_state_and_repeats_nothing() {
    let pipeline = Pipeline::copy("card-features.yaml", 3, |text| text);
    produce_cards(&pipeline.input, 2, 20_000);
    let mut first = Daemon::start(&pipeline, &["--until-end"]);
    assert!(first.wait(120).success(), "{}", first.log());
    assert!(first.log().contains("consumed 20000 = published"), "{}", first.log());
    produce(&pipeline.input, Cards::new(3, 200, 10_000).later(20_000), u64::MAX);
    let mut second = Daemon::start(&pipeline, &["--until-end"]);
    assert!(second.wait(120).success(), "{}", second.log());
    assert!(second.log().contains("consumed 10000 = published"), "{}", second.log());
    oracle::judge("card.py", &pipeline, &[]);
}

/// Four workers, two, four again, while records come. The first time the process ends well; the
/// second time it is killed, and its transactions are open under names that others take up.
#[test]
fn another_number_of_workers_loses_and_repeats_nothing() {
    const TOTAL: u64 = 40_000;
    let pipeline = Pipeline::copy("card-features.yaml", 8, |text| text);
    let input = pipeline.input.clone();
    let feed = thread::spawn(move || produce(&input, Cards::new(6, 200, TOTAL), 40));
    let start = |workers: &str| {
        let own = ["--set", workers, "--set", "instance=node-0"];
        Daemon::start(&pipeline, &[&SHORT_SESSION[..], &own].concat())
    };
    let all = |d: &Daemon| d.metric("millstream_partitions_assigned", "") == 8.0;
    let some = |d: &Daemon| all(d) && d.metric("millstream_records_published_total", "") > 3_000.0;
    let mut first = start("workers=4");
    first.wait_until("vectors of four", 60, some);
    assert!(first.terminate().success(), "{}", first.log());
    let mut second = start("workers=2");
    second.wait_until("vectors of two", 60, some);
    second.kill();
    let mut third = start("workers=4");
    feed.join().unwrap();
    third.wait_until("no lag", 90, |d| all_done(&pipeline, &[d], 8.0));
    assert_eq!(third.metric("millstream_fold_divergence_total", ""), 0.0);
    assert!(third.terminate().success(), "{}", third.log());
    let judged = oracle::judge("card.py", &pipeline, &[]);
    assert_eq!(judged.input.len() as u64, TOTAL);
}

/// Static membership: a restarted instance takes its partitions back.
#[test]
fn static_members_come_back_to_their_partitions() {
    let pipeline = Pipeline::copy("card-features.yaml", 4, |text| text);
    produce_cards(&pipeline.input, 4, 5_000);
    let arguments = ["--set", "group_instance_id=node-0", "--set", "workers=2"];
    let mut first = Daemon::start(&pipeline, &arguments);
    // Each reads five thousand and no more: the second begins where the first one ended.
    let done = |d: &Daemon| {
        all_done(&pipeline, &[d], 4.0)
            && d.metric("millstream_records_consumed_total", "") == 5_000.0
    };
    first.wait_until("no lag", 60, done);
    assert!(first.terminate().success());
    produce(&pipeline.input, Cards::new(5, 200, 5_000).later(5_000), u64::MAX);
    let mut second = Daemon::start(&pipeline, &arguments);
    second.wait_until("no lag", 60, done);
    assert!(second.terminate().success());
    oracle::judge("card.py", &pipeline, &[]);
}

/// Another member with the name of ours takes its place for a while: ours fails for good, and comes
/// back as another. Two that keep doing so are told apart from that.
#[test]
fn a_static_member_that_was_replaced_joins_anew() {
    let pipeline = Pipeline::copy("card-features.yaml", 3, |text| text);
    produce_cards(&pipeline.input, 4, 5_000);
    let arguments = ["--set", "group_instance_id=node-0", "--set", "workers=1"];
    let mut daemon = Daemon::start(&pipeline, &arguments);
    let done = |d: &Daemon, records: f64| {
        d.metric("millstream_partitions_assigned", "") == 3.0
            && d.metric("millstream_records_consumed_total", "") == records
            && d.is_ready()
    };
    daemon.wait_until("all", 60, |d| done(d, 5_000.0));
    let replace = || {
        let usurper: BaseConsumer = cluster::client()
            .set("group.id", &pipeline.name)
            .set("group.instance.id", "node-0-0")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .create()
            .unwrap();
        usurper.subscribe(&[&pipeline.input]).unwrap();
        while usurper.assignment().unwrap().count() == 0 {
            usurper.poll(Duration::from_millis(100));
        }
    };
    let joined_anew = |d: &Daemon| d.log().matches("joining anew").count();
    replace();
    produce(&pipeline.input, Cards::new(5, 200, 5_000).later(5_000), u64::MAX);
    daemon.wait_until("the rest", 60, |d| done(d, 10_000.0) && joined_anew(d) == 1);
    replace();
    daemon.wait_until("its place", 60, |d| done(d, 10_000.0) && joined_anew(d) == 2);
    replace();
    assert_eq!(daemon.wait(60).code(), Some(76), "{}", daemon.log());
    oracle::judge("card.py", &pipeline, &[]);
}

/// A static member dies after it gave partitions back and before it joined again, and is back
/// before its session is over: the coordinator lets it in without a rebalance, and what it gave
/// back would be nobody's.
#[test]
fn what_a_static_member_gave_back_and_nobody_got_is_dealt_out() {
    let pipeline = Pipeline::copy("card-features.yaml", 4, |text| text);
    produce_cards(&pipeline.input, 6, 5_000);
    let mut first = start_named(&pipeline, "a", "in_revoke=exit@1");
    let assigned = Daemon::assigned;
    first.wait_until("all", 60, |d| d.metric("millstream_records_consumed_total", "") == 5_000.0);
    let mut second = start_named(&pipeline, "b", "");
    assert_eq!(first.wait(60).code(), Some(3), "it died of the failpoint: {}", first.log());
    let mut first = start_named(&pipeline, "a", "");
    produce(&pipeline.input, Cards::new(7, 200, 5_000).later(5_000), u64::MAX);
    first.wait_until("vacant partitions", 30, |d| {
        d.metric("millstream_partitions_vacant", "") > 0.0 && assigned(d) + assigned(&second) < 4.0
    });
    first.wait_until("all of them", 60, |d| assigned(d) + assigned(&second) == 4.0);
    let consumed = |d: &Daemon| d.metric("millstream_records_consumed_total", "");
    first.wait_until("the rest", 60, |d| consumed(d) + consumed(&second) == 5_000.0);
    first.wait_until("none vacant", 30, |d| d.metric("millstream_partitions_vacant", "") == 0.0);
    assert!(first.terminate().success(), "{}", first.log());
    assert!(second.terminate().success(), "{}", second.log());
    oracle::judge("card.py", &pipeline, &[]);
}

/// A static member sleeps beyond its session while it gives a partition back, and others take what
/// it had. The client then joins again without a word and believes that it still has the rest.
#[test]
fn a_static_member_that_was_put_out_in_a_rebalance_commits_nothing_of_before() {
    let pipeline = Pipeline::copy("card-features.yaml", 4, |text| text);
    let input = pipeline.input.clone();
    let feed = thread::spawn(move || produce(&input, Cards::new(8, 200, 150_000), 500));
    let mut zombie = start_named(&pipeline, "a", "in_revoke=stop@1");
    let some = |d: &Daemon| d.metric("millstream_records_published_total", "") > 1_000.0;
    zombie.wait_until("first vectors", 60, some);
    let mut other = start_named(&pipeline, "b", "");
    let assigned = Daemon::assigned;
    other.wait_until("everything", 60, |d| assigned(d) == 4.0 && some(d));
    // The group cannot settle while the other one sleeps: time to fold what it does not have.
    other.signal("-STOP");
    zombie.signal("-CONT");
    thread::sleep(Duration::from_secs(3));
    other.signal("-CONT");
    zombie.wait_until("a place in the group", 60, |d| assigned(d) + assigned(&other) == 4.0);
    feed.join().unwrap();
    other.wait_until("no lag", 60, |d| {
        assigned(d) == 2.0 && all_done(&pipeline, &[d, &zombie], 4.0)
    });
    assert!(zombie.terminate().success(), "{}", zombie.log());
    assert!(other.terminate().success(), "{}", other.log());
    oracle::judge("card.py", &pipeline, &[]);
}

/// A static member with one worker and a short session.
fn start_named(pipeline: &Pipeline, name: &str, failpoints: &str) -> Daemon {
    let (servers, member) = (cluster::bootstrap(), format!("group_instance_id={name}"));
    let servers = format!("kafka.bootstrap_servers={servers}");
    let session = "kafka.consumer_properties.session.timeout.ms=6000";
    let settings = [servers.as_str(), &member, session, "workers=1", "commit_interval=50ms"];
    let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    Daemon::start_with(pipeline, &arguments, &[("MILLSTREAM_FAILPOINTS", failpoints)])
}
