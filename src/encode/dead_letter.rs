//! Dead letters: rejected records as they came, with the reason beside them in the headers.

use crate::batch::{MessageParts, Outbox, RawBatch, RawRecord, Reason, Rejected, Target};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// What the names of the context headers begin with unless the settings say otherwise: Kafka
/// Connect's prefix, so that tools made for its dead letters read these.
pub const DEAD_LETTER_PREFIX: &str = "__connect.errors.";

/// The context headers of a dead letter in the order in which they follow the record's own, each
/// behind the prefix.
pub const DEAD_LETTER_CONTEXT: [&str; 6] =
    ["topic", "partition", "offset", "stage", "exception.class.name", "exception.message"];

/// The context headers that an oversize record has beside them.
pub const OVERSIZE_CONTEXT: [&str; 2] = ["value.size", "value.sha256"];

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
    let (partition, offset) = (raw.partition().to_string(), record.offset.to_string());
    let (reason, detail) = (rejected.reason.name(), rejected.detail.as_str());
    let values = [raw.topic().as_ref(), &partition, &offset, rejected.stage, reason, detail];
    for (name, value) in DEAD_LETTER_CONTEXT.into_iter().zip(values) {
        header(name, value);
    }
    if oversize {
        let values = [value_bytes.to_string(), sha256(&record)];
        for (name, value) in OVERSIZE_CONTEXT.into_iter().zip(&values) {
            header(name, value);
        }
    }
}

fn sha256(record: &RawRecord<'_>) -> String {
    let digest = Sha256::digest(record.value.unwrap_or_default());
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Message;

    fn header<'a>(message: &Message<'a>, name: &str) -> Option<&'a str> {
        let found = message.headers().filter(|h| h.name == name.as_bytes()).last()?;
        Some(str::from_utf8(found.value.unwrap()).unwrap())
    }

    #[test]
    fn a_dead_letter_is_the_record_with_its_reason() {
        let mut raw = RawBatch::new("in".into(), 3);
        raw.push(41, Some(9), Some(b"k\xff"), Some(b"not json"));
        raw.header(b"h", Some(b"1"));
        raw.header(b"h\xff", None);
        raw.push(42, None, None, None);
        let rejected = |record, reason: Reason| Rejected {
            record,
            reason,
            stage: reason.stage(),
            detail: "expected a JSON object".to_owned(),
            policy: None,
        };
        let mut out = Outbox::default();
        dead_letter(&raw, &rejected(0, Reason::Undecodable), DEAD_LETTER_PREFIX, &mut out);
        dead_letter(&raw, &rejected(1, Reason::Tombstone), "x.", &mut out);
        dead_letter(&raw, &rejected(0, Reason::Oversize), DEAD_LETTER_PREFIX, &mut out);

        let letter = out.message(0);
        assert_eq!(letter.parts.target, Target::DeadLetter);
        assert_eq!((letter.parts.key, letter.value), (Some(&b"k\xff"[..]), Some(&b"not json"[..])));
        assert_eq!(letter.parts.timestamp_ms, Some(9));
        let given: Vec<_> = letter.headers().take(2).map(|h| (h.name, h.value)).collect();
        assert_eq!(given, [(&b"h"[..], Some(&b"1"[..])), (b"h\xff", None)]);
        let context: Vec<_> = letter
            .headers()
            .skip(2)
            .map(|h| {
                let text = |bytes| str::from_utf8(bytes).unwrap();
                format!("{}={}", text(h.name), text(h.value.unwrap()))
            })
            .collect();
        assert_eq!(
            context,
            [
                "__connect.errors.topic=in",
                "__connect.errors.partition=3",
                "__connect.errors.offset=41",
                "__connect.errors.stage=decode",
                "__connect.errors.exception.class.name=undecodable",
                "__connect.errors.exception.message=expected a JSON object",
            ]
        );
        assert_eq!((out.message(1).value, out.message(1).parts.timestamp_ms), (None, None));
        assert_eq!(header(&out.message(1), "x.exception.class.name"), Some("tombstone"));

        let oversize = out.message(2);
        assert_eq!((oversize.parts.key, oversize.value), (Some(&b"k\xff"[..]), Some(&b""[..])));
        assert_eq!(header(&oversize, "__connect.errors.value.size"), Some("8"));
        assert_eq!(
            header(&oversize, "__connect.errors.value.sha256"),
            Some("7ccfa1fbf3940e6f0c0375d87c0f9235a50514e14cb427bdfaf5077987b26ccf")
        );
    }

    #[test]
    fn an_oversize_key_is_left_out() {
        let mut raw = RawBatch::new("in".into(), 0);
        raw.push(0, None, Some(&vec![b'k'; 40_000]), Some(b"v"));
        let (reason, detail) = (Reason::Oversize, String::new());
        let mut out = Outbox::default();
        let rejected = Rejected { record: 0, reason, stage: reason.stage(), detail, policy: None };
        dead_letter(&raw, &rejected, "x.", &mut out);
        assert_eq!(out.message(0).parts.key, None);
        assert_eq!(header(&out.message(0), "x.value.size"), Some("1"));
    }
}
