//! The pipeline file as typed sections. Strict, and every complaint knows its line and path.
//!
//! Sections that belong to a step (`clean`, `windows`, `features`) stay [`Node`]s: their options
//! are read by the component they name.

mod expectations;
mod holidays;
mod judge;
mod output;
mod parameters;
mod read;
mod schema;
mod source;

pub use expectations::ExpectationsSpec;
pub use output::{DeadLetter, Delivery, ElementsSpec, HeadersSpec, Limits, NullsSpec, Output};
pub use parameters::ReadFile;
pub use schema::{json_schema, parameters_schema};
pub use source::{
    Bound, EventTimeColumn, EventTimeSpec, Hold, KeyColumns, Order, OutOfRange, Partitioner,
    Source, Start,
};

use crate::{
    batch::{Outcomes, Policy, Reason},
    registry::{self, Node, Position, Problem},
    window,
};
use arrow::datatypes::Schema;
use serde::de::DeserializeOwned;
use std::slice;

/// The keys of a pipeline file, in the order in which people write them.
const SECTIONS: [&str; 11] = [
    "pipeline",
    "source",
    "clean",
    "expectations",
    "windows",
    "features",
    "output",
    "dead_letter",
    "outcomes",
    "limits",
    "delivery",
];

/// What the command line may say instead of the file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overrides {
    /// `run --delivery`.
    pub delivery: Option<Delivery>,
}

/// A pipeline file whose sections are right each by itself. Columns are not resolved yet.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Name of the consumer group, the metrics and, later, transactions and snapshots.
    pub pipeline: String,
    /// The `source` section.
    pub source: Source,
    /// One node per cleaning step.
    pub clean: Vec<Node>,
    /// The `expectations` section.
    pub expectations: Option<ExpectationsSpec>,
    /// One node per window.
    pub windows: Vec<Node>,
    /// One node per feature.
    pub features: Vec<Node>,
    /// The `output` section.
    pub output: Output,
    /// The `dead_letter` section.
    pub dead_letter: Option<DeadLetter>,
    /// The policy of every reason.
    pub outcomes: Outcomes,
    /// The `limits` section.
    pub limits: Limits,
    /// What a restart may do to the output.
    pub delivery: Delivery,
    root: Node,
}

impl Spec {
    /// Reads a pipeline file, or says everything that is wrong with it. `read` gives the text of a
    /// file that it names.
    pub fn parse(
        text: &str,
        overrides: Overrides,
        read: &mut ReadFile<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let mut root = Node::parse(text).map_err(|problem| vec![problem])?;
        let mut problems = parameters::fill(&mut root, read);
        let spec = Self::read(&root, overrides, &mut problems);
        match spec {
            Some(spec) if problems.is_empty() => Ok(spec),
            _ => Err(sorted(problems.into_iter().map(|p| read::with_path(&root, p)).collect())),
        }
    }

    fn read(root: &Node, overrides: Overrides, problems: &mut Vec<Problem>) -> Option<Self> {
        let Some(entries) = root.as_map() else {
            let expected = format!("a map with the keys {}", SECTIONS.join(", "));
            problems.push(Problem::new(root.at, root.kind()).expected(expected));
            return None;
        };
        for (key, at, _) in entries {
            if !SECTIONS.contains(&key.as_str()) {
                let problem = Problem::new(*at, format!("unknown key `{key}`"));
                problems.push(problem.expected_one_of(key, SECTIONS));
            }
        }
        let pipeline = required(root, "pipeline", problems)
            .and_then(|node| read::section::<String>(node, problems));
        let source = required(root, "source", problems)
            .and_then(|node| read::section::<Source>(node, problems));
        let output = required(root, "output", problems)
            .and_then(|node| read::section::<Output>(node, problems));
        let dead_letter = optional(root, "dead_letter", problems);
        let limits = optional(root, "limits", problems);
        let expectations = optional(root, "expectations", problems);
        let delivery = optional(root, "delivery", problems);
        let outcomes = outcomes(root, problems);
        let spec = Self {
            clean: list(root, "clean", problems),
            windows: list(root, "windows", problems),
            features: list(root, "features", problems),
            pipeline: pipeline?,
            source: source?,
            output: output?,
            dead_letter: dead_letter.ok()?,
            expectations: expectations.ok()?,
            outcomes: outcomes?,
            limits: limits.ok()?.unwrap_or_default(),
            delivery: overrides.delivery.or(delivery.ok()?).unwrap_or_default(),
            root: root.clone(),
        };
        judge::judge(&spec, problems);
        Some(spec)
    }

    /// The expectations, one node each.
    pub fn expected(&self) -> &[Node] {
        let section = self.root.get("expectations").and_then(|section| section.get("expect"));
        section.and_then(Node::as_list).unwrap_or_default()
    }

    /// True if records of this pipeline can leave for that reason.
    pub fn can_meet(&self, reason: Reason) -> bool {
        reason != Reason::Expectation || self.expected().iter().any(window::takes_out)
    }

    /// The topic of verdicts.
    pub fn quality_topic(&self) -> Option<&str> {
        self.expectations.as_ref()?.quality_topic.as_deref()
    }

    /// The whole file.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The value on that path, or the innermost section of it that is there.
    pub fn node(&self, path: &[&str]) -> &Node {
        let mut node = &self.root;
        for key in path {
            match node.get(key) {
                Some(value) => node = value,
                None => break,
            }
        }
        node
    }

    /// The items on that path; a single value is a list of one.
    pub fn list(&self, path: &[&str]) -> &[Node] {
        let node = self.node(path);
        node.as_list().unwrap_or(slice::from_ref(node))
    }

    /// Where the value on that path stands, or the innermost section of it that is there.
    pub fn at(&self, path: &[&str]) -> Position {
        self.node(path).at
    }

    /// What happens to late records that `dlq replay` sent again: they are kept unless the file
    /// names a policy for late records.
    pub fn late_replayed(&self) -> Policy {
        let stated = self.root.get("outcomes").is_some_and(|node| node.get("late").is_some());
        if stated { self.outcomes.policy(Reason::Late) } else { Policy::Keep }
    }

    /// Puts the path of its place before the text of each problem of this file, in line order.
    pub(super) fn with_paths(&self, problems: Vec<Problem>) -> Vec<Problem> {
        sorted(problems.into_iter().map(|p| read::with_path(&self.root, p)).collect())
    }
}

/// The index of a column, or a problem at `node` that names the nearest one.
pub(super) fn find_column(schema: &Schema, name: &str, node: &Node) -> Result<usize, Problem> {
    schema.index_of(name).map_err(|_| {
        let names = schema.fields().iter().map(|field| field.name());
        Problem::new(node.at, format!("unknown column `{name}`")).expected_one_of(name, names)
    })
}

/// What is wrong with each item by itself; `together` if it is only wrong with all of them.
pub(super) fn each_alone(
    items: &[Node],
    together: Problem,
    wrong: impl Fn(&[Node]) -> Option<Problem>,
) -> Vec<Problem> {
    let alone: Vec<Problem> =
        items.iter().filter_map(|item| wrong(slice::from_ref(item))).collect();
    if alone.is_empty() { vec![together] } else { alone }
}

fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.at);
    problems.dedup();
    problems
}

fn required<'n>(root: &'n Node, key: &str, problems: &mut Vec<Problem>) -> Option<&'n Node> {
    let node = root.get(key);
    if node.is_none() {
        problems.push(Problem::new(root.at, format!("missing key `{key}`")));
    }
    node
}

/// A section with a mistake in it, which has been noted.
struct Refused;

/// The section, none where it is not there.
fn optional<T: DeserializeOwned>(
    root: &Node,
    key: &str,
    problems: &mut Vec<Problem>,
) -> Result<Option<T>, Refused> {
    let Some(node) = root.get(key) else { return Ok(None) };
    read::section(node, problems).map(Some).ok_or(Refused)
}

fn list(root: &Node, key: &str, problems: &mut Vec<Problem>) -> Vec<Node> {
    let Some(node) = root.get(key) else { return Vec::new() };
    if let Some(items) = node.as_list() {
        return items.to_vec();
    }
    problems.push(Problem::new(node.at, node.kind()).expected("a list"));
    Vec::new()
}

/// The defaults, changed by what the file says.
fn outcomes(root: &Node, problems: &mut Vec<Problem>) -> Option<Outcomes> {
    let mut outcomes = Outcomes::default();
    let Some(node) = root.get("outcomes") else { return Some(outcomes) };
    let Some(entries) = node.as_map() else {
        problems.push(Problem::new(node.at, node.kind()).expected("a map of reason to policy"));
        return None;
    };
    let before = problems.len();
    for (name, at, value) in entries {
        let Some(reason) = Reason::ALL.into_iter().find(|reason| reason.name() == name) else {
            let problem = Problem::new(*at, format!("unknown reason `{name}`"));
            problems.push(problem.expected_one_of(name, Reason::ALL.map(Reason::name)));
            continue;
        };
        match policy(reason, value) {
            Ok(policy) => outcomes.set(reason, policy),
            Err(problem) => problems.push(problem),
        }
    }
    (problems.len() == before).then_some(outcomes)
}

fn policy(reason: Reason, value: &Node) -> Result<Policy, Problem> {
    let name: String = registry::options(value)?;
    let allowed = reason.allowed();
    allowed.iter().copied().find(|policy| policy.name() == name).ok_or_else(|| {
        Problem::new(value.at, format!("`{reason}` cannot have the policy `{name}`"))
            .expected_one_of(&name, allowed.iter().map(|policy| policy.name()))
    })
}
