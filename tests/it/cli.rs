//! The binary: exit codes, and what goes to which stream.

use crate::golden::assert_golden;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

fn millstream(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args).stdin(Stdio::null());
    command.output().expect("the binary was built with the tests")
}

/// Exit code, standard output, standard error.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = millstream(args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const CARD: &str = "tests/golden/pipelines/card/pipeline.yaml";

#[test]
fn check_prints_the_plan_or_every_problem() {
    let (code, plan, _) = run(&["check", CARD]);
    assert_eq!(code, 0);
    for part in ["amount_mean_5m", "bytes a key", "order-sensitive", "tx_id", "drop    tombstone"] {
        assert!(plan.contains(part), "{part} in {plan}");
    }
    let (code, out, problems) =
        run(&["check", "tests/golden/broken/several_mistakes/pipeline.yaml"]);
    assert_eq!((code, out.as_str()), (78, ""));
    assert!(problems.contains("pipeline.yaml:8:13: source.lateness"), "{problems}");
    assert!(problems.trim_end().ends_with("4 problems"), "{problems}");
    let (code, _, problems) = run(&["check", "no.yaml"]);
    assert_eq!(code, 78);
    assert!(problems.starts_with("no.yaml: cannot read the file"), "{problems}");
}

#[test]
fn a_wrong_call_is_not_a_wrong_file() {
    assert_eq!(run(&["chekc", CARD]).0, 64);
    assert_eq!(run(&["check"]).0, 64);
    assert_eq!(run(&["--help"]).0, 0);
    assert_eq!(
        run(&["version"]).1,
        format!("millstream {} (fold version 1)\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_filter_of_dead_letters_that_cannot_be_meant_is_a_wrong_call() {
    let wrong = |arguments: &[&str]| {
        let (code, _, error) = run(&[&["dlq", "ls", CARD], arguments].concat());
        assert_eq!(code, 64, "{error}");
        error
    };
    assert!(wrong(&["--reason", "undecodeable"]).contains("did you mean `undecodable`?"));
    assert!(wrong(&["--since", "yesterday"]).contains("RFC 3339"));
    assert!(wrong(&["--partition", "0", "--offsets", "7..3"]).contains("holds no offset"));
    assert!(wrong(&["--offsets", "3..7"]).contains("--partition"));
    assert!(wrong(&["--source", "card/1"]).contains("TOPIC/PARTITION/OFFSET"));
}

#[test]
fn replay_writes_vectors_and_the_law_apart() {
    let folder = tempfile::tempdir().unwrap();
    let rejected = folder.path().join("rejected.jsonl");
    let input = "tests/golden/pipelines/card/input.jsonl";
    let rejected_path = rejected.to_str().unwrap();
    let (code, vectors, law) =
        run(&["replay", CARD, "--input", input, "--envelope", "--rejected", rejected_path]);
    assert_eq!(code, 0, "{law}");
    assert!(law.starts_with("consumed 160 = published "), "{law}");
    let published = format!("published {} ", vectors.lines().count());
    assert!(law.contains(&published), "{law}");
    let lines = fs::read_to_string(&rejected).unwrap();
    assert!(law.contains(&format!("rejected {} ", lines.lines().count())), "{law}");
    // What was rejected can be sent through again, with its headers.
    let again = run(&["replay", CARD, "--input", rejected_path, "--envelope"]);
    assert_eq!(again.0, 0, "{}", again.2);
}

#[test]
fn a_line_that_is_no_record_is_told_with_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input.jsonl");
    fs::write(&input, "{\"value\":1}\n\n{\"valeu\":1}\n").unwrap();
    let (code, _, error) = run(&["replay", CARD, "--input", input.to_str().unwrap(), "--envelope"]);
    assert_eq!(code, 1);
    assert!(error.contains("line 3: unknown member `valeu`"), "{error}");
}

#[test]
fn test_shows_what_differs_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/pipelines/forget/pipeline.yaml");
    let write = |sum: f64| {
        let file = folder.path().join("forget.test.yaml");
        let cases = format!(
            "pipeline: {}\ncases:\n- name: a tombstone forgets\n  records:\n  \
             - {{ value: {{ id: a, x: 1.5 }}, key: a, timestamp: 1000 }}\n  \
             - {{ value: ~, key: a, timestamp: 2000 }}\n  \
             - {{ value: {{ id: a, x: 2 }}, key: a, timestamp: 3000 }}\n  \
             - {{ raw: '{{', key: a, timestamp: 3000 }}\n  expect:\n  \
             - vector: {{ x_sum_1m: 1.5 }}\n  - dropped: tombstone\n  \
             - vector: {{ x_sum_1m: {sum:?} }}\n  - rejected: undecodable\n",
            pipeline.display()
        );
        fs::write(&file, cases).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (code, out, error) = run(&["test", &write(2.0)]);
    assert_eq!(code, 0, "{out}{error}");
    assert!(out.ends_with("1 passed, 0 failed\n"), "{out}");
    let (code, out, _) = run(&["test", &write(3.5)]);
    assert_eq!(code, 1);
    assert!(out.contains("-    x_sum_1m: 3.5\n+    x_sum_1m: 2.0"), "{out}");
}

#[test]
fn the_tables_and_schemas_are_printed() {
    let (code, tables, _) = run(&["components"]);
    assert_eq!(code, 0);
    for name in ["drop_duplicates", "time_since_last", "one_hot", "arrow_ipc", "regexp_like"] {
        assert!(tables.contains(name), "{name}");
    }
    assert!(run(&["components", "--schema"]).1.contains("\"drop_duplicates\""));
    assert!(run(&["schema", CARD]).1.contains("\"amount_mean_5m\""));
    assert!(run(&["schema", "--arrow", CARD]).1.contains("amount_mean_5m: Float64"));
}

#[test]
fn the_page_of_components_is_what_the_program_prints() {
    let (code, page, error) = run(&["components", "--markdown", "--compared", "docs/catalogue.md"]);
    assert_eq!(code, 0, "{error}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/components.md");
    assert_golden(&path, page.as_bytes());
    let (code, _, error) = run(&["components", "--markdown", "--compared", "docs/missing.md"]);
    assert_eq!(code, 1);
    assert!(error.contains("cannot read docs/missing.md"), "{error}");
}

#[test]
fn the_functions_of_expressions_are_listed() {
    let (_, tables, _) = run(&["components"]);
    let (_, functions) = tables.split_once("functions of SQL expressions").unwrap();
    let names: Vec<&str> = functions.lines().skip(1).flat_map(str::split_whitespace).collect();
    assert!(names.contains(&"nullif") && names.contains(&"ln") && !names.contains(&"now"));
    assert!(functions.lines().all(|line| line.len() <= 100), "{functions}");
}

/// The demo, its port any that is free, at a rate that would take it a while.
fn demo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.args(["demo", "--set", "listen=127.0.0.1:0", "--set", "workers=1"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures how long a process takes")]
fn a_demo_ends_when_nobody_reads_on() {
    for closes_both in [false, true] {
        let mut child = demo().spawn().unwrap();
        let mut vectors = BufReader::new(child.stdout.take().unwrap());
        let errors = child.stderr.take().unwrap();
        // As `2>&1 | head` does it; otherwise complaints are still read.
        let complaints = (!closes_both).then(|| thread::spawn(|| std::io::read_to_string(errors)));
        let mut line = String::new();
        vectors.read_line(&mut line).unwrap();
        assert!(line.starts_with("{\"origin\":"), "{line}");
        drop(vectors);
        let started = Instant::now();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        if let Some(complaints) = complaints {
            let text = complaints.join().unwrap().unwrap();
            assert!(text.contains(" + held 0\n"), "{text}");
            assert!(!text.contains("CONFWARN"), "{text}");
        }
    }
}

#[test]
fn a_taken_port_is_told_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen={}", taken.local_addr().unwrap());
    let (code, _, error) = run(&["demo", "--set", &listen]);
    assert_eq!(code, 1);
    assert_eq!(error.matches("cannot listen on").count(), 1, "{error}");
    assert!(error.contains("--set listen=HOST:PORT"), "{error}");
}
