//! Dead letters: rejected records as they came, with the reason beside them in the headers.

use crate::batch::{MessageParts, Outbox, RawBatch, RawRecord, Reason, Rejected, Target};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What the names of the context headers begin with unless the settings say otherwise: Kafka
/// Connect's prefix, so that tools made for its dead letters read these.
pub const DEAD_LETTER_PREFIX: &str = "__connect.errors.";

/// Key and headers of an oversize record go out up to this size together; the dead-letter topic
/// takes `limits.record_bytes` and 64 KiB.
const OVERSIZE_KEPT_BYTES_MAX: usize = 32 << 10;

/// Appends the dead letter of a rejected record: key, value, headers and timestamp byte-identical,
/// then the context headers `topic`, `partition`, `offset`, `stage`, `exception.class.name` (the
/// reason) and `exception.message`, each behind `prefix`.
///
/// An oversize record would not fit: its value is left empty, and `value.size` and `value.sha256`
/// (lower-case hexadecimal) tell what it was. Should key and headers alone be beyond 32 KiB, they
/// are left out too.
pub fn dead_letter(raw: &RawBatch, rejected: &Rejected, prefix: &str, out: &mut Outbox) {
    let record = raw.record(rejected.record as usize);
    let oversize = rejected.reason == Reason::Oversize;
    let value_bytes = record.value.map_or(0, <[u8]>::len);
    let kept = !oversize || record.size() - value_bytes <= OVERSIZE_KEPT_BYTES_MAX;
    let parts = MessageParts {
        target: Target::DeadLetter,
        partition: None,
        key: record.key.filter(|_| kept),
        timestamp_ms: record.timestamp_ms,
    };
    out.push(parts, |arena| {
        if !oversize {
            arena.extend_from_slice(record.value.unwrap_or_default());
        }
        record.value.is_some()
    });
    if kept {
        for header in record.headers.iter() {
            out.header(header.name, header.value);
        }
    }
    let mut header = |name: &str, value: &str| {
        out.header(format!("{prefix}{name}").as_bytes(), Some(value.as_bytes()));
    };
    header("topic", raw.topic());
    header("partition", &raw.partition().to_string());
    header("offset", &record.offset.to_string());
    header("stage", rejected.reason.stage());
    header("exception.class.name", rejected.reason.name());
    header("exception.message", &rejected.detail);
    if oversize {
        header("value.size", &value_bytes.to_string());
        header("value.sha256", &sha256(&record));
    }
}

fn sha256(record: &RawRecord<'_>) -> String {
    let digest = Sha256::digest(record.value.unwrap_or_default());
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}
