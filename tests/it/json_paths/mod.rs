//! The one-pass decoder with its rules, and the complete validator, accept the same records.
//!
//! The oracle shares no code with the engine: `serde_json` for the grammar, a visitor of its own
//! for duplicate keys, `jsonschema` for the schema, chrono for times. Two things only the columns
//! refuse: a record that is no object, and an integer that 64 bits do not hold.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod generate;
mod oracle;

use arrow::compute::concat_batches;
use generate::Generator;
use millstream::{
    batch::{Decoded, Policy, RawBatch, Reason, Rejected, Rejections},
    decode::{Decode, DecodeInput, FORMATS},
    schema::RecordSchema,
    validate::Rules,
};
use oracle::{Oracle, Verdict};
use proptest::prelude::*;

/// Documents per schema.
const DOCUMENTS: usize = 24;

fn decoder(schema: &RecordSchema) -> Box<dyn Decode> {
    let input =
        DecodeInput { schema, headers: &[], record_bytes: 1_000_000, tombstone: Policy::Drop };
    (FORMATS[0].build)(&input).unwrap()
}

fn batch<D: AsRef<[u8]>>(documents: &[D], first: usize) -> RawBatch {
    let mut raw = RawBatch::new("t".into(), 0);
    for (offset, document) in (i64::try_from(first).unwrap()..).zip(documents) {
        raw.push(offset, Some(offset), None, Some(document.as_ref()));
    }
    raw
}

/// What the engine makes of the documents, cut at `cut`. Record indexes count through.
fn run(text: &str, documents: &[Vec<u8>], cut: usize) -> (Decoded, Vec<Rejected>, u64) {
    let schema = RecordSchema::parse(text).unwrap();
    let mut format = decoder(&schema);
    let mut rules = Rules::build(&schema, &format.schema()).unwrap();
    let mut parts = Vec::new();
    let mut records = Vec::new();
    let mut rejections = Vec::new();
    for (first, part) in [(0, &documents[..cut]), (cut, &documents[cut..])] {
        let raw = batch(part, first);
        let mut rejected = Rejections::default();
        let decoded = format.decode(&raw, &mut rejected);
        let valid = rules.apply(&raw, decoded, &mut rejected);
        let shift = u32::try_from(first).unwrap();
        records.extend(valid.records.iter().map(|r| r + shift));
        parts.push(valid.columns);
        rejections
            .extend(rejected.0.into_iter().map(|r| Rejected { record: r.record + shift, ..r }));
    }
    let columns = concat_batches(&format.schema(), &parts).unwrap();
    rejections.sort_by_key(|r| r.record);
    (Decoded { columns, records }, rejections, rules.slow_path_records())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_paths_agree(seed in any::<u64>(), cut in 0..=DOCUMENTS) {
        let mut generator = Generator::new(seed);
        let value = generator.schema();
        let text = value.to_string();
        let documents: Vec<Vec<u8>> =
            (0..DOCUMENTS).map(|_| generator.document(&value)).collect();
        let (decoded, rejected, _) = run(&text, &documents, cut);
        let oracle = Oracle::new(&value);
        let mut row = 0;
        for (index, document) in documents.iter().enumerate() {
            let record = u32::try_from(index).unwrap();
            let shown = String::from_utf8_lossy(document);
            let refused = rejected.iter().find(|r| r.record == record);
            let got = refused.map(|r| r.reason);
            let said = refused.map(|r| r.detail.as_str());
            match oracle.judge(document, &decoded.columns.schema()) {
                Verdict::Undecodable => {
                    prop_assert_eq!(got, Some(Reason::Undecodable), "{} {:?}", shown, said);
                }
                Verdict::Invalid => {
                    prop_assert_eq!(got, Some(Reason::Invalid), "{}\n{}", text, shown);
                }
                Verdict::Valid(value) => {
                    prop_assert_eq!(got, None, "{}\n{} {:?}", text, shown, said);
                    prop_assert_eq!(decoded.records[row], record);
                    let difference = oracle::differs(&value, &decoded.columns, row);
                    prop_assert_eq!(difference, None, "{}\n{}", text, shown);
                    row += 1;
                }
            }
        }
        prop_assert_eq!(row, decoded.records.len());
        // Where the batch was cut must not show.
        let (whole, others, _) = run(&text, &documents, 0);
        prop_assert_eq!(whole.columns, decoded.columns);
        prop_assert_eq!(others, rejected);
    }

    #[test]
    fn the_grammar_is_that_of_serde_json(seed in any::<u64>()) {
        let mut generator = Generator::new(seed);
        let text = r#"{"type":"object","properties":{"a":true,"b":{"type":"string"}}}"#;
        let value = serde_json::from_str(text).unwrap();
        let documents: Vec<Vec<u8>> = (0..40)
            .map(|_| {
                let document = generator.document(&value);
                generator.mutate(document)
            })
            .collect();
        let (_, rejected, _) = run(text, &documents, 0);
        for (index, document) in documents.iter().enumerate() {
            let refused = rejected.iter().find(|r| r.record as usize == index);
            let undecodable = refused.is_some_and(|r| r.reason == Reason::Undecodable);
            let shown = String::from_utf8_lossy(document);
            prop_assert_eq!(oracle::parse(document).is_none(), undecodable, "{} {:?}", shown, refused);
        }
    }
}

#[test]
fn the_generator_meets_every_verdict_on_both_paths() {
    let mut counts = [0; 5];
    for seed in 0..60 {
        let mut generator = Generator::new(seed);
        let value = generator.schema();
        let documents: Vec<Vec<u8>> = (0..DOCUMENTS).map(|_| generator.document(&value)).collect();
        let (decoded, rejected, slow) = run(&value.to_string(), &documents, 0);
        counts[0] += decoded.records.len();
        counts[1] += rejected.iter().filter(|r| r.reason == Reason::Undecodable).count();
        counts[2] += rejected.iter().filter(|r| r.reason == Reason::Invalid).count();
        counts[if slow > 0 { 3 } else { 4 }] += 1;
    }
    assert!(counts[..3].iter().all(|n| *n > 100), "valid, undecodable, invalid: {counts:?}");
    assert!(
        counts[3..].iter().all(|n| *n > 10),
        "schemas on the slow and the fast path: {counts:?}"
    );
}

#[test]
fn depth_ends_where_serde_json_ends() {
    let text = r#"{"type":"object","properties":{"a":true,"n":{"type":"number"}}}"#;
    let nested = |key: &str, open: &str, close: &str, depth: usize| {
        let inside = if open == "[" { "" } else { "1" };
        let document =
            format!("{{\"{key}\":{}{inside}{}}}", open.repeat(depth), close.repeat(depth));
        document.into_bytes()
    };
    for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
        for key in ["a", "other", "n"] {
            for depth in [100, 125, 126, 127, 128, 10_000] {
                let document = nested(key, open, close, depth);
                let known = oracle::parse(&document).is_some();
                let (_, rejected, _) = run(text, std::slice::from_ref(&document), 0);
                let undecodable = rejected.first().is_some_and(|r| r.reason == Reason::Undecodable);
                assert_eq!(known, !undecodable, "{key} {open} {depth}");
                assert_eq!(known, depth < 127, "{key} {open} {depth}");
            }
        }
    }
}
