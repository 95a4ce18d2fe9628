//! All flights of 2013 through the daemon, every vector compared with an independent computation.

use super::{
    cluster,
    daemon::{Daemon, Pipeline},
    oracle,
};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord},
};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const FLIGHTS: u64 = 336_776;

#[test]
fn a_year_of_flights_equals_the_oracle() {
    year("24h", |text| text);
}

/// With one hour of lateness about a tenth of the flights is late and must be rejected.
#[test]
fn a_year_of_flights_with_little_lateness_rejects_what_the_oracle_rejects() {
    let rejected = year("1h", |text| text.replace("lateness: 24h", "lateness: 1h"));
    assert!(rejected > 10_000, "{rejected} late flights");
}

fn year(lateness: &str, edit: impl FnOnce(String) -> String) -> u64 {
    let pipeline = Pipeline::copy("flights.yaml", 4, edit);
    produce(&pipeline.input);
    let mut daemon = Daemon::start(&pipeline, &[]);
    daemon.wait_until("all flights", 300, |d| {
        d.metric("millstream_records_consumed_total", "") >= FLIGHTS as f64
    });
    let count = |name: &str| daemon.metric(name, "") as u64;
    let consumed = count("millstream_records_consumed_total");
    let published = count("millstream_records_published_total");
    let rejected = count("millstream_records_rejected_total");
    let dropped = count("millstream_records_dropped_total");
    assert_eq!(consumed, FLIGHTS);
    assert_eq!(consumed, published + rejected + dropped);
    assert_eq!(count("millstream_slow_path_records_total"), 0);
    assert!(daemon.terminate().success(), "{}", daemon.log());
    assert!(daemon.log().contains("consumed 336776 = published"), "{}", daemon.log());

    let judged = oracle::judge("flights.py", &pipeline, &["--lateness", lateness]);
    assert_eq!(judged.input.len() as u64, FLIGHTS);
    assert_eq!(judged.output.len() as u64, published);
    assert_eq!(judged.rejected.len() as u64, rejected);
    rejected
}

/// Produces the year in order of actual departure, keyed by `origin|carrier`.
fn produce(topic: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/flights_input.py");
    let mut child = Command::new(cluster::variable("MILLSTREAM_PYTHON"))
        .arg(script)
        .arg("--keys")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let producer = cluster::producer();
    let mut count = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let (key, value) = line.split_once('\t').unwrap();
        send(&producer, topic, key, value);
        count += 1;
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(count, FLIGHTS);
    cluster::flush(&producer);
}

/// Sends one record, waiting while the producer's queue is full.
pub(super) fn send(producer: &BaseProducer, topic: &str, key: &str, value: &str) {
    loop {
        match producer.send(BaseRecord::to(topic).key(key).payload(value)) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => panic!("{error}"),
        }
    }
}
