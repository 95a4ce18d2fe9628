//! A group that was here before and has no position any more.

use super::{
    cluster,
    daemon::{Daemon, Pipeline, SHORT_SESSION},
    groups::produce_cards,
    starts::{ASKS, after_a_hundred, stops_with, while_the_store_is_away},
    topic,
};
use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseProducer, Producer as _},
};
use std::time::Duration;

const DOUBTFUL: &str = "or an older one than before";
const PATIENCE: Duration = Duration::from_secs(20);

/// False while it has members.
fn delete_group(group: &str) -> bool {
    let answers =
        cluster::administer(async |admin, options| admin.delete_groups(&[group], options).await);
    answers.into_iter().all(|answer| answer.is_ok())
}

/// Members that the brokers know of.
fn members(group: &str) -> usize {
    let client: BaseConsumer = cluster::client().create().unwrap();
    let groups = client.fetch_group_list(Some(group), PATIENCE).unwrap();
    groups.groups().iter().map(|found| found.members().len()).sum()
}

/// Positions and their metadata as an operator keeps them.
pub(super) fn positions(pipeline: &Pipeline) -> TopicPartitionList {
    let consumer: BaseConsumer =
        cluster::client().set("group.id", &pipeline.name).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition(&pipeline.input, 0);
    consumer.committed_offsets(list, PATIENCE).unwrap()
}

/// Brings positions back while the group has members: only a transaction may.
fn restore(pipeline: &Pipeline, positions: &TopicPartitionList) {
    let consumer: BaseConsumer =
        cluster::client().set("group.id", &pipeline.name).create().unwrap();
    let mut config = cluster::client();
    config.set("transactional.id", cluster::unique("restores"));
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let group = consumer.group_metadata().unwrap();
    producer.send_offsets_to_transaction(positions, &group, PATIENCE).unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
}

/// The group's offsets are gone, the state is not: to begin anew would publish everything twice.
#[test]
fn offsets_that_were_deleted_stop_a_partition_with_snapshots() {
    let pipeline = after_a_hundred();
    assert!(delete_group(&pipeline.name));
    stops_with(&pipeline, "OFFSET_MISSING", 100);
}

/// Without a position only the snapshots tell that the group was here before: while the store is
/// away that is not known, and nothing is published.
#[test]
fn a_store_that_is_away_is_waited_for_where_the_offsets_are_gone() {
    let pipeline = after_a_hundred();
    assert!(delete_group(&pipeline.name));
    let mut daemon = None;
    while_the_store_is_away(&pipeline, || {
        let daemon = daemon.insert(Daemon::start(&pipeline, &["--set", "workers=1"]));
        daemon.wait_until(ASKS, 30, |d| d.log().contains(ASKS));
        assert!(daemon.log().contains("snapshots not read"), "{}", daemon.log());
    });
    let mut daemon = daemon.unwrap();
    daemon.wait_until("OFFSET_MISSING", 60, |d| d.log().contains("OFFSET_MISSING"));
    assert!(daemon.terminate().success());
    assert_eq!(topic::dump(&pipeline.output).len(), 100);
}

/// A coordinator that comes back was seen to say that there is no position, until it had read its log
/// again.
#[test]
fn a_position_that_comes_back_is_gone_on_from() {
    let pipeline = after_a_hundred();
    let known = positions(&pipeline);
    assert!(delete_group(&pipeline.name));
    produce_cards(&pipeline.input, 2, 50);
    let mut daemon = Daemon::start(&pipeline, &["--set", "workers=1"]);
    daemon.wait_until(DOUBTFUL, 30, |d| d.log().contains(DOUBTFUL));
    restore(&pipeline, &known);
    daemon.wait_until("the rest", 30, |_| topic::dump(&pipeline.output).len() >= 150);
    assert!(daemon.terminate().success());
    assert_eq!(topic::dump(&pipeline.output).len(), 150);
    let log = daemon.log();
    assert!(log.contains("consumed 50 = published"), "{log}");
    assert!(!log.contains("OFFSET_MISSING"), "{log}");
}

/// Without a snapshot the process itself knows that it was here before.
#[test]
fn a_position_that_was_seen_is_missed_without_snapshots() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    produce_cards(&pipeline.input, 1, 100);
    let arguments = [&SHORT_SESSION[..], &["--set", "snapshots.interval=1h"]].concat();
    let mut daemon = Daemon::start(&pipeline, &arguments);
    let all = |d: &Daemon| d.metric("millstream_records_published_total", "") == 100.0;
    daemon.wait_until("a hundred", 60, all);
    daemon.signal("-STOP");
    daemon.wait_until("no members", 30, |_| delete_group(&pipeline.name));
    daemon.signal("-CONT");
    daemon.wait_until("OFFSET_MISSING", 90, |d| d.log().contains("OFFSET_MISSING"));
    assert!(daemon.log().contains(DOUBTFUL), "{}", daemon.log());
    assert_eq!(daemon.metric("millstream_snapshots_total", "written"), 0.0);
    assert!(daemon.terminate().success());
    assert_eq!(topic::dump(&pipeline.output).len(), 100);
}

/// The same coordinator then answered with positions of minutes before. The snapshots are of later.
#[test]
fn a_position_that_is_older_than_the_state_is_asked_for_again() {
    let pipeline = after_a_hundred();
    let older = positions(&pipeline);
    produce_cards(&pipeline.input, 2, 50);
    let mut daemon = Daemon::start(&pipeline, &["--set", "workers=1"]);
    daemon.wait_until("the rest", 30, |_| topic::dump(&pipeline.output).len() >= 150);
    assert!(daemon.terminate().success());
    let newest = positions(&pipeline);
    restore(&pipeline, &older);
    let mut daemon = Daemon::start(&pipeline, &["--set", "workers=1"]);
    daemon.wait_until(DOUBTFUL, 30, |d| d.log().contains(DOUBTFUL));
    restore(&pipeline, &newest);
    produce_cards(&pipeline.input, 3, 50);
    daemon.wait_until("what is new", 30, |_| topic::dump(&pipeline.output).len() >= 200);
    assert!(daemon.terminate().success());
    assert_eq!(topic::dump(&pipeline.output).len(), 200);
    assert!(daemon.log().contains("consumed 50 = published"), "{}", daemon.log());
}

/// Nor does a process go back behind where it was.
#[test]
fn a_position_that_went_back_for_good_stops_a_partition() {
    let pipeline = after_a_hundred();
    let older = positions(&pipeline);
    produce_cards(&pipeline.input, 2, 50);
    let arguments = [&SHORT_SESSION[..], &["--set", "snapshots.interval=1h"]].concat();
    let mut daemon = Daemon::start(&pipeline, &arguments);
    daemon.wait_until("the rest", 30, |_| topic::dump(&pipeline.output).len() >= 150);
    daemon.signal("-STOP");
    daemon.wait_until("no members", 30, |_| members(&pipeline.name) == 0);
    restore(&pipeline, &older);
    daemon.signal("-CONT");
    daemon.wait_until("the stop", 90, |d| d.log().contains("OFFSET_WENT_BACK"));
    assert!(daemon.terminate().success());
    assert_eq!(topic::dump(&pipeline.output).len(), 150);
}
