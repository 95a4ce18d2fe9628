//! Verdicts on expectations: one JSON message for each expectation of each window.

use super::{
    line::Line,
    message::{DEFINITION, PIPELINE, SOURCE},
    time::write_timestamp,
};
use crate::batch::{Expectation, MessageParts, Outbox, RawBatch, Target, Verdict};
use arrow::datatypes::TimeUnit;
use serde::Serialize;

/// Most bytes of a verdict's message: names are bounded.
pub const VERDICT_BYTES_MAX: u64 = 16 << 10;

/// The value of the message.
#[derive(Serialize)]
struct Value<'a> {
    pipeline: &'a str,
    topic: &'a str,
    partition: i32,
    window: Window<'a>,
    expectation: &'a str,
    measure: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    severity: &'a str,
    count: u64,
    /// JSON has no word for NaN and infinities: they are null.
    observed: Option<f64>,
    threshold: Threshold,
    verdict: &'a str,
}

#[derive(Serialize)]
struct Window<'a> {
    start: &'a str,
    end: &'a str,
}

#[derive(Serialize)]
struct Threshold {
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
}

/// Whose verdicts they are.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Its `definition_hash`.
    pub definition: &'a str,
    /// What it expects, in the order of its file.
    pub expectations: &'a [Expectation],
}

/// Appends the message of a verdict. Its key is `topic/partition` of the source, so that the verdicts
/// of a partition stay in order; its timestamp and the header `millstream-source` are of the record
/// that closed the window.
pub fn verdict(raw: &RawBatch, verdict: &Verdict, author: &Author<'_>, out: &mut Outbox) {
    let expectation = &author.expectations[verdict.expectation];
    let (mut start, mut end) = (Vec::new(), Vec::new());
    let value = Value {
        pipeline: author.pipeline,
        topic: raw.topic(),
        partition: raw.partition(),
        window: Window {
            start: time(verdict.window.start, &mut start),
            end: time(verdict.window.end, &mut end),
        },
        expectation: &expectation.name,
        measure: expectation.measure,
        column: expectation.column.as_deref(),
        severity: expectation.severity.name(),
        count: verdict.count,
        observed: verdict.observed.filter(|observed| observed.is_finite()),
        threshold: Threshold { min: expectation.threshold.min, max: expectation.threshold.max },
        verdict: verdict.judgement.name(),
    };
    let record = raw.record(verdict.record as usize);
    let log = format!("{}/{}", raw.topic(), raw.partition());
    let parts = MessageParts {
        target: Target::Quality,
        partition: None,
        key: Some(log.as_bytes()),
        timestamp_ms: record.timestamp_ms,
    };
    out.push(parts, |arena| {
        serde_json::to_writer(arena, &value).expect("text and numbers have a JSON form");
        true
    });
    out.header(PIPELINE, Some(author.pipeline.as_bytes()));
    out.header(DEFINITION, Some(author.definition.as_bytes()));
    out.header(SOURCE, Some(format!("{log}/{}", record.offset).as_bytes()));
}

fn time(microseconds: i64, room: &mut Vec<u8>) -> &str {
    let text = Line::write(room, |line| write_timestamp(microseconds, TimeUnit::Microsecond, line));
    str::from_utf8(text).expect("digits and signs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Bounds, Judgement, Severity};

    #[test]
    fn a_verdict_says_what_was_expected_of_what_and_what_was_seen() {
        let mut raw = RawBatch::new("in".into(), 3);
        raw.push(41, Some(9), None, None);
        let expectations = [Expectation {
            name: "amount \"mean\"".to_owned(),
            column: Some("amount".to_owned()),
            measure: "mean",
            severity: Severity::Halt,
            threshold: Bounds { min: Some(5.0), max: None },
        }];
        let author = Author { pipeline: "p", definition: "d", expectations: &expectations };
        let mut told = Verdict {
            record: 0,
            expectation: 0,
            window: 1_767_225_600_000_000..1_767_225_660_000_000,
            count: 7,
            observed: Some(4.5),
            judgement: Judgement::Failed,
        };
        let mut out = Outbox::default();
        verdict(&raw, &told, &author, &mut out);
        told.observed = Some(f64::NAN);
        verdict(&raw, &told, &author, &mut out);
        let message = out.message(0);
        assert_eq!(message.parts.key, Some(&b"in/3"[..]));
        assert_eq!(message.parts.timestamp_ms, Some(9));
        assert_eq!(
            str::from_utf8(message.value.unwrap()).unwrap(),
            "{\"pipeline\":\"p\",\"topic\":\"in\",\"partition\":3,\"window\":{\"start\":\
             \"2026-01-01T00:00:00Z\",\"end\":\"2026-01-01T00:01:00Z\"},\"expectation\":\
             \"amount \\\"mean\\\"\",\"measure\":\"mean\",\"column\":\"amount\",\"severity\":\"halt\",\
             \"count\":7,\"observed\":4.5,\"threshold\":{\"min\":5.0},\"verdict\":\"failed\"}"
        );
        let source = message.headers().last().unwrap();
        assert_eq!((source.name, source.value), (SOURCE, Some(&b"in/3/41"[..])));
        let nan = str::from_utf8(out.message(1).value.unwrap()).unwrap();
        assert!(nan.contains("\"observed\":null"), "{nan}");
    }
}
