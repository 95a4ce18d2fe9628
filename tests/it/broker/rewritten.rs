//! A log that was cut and written on behind the cut.

use super::{
    cluster,
    forgotten::positions,
    groups::produce_cards,
    starts::{after_a_hundred, commit_list, make_again, stops_with},
};
use millstream::{
    kafka::{self, ClientProperties, ConsumerGroup},
    source::Source,
};

fn topic_id(topic: &str) -> String {
    let servers = ("bootstrap.servers".to_owned(), cluster::bootstrap());
    let group = ConsumerGroup { id: cluster::unique("asks"), instance: None };
    let config = kafka::consumer_config(&ClientProperties::new([servers]), &group);
    let source = Source::join(&config, &[]).unwrap();
    source.asker().identities(&[topic.to_owned()]).unwrap()[0].id.clone()
}

/// No broker cuts a log on request: a topic that was made again looks the same once its id is taken
/// for the one before.
#[test]
fn a_log_that_was_cut_and_written_on_stops_the_partition() {
    let pipeline = after_a_hundred();
    let before = topic_id(&pipeline.input);
    let standing = positions(&pipeline);
    make_again(&pipeline.input);
    produce_cards(&pipeline.input, 2, 150);
    let now = topic_id(&pipeline.input);
    let mut element = standing.find_partition(&pipeline.input, 0).unwrap();
    let metadata = element.metadata().replace(&before, &now);
    assert!(metadata.contains(&now), "{metadata}");
    element.set_metadata(metadata);
    commit_list(&pipeline.name, &standing);
    stops_with(&pipeline, "LOG_REWRITTEN", 100);
}
