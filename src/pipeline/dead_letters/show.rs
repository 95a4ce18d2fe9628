//! One dead letter, for a person or as JSON. Payloads are personal data: they are shown on request
//! only, otherwise their sizes and hashes.

use super::Letter;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write as _};

/// A dead letter to be shown.
#[derive(Debug)]
pub struct Shown<'l> {
    /// Which.
    pub letter: &'l Letter<'l>,
    /// Whether key, value and the values of headers are shown themselves.
    pub payload: bool,
}

impl Shown<'_> {
    /// The letter as a JSON object on one line. Bytes that are no text are given in hexadecimal
    /// under `hex`.
    pub fn json(&self) -> String {
        let Letter { place, record, context } = self.letter;
        let headers = self.letter.original_headers().map(|header| HeaderJson {
            name: plain(header.name),
            value: header.value.map(|value| self.bytes(value)),
        });
        let line = LetterJson {
            topic: &place.topic,
            partition: place.partition,
            offset: place.offset,
            timestamp_ms: record.timestamp_ms,
            source: context.as_ref().map(|context| context.source.to_string()),
            stage: context.as_ref().map(|context| context.stage.as_str()),
            reason: context.as_ref().map(|context| context.reason.as_str()),
            message: context.as_ref().map(|context| context.message.as_str()),
            replayed: self.letter.replayed(),
            key: record.key.map(|key| self.bytes(key)),
            value: record.value.map(|value| self.bytes(value)),
            headers: headers.collect(),
        };
        serde_json::to_string(&line).expect("text and numbers have a JSON form")
    }

    fn bytes<'b>(&self, bytes: &'b [u8]) -> BytesJson<'b> {
        if self.payload {
            plain(bytes)
        } else {
            BytesJson::Hidden { bytes: bytes.len(), sha256: sha256(bytes) }
        }
    }

    fn bytes_text(&self, bytes: Option<&[u8]>) -> String {
        match bytes {
            None => "null".to_owned(),
            Some(bytes) if self.payload => escaped(bytes),
            Some(bytes) => format!("{} bytes, sha256 {}", bytes.len(), sha256(bytes)),
        }
    }
}

/// The form of a dead letter; what is not known is null.
#[derive(Serialize)]
struct LetterJson<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    source: Option<String>,
    stage: Option<&'a str>,
    reason: Option<&'a str>,
    message: Option<&'a str>,
    replayed: Option<u32>,
    key: Option<BytesJson<'a>>,
    value: Option<BytesJson<'a>>,
    headers: Vec<HeaderJson<'a>>,
}

#[derive(Serialize)]
struct HeaderJson<'a> {
    name: BytesJson<'a>,
    value: Option<BytesJson<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum BytesJson<'a> {
    Text(&'a str),
    Hex { hex: String },
    Hidden { bytes: usize, sha256: String },
}

/// A block of lines, the first of which names the place.
impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Letter { place, record, context } = self.letter;
        write!(f, "{place}")?;
        let mut line = |name: &str, text: &str| write!(f, "\n  {name:<10} {text}");
        match context {
            Some(context) => {
                line("from", &context.source.to_string())?;
                line("reason", &format!("{} ({})", context.reason, context.stage))?;
                line("message", &escaped(context.message.as_bytes()))?;
            }
            None => line("from", "nowhere: it has no context headers of this pipeline")?,
        }
        line("timestamp", &record.timestamp_ms.map_or("none".to_owned(), timestamp))?;
        match self.letter.replayed() {
            Some(0) => {}
            Some(times) => line("replayed", &times.to_string())?,
            None => line("replayed", "unreadable")?,
        }
        line("key", &self.bytes_text(record.key))?;
        line("value", &self.bytes_text(record.value))?;
        for header in self.letter.original_headers() {
            let text = format!("{}: {}", escaped(header.name), self.bytes_text(header.value));
            line("header", &text)?;
        }
        Ok(())
    }
}

/// Milliseconds since the epoch as RFC 3339, or the number where there is no such date.
pub(super) fn timestamp(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms)
        .map_or_else(|| ms.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Text of a stranger for a terminal: no control character reaches it.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("writing to a string");
        }
    }
    text
}

fn plain(bytes: &[u8]) -> BytesJson<'_> {
    str::from_utf8(bytes).map_or_else(|_| BytesJson::Hex { hex: hex(bytes) }, BytesJson::Text)
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{batch::RawBatch, encode::DEAD_LETTER_CONTEXT};

    fn letter() -> RawBatch {
        let mut raw = RawBatch::new("dlq".into(), 1);
        raw.push(4, Some(1_000), Some(b"card-1"), Some(b"{\"secret\":\x1b\xff"));
        raw.header(b"caf\xe9", Some(b"hidden"));
        raw.header(b"empty", None);
        raw.header(b"millstream-replayed", Some(b"2"));
        let values = ["in", "0", "5", "decode", "undecodable", "expected an object"];
        for (name, value) in DEAD_LETTER_CONTEXT.into_iter().zip(values) {
            raw.header(format!("x.{name}").as_bytes(), Some(value.as_bytes()));
        }
        raw
    }

    #[test]
    fn payloads_are_shown_on_request_only() {
        let raw = letter();
        let letter = Letter::read(&raw, 0, "x.");
        let shown = |payload| Shown { letter: &letter, payload };
        let [closed, open] = [false, true].map(|payload| shown(payload).to_string());
        assert!(closed.starts_with(
            "dlq/1/4\n  from       in/0/5\n  reason     undecodable (decode)\n  message    expected \
             an object\n  timestamp  1970-01-01T00:00:01.000Z\n  replayed   2\n  key        6 \
             bytes, sha256 "
        ));
        for secret in ["card-1", "secret", "hidden"] {
            assert!(!closed.contains(secret) && open.contains(secret), "{secret}");
            assert!(!shown(false).json().contains(secret), "{secret}");
        }
        assert!(open.contains("\n  value      {\"secret\":\\u{1b}\\xff\n"), "{open}");
        assert!(
            open.contains("\n  header     caf\\xe9: hidden\n  header     empty: null\n"),
            "{open}"
        );
        assert!(!open.contains("x.topic"), "{open}");
    }

    #[test]
    fn json_keeps_every_byte() {
        let raw = letter();
        let letter = Letter::read(&raw, 0, "x.");
        let json = |payload| {
            let text = Shown { letter: &letter, payload }.json();
            serde_json::from_str::<serde_json::Value>(&text).unwrap()
        };
        let open = json(true);
        assert_eq!(open["key"], "card-1");
        assert_eq!(open["value"]["hex"], "7b22736563726574223a1bff");
        assert_eq!(open["headers"][0]["name"]["hex"], "636166e9");
        assert_eq!(open["source"], "in/0/5");
        assert_eq!((&open["reason"], &open["replayed"]), (&"undecodable".into(), &2.into()));
        let closed = json(false);
        assert_eq!(closed["value"]["bytes"], 12);
        assert!(closed["headers"][1]["value"].is_null());
    }
}
