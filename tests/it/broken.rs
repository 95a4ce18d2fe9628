//! Broken pipeline files: each message, word by word.
//!
//! A case is a folder with `pipeline.yaml`, sometimes `schema.json`, and `expected.txt`. With
//! `MILLSTREAM_BLESS=1` the expected texts are written instead of compared.

use crate::golden::{self, assert_golden};
use millstream::pipeline::{Definition, Overrides};
use std::path::Path;

#[test]
fn every_broken_file_is_told_where_and_what() {
    let cases = golden::cases("broken");
    assert!(cases.len() >= 40, "{} cases", cases.len());
    for case in cases {
        assert_golden(&case.join("expected.txt"), problems(&case).as_bytes());
    }
}

#[test]
fn every_message_names_file_place_and_remedy() {
    for case in golden::cases("broken") {
        let text = problems(&case);
        for line in text.lines() {
            let (place, what) = line.split_once(": ").expect("a place before the text");
            let parts: Vec<&str> = place.split(':').collect();
            let named = matches!(parts[0], "pipeline.yaml" | "schema.json");
            assert!(named, "no file in {}: {line}", case.display());
            let whole_file = ["empty", "missing", "cannot read"].iter().any(|w| what.contains(w));
            assert!(parts.len() == 3 || whole_file, "no place in {}: {line}", case.display());
        }
    }
}

/// The problems of a case, one a line, with paths relative to the case.
fn problems(case: &Path) -> String {
    let path = case.join("pipeline.yaml");
    let Err(problems) = Definition::load(&path, Overrides::default()) else {
        panic!("{} is valid", case.display());
    };
    let folder = format!("{}/", case.display());
    problems.iter().map(|problem| format!("{problem}\n").replace(&folder, "")).collect()
}
