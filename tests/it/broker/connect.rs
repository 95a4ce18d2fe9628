//! What is asked of the cluster before a pipeline runs: `check --connect`, and the start of `run`.

use super::{
    cluster,
    daemon::{Daemon, Pipeline},
    groups::produce_cards,
    topic,
};
use std::process::{Command, Output};

fn check(pipeline: &Pipeline) -> (Output, String) {
    let servers = format!("kafka.bootstrap_servers={}", cluster::bootstrap());
    let output = Command::new(env!("CARGO_BIN_EXE_millstream"))
        .arg("check")
        .arg(&pipeline.file)
        .args(["--connect", "--set", &servers])
        .current_dir(pipeline.directory.path())
        .output()
        .unwrap();
    let texts = [&output.stdout, &output.stderr].map(|t| String::from_utf8_lossy(t).into_owned());
    (output, texts.concat())
}

/// Replaces a topic's name in the pipeline file by that of a new topic with these settings.
fn with_topic(pipeline: &Pipeline, old: &str, settings: &[(&str, &str)]) {
    let name = cluster::unique("connect");
    cluster::create(&name, 3, settings);
    rename(pipeline, old, &name);
}

fn rename(pipeline: &Pipeline, old: &str, new: &str) {
    let text = std::fs::read_to_string(&pipeline.file).unwrap();
    std::fs::write(&pipeline.file, text.replace(old, new)).unwrap();
}

#[test]
fn check_connect_tells_what_the_cluster_offers() {
    let pipeline = Pipeline::copy("card-features.yaml", 3, |text| text);
    let (output, said) = check(&pipeline);
    assert!(output.status.success(), "{said}");
    let line = format!("topic `{}`: 3 partitions, max.message.bytes 2000000", pipeline.output);
    assert!(said.contains(&line), "{said}");
}

#[test]
fn check_connect_finds_what_would_go_wrong() {
    let pipeline = Pipeline::copy("card-features.yaml", 3, |text| text);
    with_topic(&pipeline, &pipeline.input, &[("cleanup.policy", "compact")]);
    with_topic(&pipeline, &pipeline.output, &[("max.message.bytes", "1000")]);
    rename(&pipeline, &pipeline.dead_letter, "nowhere.dlq");
    let second = Pipeline::copy("card-features.yaml", 3, |text| text);
    with_topic(&second, &second.output, &[("unclean.leader.election.enable", "true")]);
    let (output, said) = check(&pipeline);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cleanup.policy=compact"), "{said}");
    assert!(said.contains("at most 1000 bytes, limits.vector_bytes needs 921600"), "{said}");
    assert!(said.contains("topic `nowhere.dlq` does not exist"), "{said}");
    let (output, said) = check(&second);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("unclean.leader.election.enable=true"), "{said}");
    let text = std::fs::read_to_string(&second.file).unwrap();
    std::fs::write(&second.file, text + "delivery: at_least_once\n").unwrap();
    assert!(check(&second).0.status.success());
}

#[test]
fn create_topics_makes_the_missing_output_topics() {
    let pipeline = Pipeline::copy("card-features.yaml", 3, |text| text);
    let output = cluster::unique("created");
    rename(&pipeline, &pipeline.output, &output);
    produce_cards(&pipeline.input, 1, 100);
    let mut daemon = Daemon::start(&pipeline, &["--until-end", "--set", "create_topics=true"]);
    assert!(daemon.wait(60).success(), "{}", daemon.log());
    assert_eq!(topic::dump(&output).len(), 100);
}

#[test]
fn an_unreachable_broker_is_said_in_time() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    let nobody = "kafka.bootstrap_servers=127.0.0.1:1";
    let arguments = ["--set", nobody, "--set", "startup_timeout=2s"];
    let mut daemon = Daemon::start_with(&pipeline, &arguments, &[]);
    assert_eq!(daemon.wait(30).code(), Some(1));
    let log = daemon.log();
    assert_eq!(log.matches("no broker answered within 2s").count(), 1, "{log}");
    assert!(log.contains("Connection refused"), "{log}");
}
