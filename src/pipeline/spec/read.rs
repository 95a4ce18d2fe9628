//! Reads sections so that one run shows every mistake, and says on which path each one lies.

use crate::registry::{self, Node, Position, Problem, Value};
use serde::de::DeserializeOwned;
use std::fmt::Write;

/// Reads a section strictly. A mistake under one of its keys is noted and the rest is read on.
///
/// Returns the section only if it is right as a whole.
pub(super) fn section<T: DeserializeOwned>(node: &Node, problems: &mut Vec<Problem>) -> Option<T> {
    let mut rest = node.clone();
    let mut broken: Vec<String> = Vec::new();
    loop {
        let problem = match registry::options::<T>(&rest) {
            Ok(section) => return broken.is_empty().then_some(section),
            Err(problem) => problem.or_at(node.at),
        };
        let Some(index) = culprit(&rest, &problem) else {
            // A key that was taken out for a mistake of its own is not missing.
            if !broken.iter().any(|key| problem.what.contains(&format!("`{key}`"))) {
                problems.push(problem);
            }
            return None;
        };
        // Nor is the one that an unknown key was meant to be.
        broken.extend(problem.nearest.clone());
        problems.push(problem);
        if let Value::Map(entries) = &mut rest.value {
            broken.push(entries.remove(index).0);
        }
    }
}

/// The entry of the map in which the problem lies; none if it is about the map as a whole.
fn culprit(map: &Node, problem: &Problem) -> Option<usize> {
    let at = problem.at?;
    if problem.what.starts_with("missing key") && at == map.at {
        return None;
    }
    map.as_map()?.iter().rposition(|(_, key_at, _)| *key_at <= at)
}

/// Puts the dotted path of the place before the text of a problem, `source.lateness: ...`, and
/// says in the words of the file what serde says in those of Rust.
pub(super) fn with_path(root: &Node, mut problem: Problem) -> Problem {
    let plain = match problem.expected.as_deref() {
        Some("a sequence") => Some("a list"),
        Some("a string") => Some("text"),
        Some("f64") => Some("a number"),
        Some("u64" | "i64") => Some("an integer"),
        _ => None,
    };
    problem.expected = plain.map(str::to_owned).or(problem.expected);
    let path = problem.at.map(|at| path(root, at)).unwrap_or_default();
    if problem.file.is_none() && !path.is_empty() {
        problem.what = format!("{path}: {}", problem.what);
    }
    problem
}

/// The path of the value at that place. A key belongs to the map in which it stands.
fn path(root: &Node, at: Position) -> String {
    let mut path = String::new();
    let mut node = root;
    loop {
        match &node.value {
            Value::Map(entries) => {
                let Some((key, _, value)) = entries.iter().rfind(|e| e.1 <= at) else {
                    return path;
                };
                if at < value.at {
                    return path;
                }
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                node = value;
            }
            Value::List(items) => {
                let Some(index) = items.iter().rposition(|item| item.at <= at) else {
                    return path;
                };
                write!(path, "[{index}]").expect("writing to a string");
                node = &items[index];
            }
            _ => return path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Section {
        a: i64,
        b: Inner,
        #[serde(default)]
        c: bool,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        x: i64,
    }

    fn problems(text: &str) -> Vec<String> {
        let node = Node::parse(text).unwrap();
        let mut problems = Vec::new();
        let section = section::<Section>(&node, &mut problems);
        assert_eq!(section.is_some(), problems.is_empty());
        problems.into_iter().map(|p| with_path(&node, p).to_string()).collect()
    }

    #[test]
    fn every_independent_mistake_is_reported_with_its_path() {
        assert_eq!(problems("a: 1\nb: {x: 2}"), [""; 0]);
        assert_eq!(
            problems("a: one\nb:\n  x: two\nd: 3\nc: 4"),
            [
                "1:4: a: wrong type: string \"one\"; expected an integer",
                "3:6: b.x: wrong type: string \"two\"; expected an integer",
                "4:1: unknown key `d`; expected one of `a`, `b`, `c`",
                "5:4: c: wrong type: integer `4`; expected a boolean",
            ]
        );
        assert_eq!(
            problems("a: one\nb: {}"),
            ["1:4: a: wrong type: string \"one\"; expected an integer", "2:4: b: missing key `x`"]
        );
        assert_eq!(problems("c: true"), ["1:1: missing key `a`"]);
    }

    #[test]
    fn a_path_names_items_of_lists_by_index() {
        let root = Node::parse("w:\n  - {over: 1h}\n  - over: 2h\n    of: x\n").unwrap();
        assert_eq!(path(&root, Position { line: 4, column: 9 }), "w[1].of");
        assert_eq!(path(&root, Position { line: 2, column: 12 }), "w[0].over");
    }
}
