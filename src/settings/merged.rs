//! The merged settings as a [`Node`], so that they are read as strictly as a pipeline file.
//!
//! A position in it is an index into the places where keys were written; [`Merged::explain`] turns
//! it into the file and line, the environment variable or the `--set` of a wrong key.

use crate::registry::{Node, Position, Problem, Value};
use config::{Map, ValueKind};
use std::collections::BTreeMap;
use std::fmt;

/// Who wrote each key last, and where. Keys are paths from the root.
pub(super) type Places = BTreeMap<Vec<String>, (Writer, Option<Position>)>;

/// Who wrote a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Writer {
    /// The settings file of that name.
    File(String),
    /// The environment variable of that name.
    Environment(String),
    /// `--set` with that key.
    Set(String),
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Set(key) => write!(f, "--set {key}"),
        }
    }
}

/// Where a key of the merged settings was written last.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// By whom.
    pub(super) writer: Writer,
    at: Option<Position>,
    path: Vec<String>,
}

/// The merged settings and where each key was written.
#[derive(Debug)]
pub(super) struct Merged {
    /// The settings. `Position::line` of a node is 1 + its index in the places, 0 if unknown.
    pub(super) root: Node,
    places: Vec<Place>,
}

impl Merged {
    /// The merged `table` of `config`, whose keys were written at `places`.
    pub(super) fn new(table: Map<String, config::Value>, places: &Places) -> Self {
        let nothing = Node { value: Value::Null, at: Position::default() };
        let mut merged = Self { root: nothing, places: Vec::new() };
        let root = config::Value::new(None, ValueKind::Table(table));
        merged.root = merged.node(places, &mut Vec::new(), root, 0);
        merged
    }

    /// The place of a node or key.
    pub(super) fn place(&self, at: Position) -> Option<&Place> {
        at.line.checked_sub(1).and_then(|index| self.places.get(index))
    }

    /// Puts the writer, line and section of a wrong key or value into its problem.
    pub(super) fn explain(&self, mut problem: Problem) -> Problem {
        let Some(place) = problem.at.take().and_then(|at| self.place(at)) else {
            return problem;
        };
        let section = place.path.len().checked_sub(2).map(|_| {
            let parent = &place.path[..place.path.len() - 1];
            parent.join(".")
        });
        if problem.what.starts_with("unknown key") {
            if let Some(section) = section.filter(|s| !s.is_empty()) {
                problem.what = format!("{} in `{section}`", problem.what);
            }
        } else {
            problem.what = format!("`{}`: {}", place.path.join("."), problem.what);
        }
        problem.file = Some(place.writer.to_string());
        problem.at = place.at;
        problem
    }

    fn node(
        &mut self,
        places: &Places,
        path: &mut Vec<String>,
        value: config::Value,
        line: usize,
    ) -> Node {
        let at = Position { line, column: 0 };
        let value = match value.kind {
            ValueKind::Table(table) => {
                let sorted: BTreeMap<_, _> = table.into_iter().collect();
                let mut entries = Vec::with_capacity(sorted.len());
                // A null takes the value of a lower layer back.
                for (key, value) in sorted.into_iter().filter(|e| e.1.kind != ValueKind::Nil) {
                    path.push(key.clone());
                    let line = self.line(places, path, line);
                    let node = self.node(places, path, value, line);
                    entries.push((key, node.at, node));
                    path.pop();
                }
                Value::Map(entries)
            }
            ValueKind::Array(items) => {
                let node = |item| self.node(&BTreeMap::new(), path, item, line);
                Value::List(items.into_iter().map(node).collect())
            }
            ValueKind::Boolean(b) => Value::Bool(b),
            ValueKind::I64(i) => Value::Int(i),
            ValueKind::Float(x) => Value::Float(x),
            ValueKind::Nil => Value::Null,
            other => Value::String(other.to_string()),
        };
        Node { value, at }
    }

    /// The line that stands for the place of `path`, or its parent's if nobody noted one.
    fn line(&mut self, places: &Places, path: &[String], parent: usize) -> usize {
        let Some((writer, at)) = places.get(path) else { return parent };
        let path = path.to_vec();
        self.places.push(Place { writer: writer.clone(), at: *at, path });
        self.places.len()
    }
}
