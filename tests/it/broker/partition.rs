//! A partition that stopped, and what an operator does about it.

use super::{
    cluster,
    daemon::{Daemon, Pipeline},
    groups::{produce, produce_cards},
    oracle, topic,
};
use millstream::source::cards::Cards;
use std::{collections::BTreeMap, process::Command};

/// Runs `millstream partition VERB`. Returns whether it did it, and all it said.
pub(super) fn partition(pipeline: &Pipeline, verb: &str, arguments: &[&str]) -> (bool, String) {
    let servers = format!("kafka.bootstrap_servers={}", cluster::bootstrap());
    let answer = Command::new(env!("CARGO_BIN_EXE_millstream"))
        .args(["partition", verb, pipeline.file.to_str().unwrap(), "--set", &servers])
        .args(["--topic", &pipeline.input, "--partition", "0"])
        .args(arguments)
        .current_dir(pipeline.directory.path())
        .output()
        .unwrap();
    let said = [answer.stdout, answer.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    (answer.status.success(), said.concat())
}

/// A thousand records that are published, and two hundred that wait.
fn with_records_waiting() -> Pipeline {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    produce_cards(&pipeline.input, 1, 1_000);
    let mut daemon = Daemon::start(&pipeline, &["--until-end", "--set", "workers=1"]);
    assert!(daemon.wait(60).success(), "{}", daemon.log());
    produce(&pipeline.input, Cards::new(2, 200, 200).later(1_000), u64::MAX);
    pipeline
}

/// How often the record at each offset was published.
fn published(pipeline: &Pipeline) -> BTreeMap<i64, usize> {
    let mut times = BTreeMap::new();
    for vector in topic::dump(&pipeline.output) {
        let source = topic::source(&vector);
        let (_, offset) = source.rsplit_once('/').unwrap();
        *times.entry(offset.parse().unwrap()).or_default() += 1;
    }
    times
}

#[test]
fn a_record_that_breaks_the_fold_stops_its_partition_until_it_is_skipped() {
    let pipeline = with_records_waiting();
    let servers = format!("kafka.bootstrap_servers={}", cluster::bootstrap());
    let arguments = ["--set", &servers, "--set", "workers=1"];
    let at = format!("{}/0/1005", pipeline.input);
    let broken = [("MILLSTREAM_PANIC_AT", at.as_str())];

    let mut daemon = Daemon::start_with(&pipeline, &arguments, &broken);
    daemon.wait_until("the stop", 60, |d| d.log().contains("FOLD_FAILED"));
    assert!(daemon.log().contains("from offset 1005 to before 1006"), "{}", daemon.log());
    let (done, said) = partition(&pipeline, "skip", &["--from", "1005", "--yes"]);
    assert!(!done && said.contains("the group has members"), "{said}");
    assert!(daemon.terminate().success(), "{}", daemon.log());
    let before = published(&pipeline).len();
    assert!((1_000..=1_005).contains(&before), "{before}: only what lies before the record");

    let (done, said) = partition(&pipeline, "skip", &["--from", "1005", "--to", "9999", "--yes"]);
    assert!(!done && said.contains("the log ends at 1200"), "{said}");
    let (done, said) = partition(&pipeline, "skip", &["--from", "1005", "--yes"]);
    assert!(done && said.contains("offsets 1005 to before 1006 are skipped"), "{said}");
    let (done, said) = partition(&pipeline, "show", &["--json"]);
    assert!(done && said.contains(r#""skipped":[{"from":1005,"to":1006}]"#), "{said}");
    assert!(said.contains(r#""code":"STARTS""#), "{said}");

    let until_end = [&arguments[..], &["--until-end"]].concat();
    let mut daemon = Daemon::start_with(&pipeline, &until_end, &broken);
    assert!(daemon.wait(60).success(), "{}", daemon.log());
    let rest = format!("consumed {} = published", 1_199 - before);
    assert!(daemon.log().contains(&rest), "{}", daemon.log());
    let times = published(&pipeline);
    assert!(times.values().all(|times| *times == 1) && !times.contains_key(&1005), "{times:?}");
    assert_eq!(times.len(), 1_199);
    oracle::judge_without("card.py", &pipeline, 1005);

    // The decision is part of every replay.
    produce(&pipeline.input, Cards::new(3, 200, 50).later(1_200), u64::MAX);
    let mut daemon = Daemon::start_with(&pipeline, &arguments, &broken);
    daemon.wait_until("all of it", 60, |d| {
        d.metric("millstream_records_published_total", "") == 50.0
    });
    daemon.kill();
    std::fs::remove_dir_all(pipeline.directory.path().join("snapshots")).unwrap();
    let mut daemon = Daemon::start_with(&pipeline, &arguments, &broken);
    daemon.wait_until("the replay", 90, |d| d.log().contains("rebuilt, state verified"));
    assert_eq!(daemon.metric("millstream_fold_divergence_total", ""), 0.0);
    assert!(daemon.terminate().success(), "{}", daemon.log());
    oracle::judge_without("card.py", &pipeline, 1005);
}

#[test]
fn a_rewind_publishes_again_what_is_behind_the_snapshot() {
    let pipeline = with_records_waiting();
    let mut daemon = Daemon::start(&pipeline, &["--until-end", "--set", "workers=1"]);
    assert!(daemon.wait(60).success(), "{}", daemon.log());
    let (done, said) = partition(&pipeline, "rewind", &["--to", "1100", "--yes"]);
    assert!(done && said.contains("back to offset 1000, the newest usable snapshot"), "{said}");
    assert!(said.contains("200 offsets are folded and published again"), "{said}");
    let mut daemon = Daemon::start(&pipeline, &["--until-end", "--set", "workers=1"]);
    assert!(daemon.wait(60).success(), "{}", daemon.log());
    let times = published(&pipeline);
    let expected = |offset: i64| if offset < 1_000 { 1 } else { 2 };
    assert_eq!(times, (0..1_200).map(|offset| (offset, expected(offset))).collect());
    let (done, said) = partition(&pipeline, "rewind", &["--to", "999", "--yes"]);
    assert!(done && said.contains("back to offset 0, the origin"), "{said}");
    oracle::judge("card.py", &pipeline, &["--allow-duplicates"]);
}
