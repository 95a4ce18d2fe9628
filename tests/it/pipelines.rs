//! Whole pipelines over small files: what comes out, and that batches do not show in it.
//!
//! A case is a folder with `pipeline.yaml`, `schema.json`, `input.jsonl` (envelope lines) and
//! `expected.jsonl`. With `MILLSTREAM_BLESS=1` the expected lines are written instead of compared.

use crate::golden::{self, assert_golden};
use millstream::{
    batch::{Message, Outbox, RawBatch},
    pipeline::{
        Definition, Overrides, Totals,
        replay::{Form, push_line},
    },
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use std::{fmt::Write, fs, path::Path};

#[test]
fn every_pipeline_gives_the_expected_messages() {
    for case in golden::cases("pipelines") {
        let whole = Case::load(&case).run(&[usize::MAX]);
        assert!(whole.totals.balance(), "{}: {}", case.display(), whole.totals);
        let text = format!("{}{}\n", whole.messages, whole.totals);
        assert_golden(&case.join("expected.jsonl"), text.as_bytes());
    }
}

#[test]
fn batches_do_not_show() {
    for path in golden::cases("pipelines") {
        let case = Case::load(&path);
        let whole = case.run(&[usize::MAX]);
        for size in [1, 7] {
            assert_eq!(case.run(&[size]), whole, "{} in batches of {size}", path.display());
        }
        let cuts = vec(1..40_usize, 1..30);
        let mut runner = TestRunner::new(ProptestConfig::with_cases(12));
        let result = runner.run(&cuts, |sizes| {
            prop_assert_eq!(case.run(&sizes), whole.clone());
            Ok(())
        });
        assert!(result.is_ok(), "{}: {}", path.display(), result.unwrap_err());
    }
}

#[test]
fn a_changed_record_shows_in_the_digest() {
    for path in golden::cases("pipelines") {
        let mut case = Case::load(&path);
        let before = case.run(&[usize::MAX]).digest;
        case.lines.remove(0);
        assert_ne!(case.run(&[usize::MAX]).digest, before, "{}", path.display());
    }
}

struct Case {
    definition: Definition,
    lines: Vec<String>,
}

/// Everything that a run shows to the outside.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    messages: String,
    totals: Totals,
    digest: u64,
    watermark: Option<i64>,
    state_keys: usize,
}

impl Case {
    fn load(case: &Path) -> Self {
        let definition = Definition::load(&case.join("pipeline.yaml"), Overrides::default())
            .unwrap_or_else(|problems| panic!("{}: {problems:#?}", case.display()));
        let input = fs::read_to_string(case.join("input.jsonl")).unwrap();
        Self { definition, lines: input.lines().map(str::to_owned).collect() }
    }

    /// Runs the input in batches of these sizes, over and over.
    fn run(&self, sizes: &[usize]) -> Outcome {
        let mut fold = self.definition.fold(None);
        let mut emitter = self.definition.emitter(None);
        let mut outbox = Outbox::default();
        let mut totals = Totals::default();
        let mut raw = RawBatch::new("golden".into(), 0);
        let mut lines = self.lines.iter().peekable();
        let mut next = 0;
        for size in sizes.iter().cycle() {
            raw.clear();
            for line in lines.by_ref().take(*size) {
                next = push_line(&mut raw, line.as_bytes(), Form::Envelope, next).unwrap();
            }
            let mut folded = fold.advance(&raw);
            emitter.emit(&raw, &mut folded, &mut outbox);
            totals += &folded.totals;
            if lines.peek().is_none() || folded.halt.is_some() {
                break;
            }
        }
        // As `replay` does: what waits for the watermark goes at the end.
        raw.clear();
        let mut folded = fold.tick(&raw);
        emitter.emit(&raw, &mut folded, &mut outbox);
        totals += &folded.totals;
        emitter.flush(&mut outbox);
        Outcome {
            messages: text(&outbox),
            totals,
            digest: fold.digest(),
            watermark: fold.watermark(),
            // One that has halted has seen keys that do not count.
            state_keys: if fold.is_halted() { 0 } else { fold.state_keys() },
        }
    }
}

/// Every message with all its parts, the two topics one after the other: between them there is no
/// order.
fn text(outbox: &Outbox) -> String {
    let mut messages: Vec<_> = outbox.iter().collect();
    messages.sort_by_key(|message| format!("{:?}", message.parts.target));
    messages.iter().map(line).collect()
}

/// A message with all its parts.
pub(crate) fn line(message: &Message<'_>) -> String {
    let show = |bytes: Option<&[u8]>| {
        bytes.map_or("null".to_owned(), |b| String::from_utf8_lossy(b).into_owned())
    };
    let parts = &message.parts;
    let mut line = format!("{:?} {:?} key {}", parts.target, parts.timestamp_ms, show(parts.key));
    for header in message.headers() {
        // The definition's hash would change with every edit of the file.
        let value = match header.name {
            b"millstream-definition" => "..".to_owned(),
            _ => show(header.value),
        };
        let name = String::from_utf8_lossy(header.name);
        write!(line, " {name}={value}").unwrap();
    }
    format!("{line}\n  {}\n", show(message.value))
}
