//! What a pipeline file may say, but not in this combination.

use super::{Bound, Order, Spec};
use crate::{
    batch::{Policy, Reason},
    registry::{Position, Problem},
};
use std::ops::RangeInclusive;

/// Notes everything that can be said without the record's schema.
pub(super) fn judge(spec: &Spec, problems: &mut Vec<Problem>) {
    name(spec, problems);
    topics(spec, problems);
    columns(spec, problems);
    dead_letters(spec, problems);
    order(spec, problems);
    state_limits(spec, problems);
    expectations(spec, problems);
}

/// Longest pipeline name: it is part of metric labels, group and transactional ids.
const NAME_CHARS_MAX: usize = 100;

fn name(spec: &Spec, problems: &mut Vec<Problem>) {
    let name = &spec.pipeline;
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(legal) {
        problems.push(
            Problem::new(spec.at(&["pipeline"]), format!("`{name}` is no name for a pipeline"))
                .expected(format!("1 to {NAME_CHARS_MAX} of the characters a-z, 0-9 and -")),
        );
    }
}

/// Longest topic name that Kafka takes.
const TOPIC_CHARS_MAX: usize = 249;

fn topics(spec: &Spec, problems: &mut Vec<Problem>) {
    let at = spec.at(&["source", "topics"]);
    let topics = &spec.source.topics;
    if topics.is_empty() {
        problems.push(Problem::new(at, "no topic to read").expected("a list of topics"));
    }
    for (i, topic) in topics.iter().enumerate() {
        topic_name(topic, at, problems);
        if topics[..i].contains(topic) {
            let problem = Problem::new(at, format!("topic `{topic}` stands twice"));
            problems.push(problem.expected("each topic once"));
        }
    }
    let output_at = spec.at(&["output", "topic"]);
    topic_name(&spec.output.topic, output_at, problems);
    not_a_source(spec, &spec.output.topic, output_at, problems);
    if let Some(topic) = spec.quality_topic() {
        let at = spec.at(&["expectations", "quality_topic"]);
        topic_name(topic, at, problems);
        not_a_source(spec, topic, at, problems);
        let dead_letter = spec.dead_letter.as_ref().map(|dead_letter| &dead_letter.topic);
        if topic == spec.output.topic || dead_letter.is_some_and(|other| topic == other) {
            let what = format!("topic `{topic}` is written to already");
            problems.push(Problem::new(at, what).expected("a topic of its own"));
        }
    }
    let Some(dead_letter) = &spec.dead_letter else { return };
    let dead_letter_at = spec.at(&["dead_letter", "topic"]);
    topic_name(&dead_letter.topic, dead_letter_at, problems);
    not_a_source(spec, &dead_letter.topic, dead_letter_at, problems);
    if dead_letter.topic == spec.output.topic {
        let what = format!("topic `{}` is the output topic", dead_letter.topic);
        problems.push(Problem::new(dead_letter_at, what).expected("a topic of its own"));
    }
}

fn topic_name(topic: &str, at: Position, problems: &mut Vec<Problem>) {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let length = (1..=TOPIC_CHARS_MAX).contains(&topic.len());
    if !length || !topic.chars().all(legal) || topic == "." || topic == ".." {
        problems.push(
            Problem::new(at, format!("`{topic}` is no name of a topic"))
                .expected(format!("1 to {TOPIC_CHARS_MAX} of the characters a-z A-Z 0-9 . _ -")),
        );
    }
}

fn not_a_source(spec: &Spec, topic: &str, at: Position, problems: &mut Vec<Problem>) {
    if spec.source.topics.iter().any(|source| source == topic) {
        let what = format!("topic `{topic}` is read by this pipeline: it would feed itself");
        problems.push(Problem::new(at, what).expected("a topic of its own"));
    }
}

fn columns(spec: &Spec, problems: &mut Vec<Problem>) {
    let key = &spec.source.key.0;
    let at = spec.at(&["source", "key"]);
    if key.is_empty() {
        problems.push(Problem::new(at, "no key column").expected("the column of the entity"));
    }
    twice(key, at, problems);
    twice(&spec.output.carry, spec.at(&["output", "carry"]), problems);
    twice(&spec.output.hide, spec.at(&["output", "hide"]), problems);
    twice(&spec.source.headers, spec.at(&["source", "headers"]), problems);
    // Anything but a list has been refused already.
    let listed = spec.root().get("features").is_none_or(|node| node.as_list().is_some());
    if spec.features.is_empty() && listed {
        let at = spec.at(&["features"]);
        let expected = "a list of columns, expressions and components under `features`";
        problems.push(Problem::new(at, "no features").expected(expected));
    }
    if spec.outcomes.policy(Reason::Tombstone) == Policy::Forget && key.len() > 1 {
        problems.push(
            Problem::new(
                spec.at(&["outcomes", "tombstone"]),
                "`tombstone: forget` finds the entity by the record key, but `source.key` has \
                 several columns",
            )
            .expected("one string column that equals the record key, or the policy drop or reject"),
        );
    }
}

fn twice(names: &[String], at: Position, problems: &mut Vec<Problem>) {
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            let problem = Problem::new(at, format!("`{name}` stands twice"));
            problems.push(problem.expected("each name once"));
        }
    }
}

fn dead_letters(spec: &Spec, problems: &mut Vec<Problem>) {
    if spec.dead_letter.is_some() {
        return;
    }
    let rejecting: Vec<&str> = Reason::ALL
        .into_iter()
        .filter(|reason| spec.outcomes.policy(*reason) == Policy::Reject)
        .filter(|reason| spec.can_meet(*reason))
        .map(Reason::name)
        .collect();
    if !rejecting.is_empty() {
        let what = format!(
            "no `dead_letter` topic, but the policy of these reasons is reject: {}",
            rejecting.join(", ")
        );
        let expected = "`dead_letter: { topic: .. }`, or the policy drop for each under `outcomes`";
        problems.push(Problem::new(spec.root().at, what).expected(expected));
    }
    // A component that rejects by an option of its own needs the topic as well.
    for step in &spec.clean {
        let action = step.as_map().and_then(|entries| entries.first()?.2.get("action"));
        if let Some(action) = action.filter(|action| action.as_str() == Some("reject")) {
            let what = "`action: reject` without a `dead_letter` topic";
            problems.push(
                Problem::new(action.at, what).expected("`dead_letter: { topic: .. }`, or `drop`"),
            );
        }
    }
}

/// Shortest `idle_timeout`, microseconds: a pause in which a partition that is read gets nothing.
const IDLE_US_MIN: i64 = 1_000_000;

/// Keys that say something about records that are held only.
fn order(spec: &Spec, problems: &mut Vec<Problem>) {
    let source = &spec.source;
    if source.order == Order::Arrival {
        let stated = [
            ("peers", source.peers),
            ("idle_timeout", source.idle_timeout.is_some_and(|timeout| timeout != Bound(None))),
            ("hold", source.hold.is_some()),
        ];
        for (key, _) in stated.into_iter().filter(|(_, stated)| *stated) {
            let what = format!("`{key}` without `order: event_time`: no record is held");
            let expected = format!("`order: event_time`, or no `{key}`");
            problems.push(Problem::new(spec.at(&["source", key]), what).expected(expected));
        }
    }
    if source.idle_us().is_some_and(|us| us < IDLE_US_MIN) {
        let what = format!("`idle_timeout: {}`", source.idle_timeout.unwrap_or_default());
        let problem = Problem::new(spec.at(&["source", "idle_timeout"]), what);
        problems.push(problem.expected("1s or more, or `off`"));
    }
    if source.hold.is_some_and(|hold| hold.max_records == 0) {
        let at = spec.at(&["source", "hold", "max_records"]);
        let expected = "1 or more; `order: arrival` holds nothing";
        problems.push(Problem::new(at, "`max_records: 0`").expected(expected));
    }
}

/// The least limit of bytes: keys are looked at every few thousand rows, which take some.
const STATE_BYTES_MIN: u64 = 1 << 20;

fn state_limits(spec: &Spec, problems: &mut Vec<Problem>) {
    let limits = &spec.limits;
    if limits.state_keys == Some(0) {
        let what = "`state_keys: 0` leaves no key to keep state of";
        problems.push(
            Problem::new(spec.at(&["limits", "state_keys"]), what)
                .expected("how many keys of a partition may have state, such as 1000000"),
        );
    }
    if limits.state_bytes.is_some_and(|bytes| bytes.0 < STATE_BYTES_MIN) {
        let what = "`state_bytes` is less than what a few thousand records may take";
        problems.push(
            Problem::new(spec.at(&["limits", "state_bytes"]), what)
                .expected("1MiB or more, such as 2GiB"),
        );
    }
}

/// How many values of a window are kept: few enough for memory, enough for an estimate.
const EXACT: RangeInclusive<u32> = 100..=1_000_000;

fn expectations(spec: &Spec, problems: &mut Vec<Problem>) {
    let Some(section) = &spec.expectations else { return };
    if spec.expected().is_empty() {
        let what = "nothing is expected";
        let expected = "a list of expectations under `expect`, or no `expectations`";
        problems.push(Problem::new(spec.at(&["expectations", "expect"]), what).expected(expected));
    }
    if !EXACT.contains(&section.exact) {
        let what = format!("{} values are kept of a window", section.exact);
        let expected = format!("{} to {}", EXACT.start(), EXACT.end());
        problems.push(Problem::new(spec.at(&["expectations", "exact"]), what).expected(expected));
    }
    if section.every.us == 0 {
        let at = spec.at(&["expectations", "every"]);
        problems.push(Problem::new(at, "windows without length").expected("such as `1m`"));
    }
}
