//! Test cases beside a pipeline: records with their times, and what each has to become.

mod compare;
mod json;
mod read;

use super::{Definition, Delivery, Emitter, Folded, Halts, Overrides, replay::Record};
use crate::{
    batch::{Outbox, Policy, RawBatch, Reason, Target},
    registry::{Node, Problem},
};
use std::{collections::BTreeMap, path::Path};

/// The cases of one file, and the pipeline they are about.
#[derive(Debug)]
pub struct Suite {
    definition: Definition,
    cases: Vec<Case>,
}

/// Records of one partition and the outcome of each.
#[derive(Debug)]
pub struct Case {
    /// What the case shows.
    pub name: String,
    records: Vec<Record>,
    expect: Vec<Expected>,
    tolerance: f64,
}

/// What a record has to become.
#[derive(Debug)]
enum Expected {
    /// A vector with these fields, and no others if `exact`.
    Vector { fields: Vec<(String, Node)>, exact: bool },
    /// Gone for a reason: to the dead letters, or dropped.
    Gone { policy: Policy, reason: Reason, message: Option<String> },
}

/// What a record became.
#[derive(Debug)]
enum Actual {
    Vector(Vec<(String, Node)>),
    Gone { policy: Policy, reason: Reason, message: String },
}

impl Suite {
    /// Reads a file of cases and its pipeline.
    pub fn load(path: &Path) -> Result<Self, Vec<Problem>> {
        let file = path.display().to_string();
        let in_file = |problem: Problem| vec![problem.in_file(file.as_str())];
        let text = super::definition::read_file(path).map_err(in_file)?;
        let node = Node::parse(&text).map_err(in_file)?;
        let (pipeline, cases) = read::file(&node).map_err(in_file)?;
        // A case has no restart, so any delivery is right.
        let overrides = Overrides { delivery: Some(Delivery::AtLeastOnce) };
        let definition = Definition::load(&read::pipeline_path(path, pipeline), overrides)?;
        Ok(Self { definition, cases })
    }

    /// The cases in the order of the file.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Runs a case on a fresh partition. None if it passes, else what differs.
    pub fn run(&self, case: &Case) -> Option<String> {
        compare::difference(&case.expect, &self.actual(&case.records), case.tolerance)
    }

    fn actual(&self, records: &[Record]) -> Vec<Actual> {
        let mut raw = RawBatch::new(self.definition.spec().source.topics[0].as_str().into(), 0);
        let mut next = 0;
        for record in records {
            next = record.push_to(&mut raw, next).expect("cases have no offsets of their own");
        }
        // The outcome of each record is asked for, also behind one that stops the partition.
        let mut fold = self.definition.fold(None);
        let mut emitter = self.definition.emitter_as_json();
        let mut outcomes = BTreeMap::new();
        let folded = fold.advance_timed(&raw, Halts::Pass, &mut |_| {});
        collect(&mut emitter, &raw, folded, &mut outcomes);
        raw.clear();
        // What waits for the watermark goes at the end.
        let folded = fold.tick(&raw);
        collect(&mut emitter, &raw, folded, &mut outcomes);
        outcomes.into_values().collect()
    }
}

/// Notes what became of the records that left, by their offsets.
fn collect(
    emitter: &mut Emitter,
    raw: &RawBatch,
    mut folded: Folded,
    outcomes: &mut BTreeMap<i64, Actual>,
) {
    let mut outbox = Outbox::default();
    emitter.emit(raw, &mut folded, &mut outbox);
    emitter.flush(&mut outbox);
    let vectors = outbox.iter().filter(|message| message.parts.target == Target::Output);
    for (offset, vector) in folded.rows.offsets.iter().zip(vectors) {
        outcomes.insert(*offset, Actual::Vector(json::members(vector.value.unwrap_or_default())));
    }
    for gone in &folded.rejected {
        let policy = gone.policy.expect("the fold settles every policy");
        let (reason, message) = (gone.reason, gone.detail.clone());
        let offset = folded.batch(raw).offset(gone.record as usize);
        outcomes.insert(offset, Actual::Gone { policy, reason, message });
    }
}
