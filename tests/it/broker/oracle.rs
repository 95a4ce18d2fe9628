//! Judges a run by an oracle in Python that shares no code with the engine.

use super::{
    cluster,
    daemon::Pipeline,
    topic::{self, Dumped},
};
use std::{path::Path, process::Command};

/// What the oracle was given.
pub(super) struct Judged {
    pub(super) input: Vec<Dumped>,
    pub(super) output: Vec<Dumped>,
    pub(super) rejected: Vec<Dumped>,
}

/// Reads the three topics back and lets `tests/oracle/{script}` compare them.
pub(super) fn judge(script: &str, pipeline: &Pipeline, options: &[&str]) -> Judged {
    judge_input(script, pipeline, topic::dump(&pipeline.input), options)
}

/// The same, as if the record at one offset had never been.
pub(super) fn judge_without(script: &str, pipeline: &Pipeline, offset: i64) -> Judged {
    let mut input = topic::dump(&pipeline.input);
    input.retain(|record| record.offset != offset);
    judge_input(script, pipeline, input, &[])
}

fn judge_input(script: &str, pipeline: &Pipeline, input: Vec<Dumped>, options: &[&str]) -> Judged {
    let judged = Judged {
        input,
        output: topic::dump(&pipeline.output),
        rejected: topic::dump(&pipeline.dead_letter),
    };
    let path = |name: &str| pipeline.directory.path().join(name);
    topic::write_jsonl(&path("in.jsonl"), &judged.input);
    topic::write_jsonl(&path("out.jsonl"), &judged.output);
    topic::write_jsonl(&path("rejected.jsonl"), &judged.rejected);
    let answer = Command::new(cluster::variable("MILLSTREAM_PYTHON"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle").join(script))
        .arg("--input")
        .arg(path("in.jsonl"))
        .arg("--output")
        .arg(path("out.jsonl"))
        .arg("--rejected")
        .arg(path("rejected.jsonl"))
        .args(options)
        .output()
        .unwrap();
    let text = [answer.stdout, answer.stderr].map(|b| String::from_utf8_lossy(&b).into_owned());
    println!("{}", text.concat());
    assert!(answer.status.success(), "the oracle disagrees:\n{}", text.concat());
    judged
}
