//! TLS with SCRAM against the real broker, and what is said when it is wrong.

use super::{
    cluster::{self, variable},
    daemon::{Daemon, Pipeline},
    groups::produce_cards,
    oracle,
};

const CANARY: &str = "canary-password-in-clear";

fn settings(pipeline: &Pipeline) -> String {
    let path = pipeline.directory.path().join("millstream.yaml");
    let text = format!(
        "kafka:\n  bootstrap_servers: {}\n  properties:\n    security.protocol: SASL_SSL\n    \
         sasl.mechanism: SCRAM-SHA-512\n    sasl.username: {}\n    ssl.ca.location: {}\n  \
         secrets:\n    sasl.password: {{ env: SCRAM_PASSWORD }}\n",
        variable("KAFKA_TLS_BOOTSTRAP"),
        variable("KAFKA_TLS_USER"),
        variable("KAFKA_TLS_CA"),
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn tls_with_scram_works_end_to_end() {
    let pipeline = Pipeline::copy("card-features.yaml", 2, |text| text);
    produce_cards(&pipeline.input, 9, 3_000);
    let settings = settings(&pipeline);
    let password = variable("KAFKA_TLS_PASSWORD");
    let mut daemon = Daemon::start_with(
        &pipeline,
        &["--settings", &settings, "--until-end"],
        &[("SCRAM_PASSWORD", &password)],
    );
    assert!(daemon.wait(90).success(), "{}", daemon.log());
    assert!(!daemon.log().contains(&password), "the password is in the log");
    oracle::judge("card.py", &pipeline, &[]);
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    let settings = settings(&pipeline);
    let mut daemon = Daemon::start_with(
        &pipeline,
        &["--settings", &settings, "--set", "startup_timeout=3s"],
        &[("SCRAM_PASSWORD", CANARY)],
    );
    assert_eq!(daemon.wait(60).code(), Some(1), "{}", daemon.log());
    let log = daemon.log();
    assert!(!log.contains(CANARY), "{log}");
    assert!(log.to_lowercase().contains("authentication"), "{log}");
}

/// The compressions of Kafka, zstd among them, are read.
#[test]
fn every_compression_is_read() {
    use rdkafka::producer::{BaseProducer, BaseRecord};
    let pipeline = Pipeline::copy("card-features.yaml", 1, |text| text);
    let record = r#"{"tx_id":"t1","card_id":"c1","merchant_id":"m1","category":"fuel","amount":1.5,"currency":"EUR","lat":1.5,"lon":2.5,"channel":"web","ts":1767225600000}"#;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let producer: BaseProducer =
            cluster::client().set("compression.type", codec).create().unwrap();
        for _ in 0..100 {
            producer.send(BaseRecord::to(&pipeline.input).key("c1").payload(record)).unwrap();
        }
        cluster::flush(&producer);
    }
    let mut daemon = Daemon::start(&pipeline, &["--until-end"]);
    assert!(daemon.wait(60).success(), "{}", daemon.log());
    assert!(daemon.log().contains("consumed 500 = published 500"), "{}", daemon.log());
}
