//! Verdicts on their topic, and a partition that an expectation halts.

use super::{
    cluster,
    daemon::{Daemon, Pipeline},
    flights::send,
    partition::partition,
    topic,
};
use std::collections::BTreeMap;

const PIPELINE: &str = r"
pipeline: readings
source:
  topics: [in]
  format: json
  schema: schema.json
  key: sensor
  event_time: { column: at, unit: s }
  lateness: 1s
  start: earliest
expectations:
  every: 1m
  quality_topic: quality
  expect:
    - { column: value, mean: { max: 50 }, severity: halt }
    - { row: value >= 0, severity: reject }
windows:
  - { over: 30s, of: value, compute: [mean] }
features: [value, value_mean_30s]
output: { topic: out, format: json }
dead_letter: { topic: dlq }
";

const SCHEMA: &str = r#"{"type":"object","properties":{
    "sensor":{"type":"string"},"at":{"type":"integer"},"value":{"type":"number"}
},"required":["sensor","at","value"]}"#;

fn pipeline() -> Pipeline {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("schema.json"), SCHEMA).unwrap();
    Pipeline::write(directory, PIPELINE, 1)
}

/// A reading a second: the offset is the second.
fn produce(pipeline: &Pipeline, seconds: std::ops::Range<i64>, value: impl Fn(i64) -> f64) {
    let producer = cluster::producer();
    for second in seconds {
        let at = 1_767_225_600 + second;
        let text = format!(r#"{{"sensor":"s","at":{at},"value":{}}}"#, value(second));
        send(&producer, &pipeline.input, "s", &text);
    }
    cluster::flush(&producer);
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

/// Offset that closed the window, begin of the window, name and verdict, in the order of the topic.
fn verdicts(pipeline: &Pipeline) -> Vec<(i64, String, String, String)> {
    let of = |verdict: topic::Dumped| {
        let source = topic::source(&verdict);
        let (_, offset) = source.rsplit_once('/').unwrap();
        let value: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(verdict.value.as_ref().unwrap()).unwrap();
        assert_eq!(verdict.key.unwrap(), format!("{}/0", pipeline.input).into_bytes());
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        let start = value["window"]["start"].as_str().unwrap().to_owned();
        (offset.parse().unwrap(), start, text("expectation"), text("verdict"))
    };
    topic::dump(&pipeline.quality).into_iter().map(of).collect()
}

#[test]
fn a_partition_halts_behind_the_window_stays_so_and_goes_on_when_it_is_told_to() {
    let pipeline = pipeline();
    // The second minute is not as expected; the first record of the third closes it.
    let value = |second| if (60..120).contains(&second) { 100.0 } else { 10.0 };
    produce(&pipeline, 0..180, |second| if second == 30 { -1.0 } else { value(second) });
    let told = |offset: i64, minute: i64, name: &str, verdict: &str| {
        let start = format!("2026-01-01T00:0{minute}:00Z");
        (offset, start, name.to_owned(), verdict.to_owned())
    };
    let mut expected = vec![
        told(61, 0, "value_mean", "passed"),
        told(61, 0, "value >= 0", "failed"),
        told(121, 1, "value_mean", "failed"),
        told(121, 1, "value >= 0", "passed"),
    ];
    // Twice: it stays so over a restart, and repeats nothing.
    for _ in 0..2 {
        let mut daemon = Daemon::start(&pipeline, &["--set", "workers=1"]);
        daemon.wait_until("the halt", 60, |d| d.log().contains("EXPECTATION_NOT_MET"));
        daemon
            .wait_until("the count", 20, |d| d.metric("millstream_partitions_stopped", "") == 1.0);
        let (status, body) = daemon.get("/readyz").unwrap();
        assert!(status.contains("503") && body.contains("EXPECTATION_NOT_MET"), "{status} {body}");
        let log = daemon.log();
        assert!(
            log.contains("`value_mean` was not met in the window from 2026-01-01T00:01:00Z"),
            "{log}"
        );
        let (done, said) = partition(&pipeline, "resume", &["--yes"]);
        assert!(!done && said.contains("the group has members"), "{said}");
        assert!(daemon.terminate().success(), "{}", daemon.log());
        let (_, said) = partition(&pipeline, "show", &["--json"]);
        assert!(said.contains(r#""code":"EXPECTATION_NOT_MET""#), "{said}");
        assert!(said.contains(r#""committed":122"#), "{said}");
        assert_eq!(verdicts(&pipeline), expected);
        let times = published(&pipeline);
        assert_eq!(times, (0..122).filter(|at| *at != 30).map(|at| (at, 1)).collect());
        let rejected = topic::dump(&pipeline.dead_letter);
        let reason = rejected[0].header("__connect.errors.exception.class.name");
        assert_eq!((rejected.len(), reason.as_deref()), (1, Some("expectation")));
    }
    let (done, said) = partition(&pipeline, "resume", &["--yes"]);
    assert!(done && said.contains("goes on at offset 122"), "{said}");
    let (done, said) = partition(&pipeline, "resume", &["--yes"]);
    assert!(!done && said.contains("no expectation has halted"), "{said}");

    let mut daemon = Daemon::start(&pipeline, &["--set", "workers=1"]);
    daemon
        .wait_until("the rest", 60, |d| d.metric("millstream_records_consumed_total", "") == 58.0);
    // Windows that are judged in a replay are not told again.
    produce(&pipeline, 180..250, value);
    expected.extend([
        told(181, 2, "value_mean", "passed"),
        told(181, 2, "value >= 0", "passed"),
        told(241, 3, "value_mean", "passed"),
        told(241, 3, "value >= 0", "passed"),
    ]);
    daemon.wait_until("more", 60, |d| d.metric("millstream_records_consumed_total", "") == 128.0);
    assert_eq!(daemon.metric("millstream_expectations_total", "verdict=\"passed\""), 4.0);
    assert_eq!(daemon.metric("millstream_expectation_observed", "value_mean"), 10.0);
    daemon.kill();
    std::fs::remove_dir_all(pipeline.directory.path().join("snapshots")).unwrap();
    let mut daemon = Daemon::start(&pipeline, &["--set", "workers=1"]);
    daemon.wait_until("the replay", 90, |d| d.log().contains("rebuilt, state verified"));
    assert_eq!(daemon.metric("millstream_fold_divergence_total", ""), 0.0);
    assert!(daemon.terminate().success(), "{}", daemon.log());
    assert_eq!(verdicts(&pipeline), expected);
    let times = published(&pipeline);
    assert_eq!(times, (0..250).filter(|at| *at != 30).map(|at| (at, 1)).collect());
}
