//! Where a partition begins, and when it refuses to.

use super::{
    cluster,
    daemon::{Daemon, Pipeline},
    groups::produce_cards,
    partition::partition,
    topic,
};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::NewPartitions,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    producer::BaseRecord,
};

pub(super) fn commit(group: &str, topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    commit_list(group, &list);
}

pub(super) fn commit_list(group: &str, list: &TopicPartitionList) {
    let consumer: BaseConsumer = cluster::client().set("group.id", group).create().unwrap();
    consumer.commit(list, CommitMode::Sync).unwrap();
}

pub(super) fn delete_before(topic: &str, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    cluster::administer(async |admin, options| admin.delete_records(&list, options).await);
}

/// Runs to the end of the input, as one worker; returns the log.
fn run_to_end(pipeline: &Pipeline, arguments: &[&str]) -> String {
    let arguments = [&["--until-end", "--set", "workers=1"], arguments].concat();
    let mut daemon = Daemon::start(pipeline, &arguments);
    assert!(daemon.wait(60).success(), "{}", daemon.log());
    daemon.log()
}

/// A hundred payments in one partition, all of them published.
pub(super) fn after_a_hundred() -> Pipeline {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    produce_cards(&pipeline.input, 1, 100);
    run_to_end(&pipeline, &[]);
    pipeline
}

/// Waits for the stop (what is missing is asked for again for half a minute), checks that it is said
/// everywhere, and that nothing was published.
pub(super) fn stops_with(pipeline: &Pipeline, code: &str, published: usize) {
    let mut daemon = Daemon::start(pipeline, &["--set", "workers=1"]);
    daemon.wait_until(code, 60, |d| d.log().contains(code));
    let (_, body) = daemon.get("/readyz").unwrap();
    assert!(body.contains(code), "{body}");
    assert!(daemon.terminate().success());
    assert_eq!(topic::dump(&pipeline.output).len(), published);
}

#[test]
fn a_committed_offset_outside_the_log_stops_the_partition() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    produce_cards(&pipeline.input, 1, 100);
    commit(&pipeline.name, &pipeline.input, 5_000);
    stops_with(&pipeline, "LOG_TRUNCATED", 0);
    delete_before(&pipeline.input, 60);
    commit(&pipeline.name, &pipeline.input, 50);
    stops_with(&pipeline, "OFFSET_OUT_OF_RANGE", 0);
}

#[test]
fn out_of_range_goes_on_where_the_file_says() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| {
        text.replace("start: earliest", "start: earliest\n  out_of_range: earliest")
    });
    produce_cards(&pipeline.input, 1, 100);
    delete_before(&pipeline.input, 40);
    commit(&pipeline.name, &pipeline.input, 10);
    let log = run_to_end(&pipeline, &[]);
    assert!(log.contains("consumed 60 = published"), "{log}");
}

#[test]
fn records_gone_since_the_origin_stop_the_partition() {
    let pipeline = after_a_hundred();
    produce_cards(&pipeline.input, 2, 100);
    delete_before(&pipeline.input, 50);
    let snapshots = pipeline.directory.path().join("snapshots");
    std::fs::rename(&snapshots, pipeline.directory.path().join("away")).unwrap();
    stops_with(&pipeline, "REPLAY_GAP", 100);
    // With the snapshot nothing of what is gone is needed.
    std::fs::remove_dir_all(&snapshots).unwrap();
    std::fs::rename(pipeline.directory.path().join("away"), &snapshots).unwrap();
    let log = run_to_end(&pipeline, &[]);
    assert!(log.contains("consumed 100 = published"), "{log}");
}

/// One payment a minute.
fn produce_minutes(topic: &str, minutes: std::ops::Range<i64>) {
    let producer = cluster::producer();
    for minute in minutes {
        let ts = 1_767_225_600_000 + minute * 60_000;
        let value = format!(
            r#"{{"tx_id":"t{minute}","card_id":"c","merchant_id":"m","category":"fuel","amount":{minute},"currency":"EUR","lat":1,"lon":2,"channel":"web","ts":{ts}}}"#
        );
        producer.send(BaseRecord::to(topic).key("c").payload(&value)).unwrap();
    }
    cluster::flush(&producer);
}

/// 200 minutes folded and 50 that wait, in a log that begins at `low`. The windows are an hour long:
/// what is older than that and the lateness is not needed, where no late record passes. At the end
/// of minute 199 that is what was folded by the end of minute 79.
fn behind_200(low: i64) -> Pipeline {
    let edit = |text| text + "outcomes: { late: reject }\n";
    let pipeline = Pipeline::copy("card-features.yaml", 1, edit);
    for minutes in [0..80, 80..200] {
        produce_minutes(&pipeline.input, minutes);
        run_to_end(&pipeline, &[]);
    }
    produce_minutes(&pipeline.input, 200..250);
    delete_before(&pipeline.input, low);
    pipeline
}

/// A store that does not answer, until it is brought back.
pub(super) fn while_the_store_is_away(pipeline: &Pipeline, work: impl FnOnce()) {
    let [snapshots, away] = ["snapshots", "away"].map(|name| pipeline.directory.path().join(name));
    std::fs::rename(&snapshots, &away).unwrap();
    std::fs::write(&snapshots, "not a directory").unwrap();
    work();
    std::fs::remove_file(&snapshots).unwrap();
    std::fs::rename(&away, &snapshots).unwrap();
}

pub(super) const ASKS: &str = "not known yet where partitions stand, asking again";

#[test]
fn a_state_that_could_be_rebuilt_waits_for_its_snapshots() {
    let pipeline = behind_200(80);
    let mut daemon = None;
    while_the_store_is_away(&pipeline, || {
        let daemon = daemon.insert(Daemon::start(&pipeline, &["--set", "workers=1"]));
        daemon.wait_until(ASKS, 30, |d| d.log().contains(ASKS));
    });
    let mut daemon = daemon.unwrap();
    daemon.wait_until("all 250", 30, |_| topic::dump(&pipeline.output).len() == 250);
    assert!(daemon.terminate().success());
    assert!(!daemon.log().contains("rebuilt from there"), "{}", daemon.log());
}

#[test]
fn a_state_that_time_bounds_is_rebuilt_from_what_the_log_still_has() {
    let [whole, again, short] = [0, 80, 81].map(|low| {
        let pipeline = behind_200(low);
        std::fs::remove_dir_all(pipeline.directory.path().join("snapshots")).unwrap();
        pipeline
    });
    stops_with(&short, "REPLAY_GAP", 200);
    let show = |pipeline| partition(pipeline, "show", &[]).1;
    assert!(show(&whole).contains("rebuilds from the origin, offset 0"), "{}", show(&whole));
    assert!(show(&again).contains("rebuilds from offset 80"), "{}", show(&again));
    assert!(!run_to_end(&whole, &[]).contains("rebuilt from there"));
    assert!(run_to_end(&again, &[]).contains("rebuilt from there"));
    let vectors = |pipeline: &Pipeline| -> Vec<Vec<u8>> {
        topic::dump(&pipeline.output).into_iter().map(|d| d.value.unwrap()).collect()
    };
    assert_eq!(vectors(&again), vectors(&whole));
    assert_eq!(vectors(&again).len(), 250);
    // The state that began anew goes on as any other.
    produce_minutes(&again.input, 250..260);
    assert!(run_to_end(&again, &[]).contains("consumed 10 = published 10"));
}

/// Deletes the topic and makes one of the same name.
pub(super) fn make_again(topic: &str) {
    for answer in
        cluster::administer(async |admin, options| admin.delete_topics(&[topic], options).await)
    {
        answer.unwrap();
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    cluster::create(topic, 1, &[]);
}

#[test]
fn a_topic_made_again_stops_the_partition() {
    let pipeline = after_a_hundred();
    make_again(&pipeline.input);
    produce_cards(&pipeline.input, 2, 150);
    // Kafka forgets a group's offsets of a topic that is deleted; a restored or slow one does not.
    stops_with(&pipeline, "OFFSET_MISSING", 100);
}

/// The topic has another id while it is read, and more records than the position: no read says so.
#[test]
fn a_topic_made_again_while_it_is_read_stops_the_partition() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    produce_cards(&pipeline.input, 1, 100);
    let arguments = ["--set", "workers=1", "--set", "snapshots.interval=1s"];
    let mut daemon = Daemon::start(&pipeline, &arguments);
    daemon.wait_until("a snapshot", 60, |d| {
        d.metric("millstream_records_consumed_total", "") == 100.0
            && d.metric("millstream_snapshots_total", "written") > 0.0
    });
    daemon.signal("-STOP");
    make_again(&pipeline.input);
    produce_cards(&pipeline.input, 2, 150);
    daemon.signal("-CONT");
    daemon.wait_until("the stop", 120, |d| d.metric("millstream_partitions_stopped", "") == 1.0);
    let log = daemon.log();
    let told = log.lines().find(|line| line.contains("begins again")).unwrap();
    assert!(told.contains("TOPIC_RECREATED"), "{log}");
    assert!(daemon.terminate().success());
}

#[test]
fn new_partitions_wait_until_they_are_accepted() {
    let pipeline = after_a_hundred();
    let more = [NewPartitions::new(&pipeline.input, 2)];
    for answer in
        cluster::administer(async |admin, options| admin.create_partitions(&more, options).await)
    {
        answer.unwrap();
    }
    stops_with(&pipeline, "PARTITIONS_GREW", 100);
    run_to_end(&pipeline, &["--accept-growth"]);
}

#[test]
fn an_offset_of_another_program_stops_the_partition() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    produce_cards(&pipeline.input, 1, 100);
    commit(&pipeline.name, &pipeline.input, 30);
    stops_with(&pipeline, "FOREIGN_OFFSET", 0);
}

#[test]
fn another_definition_needs_migrate() {
    let pipeline = after_a_hundred();
    let text = std::fs::read_to_string(&pipeline.file).unwrap();
    std::fs::write(&pipeline.file, text.replace("lateness: 5s", "lateness: 6s")).unwrap();
    stops_with(&pipeline, "OTHER_DEFINITION", 100);
    produce_cards(&pipeline.input, 2, 50);
    let log = run_to_end(&pipeline, &["--migrate"]);
    assert!(log.contains("consumed 50 = published"), "{log}");
}

#[test]
fn start_latest_takes_only_what_comes_later() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| {
        text.replace("start: earliest", "start: latest")
    });
    produce_cards(&pipeline.input, 1, 100);
    let mut daemon = Daemon::start(&pipeline, &["--set", "workers=1"]);
    daemon.wait_until("readiness", 30, |d| {
        d.metric("millstream_partitions_assigned", "") == 1.0 && d.is_ready()
    });
    produce_cards(&pipeline.input, 2, 50);
    daemon.wait_until("the later ones", 30, |d| {
        d.metric("millstream_records_consumed_total", "") == 50.0
    });
    assert!(daemon.terminate().success());
    assert_eq!(topic::dump(&pipeline.output).len(), 50);
}

#[test]
fn a_missing_topic_is_said_at_start() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    let text = std::fs::read_to_string(&pipeline.file).unwrap();
    std::fs::write(&pipeline.file, text.replace(&pipeline.output, "nowhere.at-all")).unwrap();
    let mut daemon = Daemon::start(&pipeline, &[]);
    assert_eq!(daemon.wait(60).code(), Some(1));
    assert!(daemon.log().contains("topic `nowhere.at-all` does not exist"), "{}", daemon.log());
}
