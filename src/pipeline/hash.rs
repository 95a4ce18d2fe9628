//! Two hashes of a pipeline: what state depends on, and what vectors depend on.

use super::spec::{EventTimeSpec, Source, Spec};
use crate::{
    batch::{Policy, Reason},
    feature,
    registry::Node,
    schema::RecordSchema,
    window,
};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Raised whenever the same file and the same records would give another state: a changed
/// aggregate, key hash, gate, or time-zone table.
pub const FOLD_VERSION: u32 = 1;

/// Hash of everything that decides the state of a fold.
///
/// Source (format, schema, headers, key, event time, lateness, gates, order), clean, what is measured
/// for expectations, windows, the outcomes judged up to `window`, and the limits of records and state.
/// Topics are not in it: each partition is a
/// fold of its own and knows nothing of the others. Neither are `start` and `out_of_range`, which
/// say where to read, nor features, but what they have `window` remember, nor output: changing them
/// keeps the state.
pub(super) fn state_hash(spec: &Spec, schema: &RecordSchema) -> String {
    short(&state_text(spec, schema))
}

/// What the state hash is taken of: one line for each thing that decides the state, its name first.
pub(super) fn state_text(spec: &Spec, schema: &RecordSchema) -> String {
    let mut text = format!("fold {FOLD_VERSION}\n");
    source(&spec.source, &mut text);
    record_schema(schema, &mut text);
    steps("clean", &spec.clean, &mut text);
    expectations(spec, &mut text);
    steps("windows", &spec.windows, &mut text);
    // What features have `window` remember: equal requests once, whatever the order of the list.
    for request in feature::requests(&spec.features) {
        line(&mut text, "remembered", request.text);
    }
    for reason in Reason::ALL.into_iter().filter(|reason| reason.stage() != "feature") {
        if reason != Reason::Encode && spec.can_meet(reason) {
            line(&mut text, reason.name(), spec.outcomes.policy(reason).name());
        }
    }
    // Only a `late: reject` that is written out treats records that were sent again as all others.
    let late = spec.outcomes.policy(Reason::Late);
    if late == Policy::Reject && spec.late_replayed() == Policy::Reject {
        line(&mut text, "late_replayed", Policy::Reject.name());
    }
    line(&mut text, "record_bytes", spec.limits.record_bytes.0);
    if let Some(keys) = spec.limits.state_keys {
        line(&mut text, "state_keys", keys);
    }
    if let Some(bytes) = spec.limits.state_bytes {
        line(&mut text, "state_bytes", bytes.0);
    }
    text
}

/// Hash of the whole definition: the file, its schema and the version of the fold.
pub(super) fn definition_hash(spec: &Spec, schema: &RecordSchema) -> String {
    let mut text = format!("fold {FOLD_VERSION}\n");
    line(&mut text, "file", spec.root().canonical());
    record_schema(schema, &mut text);
    short(&text)
}

/// Effective values, so that a default and the same value written out are one.
fn source(source: &Source, text: &mut String) {
    line(text, "format", &source.format);
    line(text, "key", source.key.0.join("\u{1f}"));
    match &source.event_time {
        EventTimeSpec::Kafka => line(text, "event_time", "kafka"),
        EventTimeSpec::Column(column) => {
            let unit = column.unit.as_deref().unwrap_or_default();
            line(text, "event_time", format!("{}\u{1f}{unit}", column.column));
        }
    }
    line(text, "lateness", source.lateness.us);
    line(text, "max_ahead", source.max_ahead);
    line(text, "max_jump", source.max_jump);
    line(text, "partitioner", format!("{:?}", source.partitioner));
    line(text, "order", format!("{:?}", source.order));
    line(text, "peers", source.peers);
    line(text, "idle_timeout", format!("{:?}", source.idle_us()));
    line(text, "hold", format!("{:?}", source.max_held()));
    line(text, "headers", source.headers.join("\u{1f}"));
}

/// The schema and the files it refers to, layout and order of keys aside.
fn record_schema(schema: &RecordSchema, text: &mut String) {
    let canonical = |json: &str| Node::parse(json).map_or(json.to_owned(), |n| n.canonical());
    line(text, "schema", canonical(schema.complete_text()));
    for (name, file) in schema.files() {
        line(text, name, file.map_or_else(str::to_owned, canonical));
    }
}

fn steps(name: &str, nodes: &[Node], text: &mut String) {
    for node in nodes {
        line(text, name, node.canonical());
    }
}

/// What is measured, of what, in which windows. What is expected of it only decides what is told.
fn expectations(spec: &Spec, text: &mut String) {
    let Some(section) = &spec.expectations else { return };
    line(text, "expectations", format!("{} {}", section.every.us, section.exact));
    for node in spec.expected() {
        line(text, "expect", window::expectation_state_text(node));
    }
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    writeln!(text, "{name} {value}").expect("writing to a string");
}

/// The first 64 bits of SHA-256 in hexadecimal: enough to tell versions apart, short on a vector.
fn short(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Overrides;

    const FILE: &str = "\
pipeline: card-risk
source:
  topics: [card.transactions]
  format: json
  schema: card.json
  key: card_id
  event_time: { column: ts, unit: ms }
  lateness: 1m
  start: earliest
windows:
  - { over: 1h, of: amount, compute: [mean] }
features: [amount, amount_mean_1h]
output: { topic: card.features, format: json }
dead_letter: { topic: card.dlq }
delivery: at_least_once
";
    const SCHEMA: &str = r#"{"type":"object","properties":{"card_id":{"type":"string"}}}"#;

    /// State hash and definition hash of the file after a change.
    fn hashes(from: &str, to: &str) -> (String, String) {
        assert!(FILE.contains(from), "{from}");
        let spec =
            Spec::parse(
                &FILE.replace(from, to),
                Overrides::default(),
                &mut |name| Err(name.into()),
            )
            .unwrap();
        let schema = RecordSchema::parse(SCHEMA).unwrap();
        (state_hash(&spec, &schema), definition_hash(&spec, &schema))
    }

    #[test]
    fn what_decides_state_is_in_the_state_hash_and_nothing_else() {
        let (state, all) = hashes("", "");
        let source =
            |line: &str| hashes("  lateness: 1m\n", &format!("  lateness: 1m\n  {line}\n"));
        let end = |line: &str| hashes("delivery:", &format!("{line}\ndelivery:"));
        for (other, other_all) in [
            hashes("key: card_id", "key: [card_id, ts]"),
            hashes("unit: ms", "unit: s"),
            hashes("lateness: 1m", "lateness: 2m"),
            hashes("over: 1h", "over: 2h"),
            source("max_ahead: off"),
            source("partitioner: murmur2"),
            source("headers: [a]"),
            source("order: event_time"),
            source("order: event_time\n  peers: true"),
            source("order: event_time\n  idle_timeout: 1h"),
            source("order: event_time\n  hold: { max_records: 1000 }"),
            end("outcomes: { late: keep }"),
            end("outcomes: { late: reject }"),
            end("limits: { record_bytes: 1MB }"),
            end("limits: { state_keys: 1000 }"),
            end("limits: { state_bytes: 1MiB }"),
            end("clean: [{ trim: { columns: [card_id] } }]"),
            hashes("[amount,", "[amount, standardize: { column: amount, online: {} },"),
            hashes("[amount,", "[amount, elapsed: { since: previous },"),
        ] {
            assert!(other != state && other_all != all);
        }
        for (same, other_all) in [
            hashes("[amount, amount_mean_1h]", "[amount]"),
            hashes("[amount,", "[amount, standardize: { column: amount, mean: 1, std: 2 },"),
            hashes("[amount,", "[amount, elapsed: { column: opened },"),
            hashes("format: json }", "format: json_array }"),
            hashes("topics: [card.transactions]", "topics: [card.transactions, more]"),
            hashes("start: earliest", "start: latest"),
            source("out_of_range: earliest"),
            end("outcomes: { encode: drop, null_policy: drop }"),
            end("limits: { vector_bytes: 1MB }"),
        ] {
            assert!(same == state && other_all != all);
        }
    }

    #[test]
    fn of_what_features_have_remembered_neither_order_nor_number_nor_name_shows() {
        let both = |features: &str| hashes("[amount,", &format!("[amount, {features},")).0;
        let (a, b) = ("elapsed: { since: previous }", "minmax: { column: amount, online: {} }");
        let state = both(&format!("{a}, {b}"));
        assert_eq!(both(&format!("{b}, {a}")), state);
        assert_eq!(both(&format!("{b}, {a}, elapsed: {{ since: previous, as: again }}")), state);
        let written = "minmax: { column: amount, online: { per: key, min_count: 0 }, as: other }";
        assert_eq!(both(&format!("{written}, {a}")), state);
        for other in ["per: partition", "min_count: 2", "exclude_current: true", "forget_after: 1d"]
        {
            let changed = format!("minmax: {{ column: amount, online: {{ {other} }} }}");
            assert_ne!(both(&format!("{a}, {changed}")), state, "{other}");
        }
    }

    #[test]
    fn what_is_measured_is_in_the_state_hash_and_what_is_expected_of_it_is_not() {
        let with = |every: &str, rest: &str| {
            let section = format!("expectations:\n  every: {every}\n  expect: [{rest}]\ndelivery:");
            hashes("delivery:", &section)
        };
        let (state, all) = with("1m", "{ column: amount, mean: { min: 5 } }, { row: a > 0 }");
        for same in [
            "{ column: amount, mean: { min: 6, max: 9 } }, { row: a > 0 }",
            "{ column: amount, mean: { min: 5 }, name: m, min_count: 7, severity: halt }, { row: a > 0 }",
            "{ column: amount, mean: { min: 5 } }, { row: a > 0, share: { min: 0.5 }, severity: halt }",
        ] {
            let (other, other_all) = with("1m", same);
            assert!(other == state && other_all != all, "{same}");
        }
        for other in [
            "{ column: lat, mean: { min: 5 } }, { row: a > 0 }",
            "{ column: amount, quantile: { q: 0.5, min: 5 } }, { row: a > 0 }",
            "{ column: amount, mean: { min: 5 } }, { row: a > 1 }",
            "{ column: amount, mean: { min: 5 } }, { row: a > 0, severity: reject }",
            "{ column: amount, mean: { min: 5 } }, { row: a > 0, severity: halt }",
            "{ column: amount, mean: { min: 5 } }",
        ] {
            assert_ne!(with("1m", other).0, state, "{other}");
        }
        assert_ne!(with("2m", "{ column: amount, mean: { min: 5 } }, { row: a > 0 }").0, state);
    }

    #[test]
    fn layout_and_written_defaults_do_not_show() {
        let (state, all) = hashes("", "");
        let layout =
            hashes("{ column: ts, unit: ms }", "\n    unit: ms # milliseconds\n    column: ts");
        assert_eq!(layout, (state.clone(), all));
        assert_eq!(hashes("lateness: 1m", "lateness: 60s\n  max_ahead: 60m").0, state);
        let order = |more: &str| {
            hashes("lateness: 1m", &format!("lateness: 1m\n  order: event_time{more}")).0
        };
        let defaults = "\n  idle_timeout: 5m\n  peers: false\n  hold: { max_records: 1000000 }";
        assert_eq!(order(""), order(defaults));
    }
}
