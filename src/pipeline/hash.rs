//! Two hashes of a pipeline: what state depends on, and what vectors depend on.

use super::spec::{Bound, EventTimeSpec, Source, Spec};
use crate::{batch::Reason, registry::Node, schema::RecordSchema};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Raised whenever the same file and the same records would give another state: a changed
/// aggregate, key hash, gate, or time-zone table.
pub const FOLD_VERSION: u32 = 1;

/// Hash of everything that decides the state of a fold.
///
/// Source (format, schema, headers, key, event time, lateness, gates, order), clean, windows, the
/// outcomes judged up to `window`, and the record limit. Topics are not in it: each partition is a
/// fold of its own and knows nothing of the others. Neither are `start` and `out_of_range`, which
/// say where to read, nor features and output: changing them keeps the state.
pub(super) fn state_hash(spec: &Spec, schema: &RecordSchema) -> String {
    let mut text = format!("fold {FOLD_VERSION}\n");
    source(&spec.source, &mut text);
    record_schema(schema, &mut text);
    steps("clean", &spec.clean, &mut text);
    steps("windows", &spec.windows, &mut text);
    for reason in Reason::ALL.into_iter().filter(|reason| reason.stage() != "feature") {
        if reason != Reason::Encode {
            line(&mut text, reason.name(), spec.outcomes.policy(reason).name());
        }
    }
    line(&mut text, "record_bytes", spec.limits.record_bytes.0);
    short(&text)
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
    line(text, "idle_timeout", format!("{:?}", source.idle_timeout.and_then(Bound::us)));
    line(text, "hold", format!("{:?}", source.hold.map(|hold| hold.max_records)));
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
