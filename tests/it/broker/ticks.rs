//! `order: event_time` on a broker: a partition that gets no records lets go what it holds, once.

use super::{
    daemon::{Daemon, Pipeline, SHORT_SESSION},
    groups::{produce, produce_cards},
    partition::partition,
    topic,
};
use millstream::source::cards::Cards;
use std::{collections::BTreeMap, fs};

/// Five hundred cards lie within 5 s of event time, so that all of them wait for the watermark.
const CARDS: u64 = 500;

fn pipeline(idle: &str) -> Pipeline {
    let order = format!("order: event_time\n  peers: true\n  idle_timeout: {idle}");
    Pipeline::copy("card-features.yaml", 1, |text| text.replace("order: arrival", &order))
}

fn start(pipeline: &Pipeline) -> Daemon {
    Daemon::start(pipeline, &[&SHORT_SESSION[..], &["--set", "instance=node-0"]].concat())
}

fn records(daemon: &Daemon, what: &str) -> f64 {
    daemon.metric(&format!("millstream_records_{what}"), "")
}

/// The law of the process, on one page of its metrics.
fn accounts(daemon: &Daemon) -> bool {
    let Some((_, page)) = daemon.get("/metrics") else { return false };
    let sum = |what: &str| -> f64 {
        let name = format!("millstream_records_{what}");
        let is_it =
            |line: &&str| line.strip_prefix(&name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values = page.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next());
        values.map(|value| value.parse::<f64>().unwrap()).sum()
    };
    let came = sum("consumed_total") + sum("restored_held_total");
    let left = ["published_total", "rejected_total", "dropped_total", "held", "handed_over_total"];
    came == left.iter().map(|what| sum(what)).sum::<f64>()
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
fn an_idle_partition_lets_go_what_it_holds_and_restarts_repeat_nothing() {
    let pipeline = pipeline("3s");
    produce_cards(&pipeline.input, 1, CARDS);
    let mut first = start(&pipeline);
    first.wait_until("held records", 60, |d| records(d, "held") == 500.0);
    assert_eq!(records(&first, "published_total"), 0.0);
    first.wait_until("the tick", 60, |d| records(d, "published_total") == 500.0);
    assert_eq!(records(&first, "held"), 0.0);
    assert!(accounts(&first));
    // What comes then is held again; the process is killed before the next tick.
    produce(&pipeline.input, Cards::new(2, 200, CARDS).later(1_000), u64::MAX);
    first.wait_until("held records", 60, |d| records(d, "held") == 500.0);
    first.kill();

    let (done, said) = partition(&pipeline, "show", &[]);
    assert!(done && said.contains("held        from offset 500 on"), "{said}");
    // Nothing but the log is left: the first tick is made again where it was made.
    let snapshots = pipeline.directory.path().join("snapshots");
    drop(fs::remove_dir_all(&snapshots));
    let mut second = start(&pipeline);
    second.wait_until("the second tick", 90, |d| records(d, "published_total") == 500.0);
    assert!(second.log().contains("state verified"), "{}", second.log());
    assert_eq!(second.metric("millstream_fold_divergence_total", ""), 0.0);
    assert_eq!(records(&second, "restored_held_total"), 500.0);
    assert!(accounts(&second));
    // It ends at a tick: that position has a snapshot of its own.
    assert!(second.terminate().success(), "{}", second.log());
    let (done, said) = partition(&pipeline, "show", &[]);
    assert!(done && said.contains("ticks       1 at the committed offset"), "{said}");

    let mut third = start(&pipeline);
    third.wait_until("ready", 60, |d| d.is_ready() && d.assigned() == 1.0);
    assert!(third.log().contains("\"live\"") || third.log().contains("live"), "{}", third.log());
    produce(&pipeline.input, Cards::new(3, 200, CARDS).later(2_000), u64::MAX);
    third.wait_until("the third tick", 60, |d| records(d, "published_total") == 500.0);
    assert_eq!(third.metric("millstream_fold_divergence_total", ""), 0.0);
    assert!(third.terminate().success(), "{}", third.log());

    let times = published(&pipeline);
    assert_eq!(times.len(), 1_500);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    assert!(topic::dump(&pipeline.dead_letter).is_empty());
}

/// A clean stop leaves what is held to whoever comes next.
#[test]
fn what_is_held_is_handed_over() {
    let pipeline = pipeline("off");
    produce_cards(&pipeline.input, 1, CARDS);
    let mut first = start(&pipeline);
    first.wait_until("held records", 60, |d| records(d, "held") == 500.0);
    assert!(first.terminate().success(), "{}", first.log());
    assert!(first.log().contains("held 500"), "{}", first.log());
    let mut second = start(&pipeline);
    second.wait_until("restored", 60, |d| records(d, "restored_held_total") == 500.0);
    // Ten seconds later in event time: the first five hundred go.
    produce(&pipeline.input, Cards::new(2, 200, 100).later(2_500), u64::MAX);
    second.wait_until("released", 60, |d| records(d, "published_total") == 500.0);
    assert_eq!(records(&second, "held"), 100.0);
    assert!(accounts(&second));
    assert!(second.terminate().success(), "{}", second.log());
    let times = published(&pipeline);
    assert!(times.keys().copied().eq(0..500) && times.values().all(|times| *times == 1));
}
