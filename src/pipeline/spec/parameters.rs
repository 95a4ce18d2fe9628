//! Parameters that training has learned, from a file of their own: `standardize: { column: amount,
//! from: parameters.json }`.
//!
//! The file is a versioned JSON document with the options of components by the column that they are
//! of, or by a name that `entry` beside `from` gives. They take the place of `from` before anything
//! else reads the options, so that the hash of the definition is taken of them as if they had been
//! written out.
//!
//! ```json
//! {
//!   "millstream_parameters": 1,
//!   "tool": { "name": "sklearn_params.py", "version": "1", "of": "scikit-learn 1.9.1" },
//!   "features": { "standardize": { "amount": { "mean": 42.5, "std": 17.0 } } }
//! }
//! ```

use super::holidays;
use crate::registry::{self, Node, Position, Problem, Value};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The key of the file's version, and the version that is read.
const VERSION_KEY: &str = "millstream_parameters";
const VERSION: i64 = 1;

/// The keys of a file.
const KEYS: [&str; 3] = [VERSION_KEY, "tool", "features"];

/// What wrote a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read strictly, so that every file says it; for people")]
struct Tool {
    name: String,
    version: String,
    /// The library that has fitted the parameters, with its version.
    of: Option<String>,
}

/// Reads a file by the name that stands in the pipeline file.
pub type ReadFile<'r> = dyn FnMut(&str) -> Result<String, String> + 'r;

/// Puts learned parameters in the place of each `from` of the features.
pub(super) fn fill(root: &mut Node, read: &mut ReadFile<'_>) -> Vec<Problem> {
    let Value::Map(sections) = &mut root.value else { return Vec::new() };
    let features = sections.iter_mut().find(|(key, ..)| key == "features");
    let Some(Node { value: Value::List(items), .. }) = features.map(|(.., node)| node) else {
        return Vec::new();
    };
    let mut files = Files { read, known: BTreeMap::new() };
    items.iter_mut().filter_map(|item| fill_feature(item, &mut files).err()).collect()
}

fn fill_feature(item: &mut Node, files: &mut Files<'_, '_>) -> Result<(), Problem> {
    let Value::Map(entries) = &mut item.value else { return Ok(()) };
    let [(component, _, Node { value: Value::Map(options), .. })] = entries.as_mut_slice() else {
        return Ok(());
    };
    holidays::fill(options, files.read)?;
    let Some(place) = options.iter().position(|(key, ..)| key == "from") else { return Ok(()) };
    let (_, _, from) = options.remove(place);
    let Some(name) = from.as_str() else {
        return Err(Problem::new(from.at, from.kind()).expected("the path of a parameter file"));
    };
    let entry = options.iter().position(|(key, ..)| key == "entry");
    let entry = entry.map(|place| options.remove(place).2);
    let column = options.iter().find(|(key, ..)| key == "column").map(|(.., node)| node);
    let Some(entry) = entry.as_ref().or(column).and_then(Node::as_str) else {
        return Err(Problem::new(from.at, "`from` without `column`")
            .expected("the column that the parameters were learned of"));
    };
    let learned = files.of(name, from.at)?.of(component, entry, name, from.at)?;
    for (key, mut value) in learned {
        if let Some((_, at, _)) = options.iter().find(|(known, ..)| *known == key) {
            return Err(Problem::new(*at, format!("`{key}` stands here and in `{name}`"))
                .expected("one of them"));
        }
        move_to(&mut value, from.at);
        options.push((key, from.at, value));
    }
    Ok(())
}

/// Lets a value stand where its file is named: that is where a complaint about it belongs.
fn move_to(node: &mut Node, at: Position) {
    node.at = at;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| move_to(item, at)),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, place, value)| {
            *place = at;
            move_to(value, at);
        }),
        _ => {}
    }
}

/// The files that were read, each once.
struct Files<'f, 'r> {
    read: &'f mut ReadFile<'r>,
    known: BTreeMap<String, Parameters>,
}

impl Files<'_, '_> {
    fn of(&mut self, name: &str, at: Position) -> Result<&Parameters, Problem> {
        if !self.known.contains_key(name) {
            let text = (self.read)(name).map_err(|error| {
                Problem::new(at, format!("cannot read the parameters `{name}`: {error}"))
                    .expected("the path of a parameter file, relative to this file")
            })?;
            let parameters = Parameters::parse(&text)
                .map_err(|problem| Problem::new(at, format!("in `{name}`: {problem}")))?;
            self.known.insert(name.to_owned(), parameters);
        }
        Ok(&self.known[name])
    }
}

/// The features of a parameter file: options by column by component.
struct Parameters(Node);

impl Parameters {
    fn parse(text: &str) -> Result<Self, Problem> {
        let mut root = Node::parse(text)?;
        let version = root.get(VERSION_KEY).map(|node| &node.value);
        if version != Some(&Value::Int(VERSION)) {
            return Err(Problem::new(root.at(VERSION_KEY), "no parameter file of this version")
                .expected(format!("`{VERSION_KEY}`: {VERSION}")));
        }
        let tool = root.get("tool").ok_or_else(|| {
            Problem::new(root.at, "missing key `tool`")
                .expected("the name and version of what wrote it")
        })?;
        registry::options::<Tool>(tool)?;
        let Value::Map(entries) = &mut root.value else {
            return Err(Problem::new(root.at, root.kind()).expected("a map"));
        };
        if let Some((key, at, _)) = entries.iter().find(|(key, ..)| !KEYS.contains(&key.as_str())) {
            return Err(
                Problem::new(*at, format!("unknown key `{key}`")).expected_one_of(key, KEYS)
            );
        }
        let features = entries.iter().position(|(key, ..)| key == "features");
        let features = features.map(|place| entries.swap_remove(place).2);
        let features = features.filter(|node| node.as_map().is_some());
        features.map(Self).ok_or_else(|| {
            Problem::new(root.at("features"), "no `features`")
                .expected("a map of component to column to options")
        })
    }

    /// The options of a component for a column, or those that stand under a name of their own, `entry`.
    fn of(
        &self,
        component: &str,
        column: &str,
        file: &str,
        at: Position,
    ) -> Result<Vec<(String, Node)>, Problem> {
        let names = |node: &Node| -> Vec<String> {
            node.as_map().unwrap_or_default().iter().map(|(name, ..)| name.clone()).collect()
        };
        let Some(columns) = self.0.get(component) else {
            return Err(Problem::new(at, format!("`{file}` has no parameters of `{component}`"))
                .expected_one_of(component, names(&self.0)));
        };
        let options = columns.get(column).ok_or_else(|| {
            let what = format!("`{file}` has no parameters of `{component}` for column `{column}`");
            Problem::new(at, what).expected_one_of(column, names(columns))
        })?;
        let Some(entries) = options.as_map() else {
            let what = format!("in `{file}`: `{component}` of `{column}`: {}", options.kind());
            return Err(Problem::new(at, what).expected("a map of options"));
        };
        Ok(entries.iter().map(|(key, _, value)| (key.clone(), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "millstream_parameters": 1,
        "tool": { "name": "by hand", "version": "1" },
        "features": {
            "standardize": {
                "amount": { "mean": 42.5, "std": 17 },
                "amount_2": { "mean": 1, "std": 2 }
            },
            "ordinal": { "category": { "values": ["fuel", "food"] } }
        }
    }"#;

    fn filled(features: &str, file: &str) -> Result<String, String> {
        let mut root = Node::parse(&format!("features: [{features}]")).unwrap();
        let mut read = |name: &str| match name {
            "p.json" => Ok(file.to_owned()),
            _ => Err("it is not there".to_owned()),
        };
        let problems = fill(&mut root, &mut read);
        match problems.first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(root.canonical()),
        }
    }

    #[test]
    fn what_was_learned_stands_as_if_it_had_been_written_out() {
        let from = "standardize: { column: amount, from: p.json, as: z }, ordinal: { column: \
                    category, from: p.json }, amount, x: amount + 1, standardize: { column: amount, \
                    from: p.json, entry: amount_2 }";
        let written = "standardize: { column: amount, as: z, mean: 42.5, std: 17 }, ordinal: { \
                       column: category, values: [fuel, food] }, amount, x: amount + 1, standardize: { \
                       column: amount, mean: 1, std: 2 }";
        assert_eq!(filled(from, FILE), filled(written, "nothing that is read"));
    }

    #[test]
    fn mistakes_say_where_the_file_is_named_and_what_is_wrong_with_it() {
        let complaint = |features: &str, file: &str| filled(features, file).unwrap_err();
        let standardize = "standardize: { column: amount, from: p.json }";
        assert_eq!(
            complaint("standardize: { column: amount, from: q.json }", FILE),
            "1:49: cannot read the parameters `q.json`: it is not there; expected the path of a \
             parameter file, relative to this file"
        );
        assert_eq!(
            complaint("standardize: { column: amuont, from: p.json }", FILE),
            "1:49: `p.json` has no parameters of `standardize` for column `amuont`; expected one of \
             `amount`, `amount_2`; did you mean `amount`?"
        );
        assert_eq!(
            complaint("minmax: { column: amount, from: p.json }", FILE),
            "1:44: `p.json` has no parameters of `minmax`; expected one of `standardize`, `ordinal`"
        );
        assert_eq!(
            complaint("standardize: { column: amount, mean: 1, from: p.json }", FILE),
            "1:43: `mean` stands here and in `p.json`; expected one of them"
        );
        assert_eq!(
            complaint("normalize: { columns: [amount], from: p.json }", FILE),
            "1:50: `from` without `column`; expected the column that the parameters were learned of"
        );
        let other = FILE.replace("\"millstream_parameters\": 1", "\"millstream_parameters\": 2");
        assert!(complaint(standardize, &other).contains("no parameter file of this version"));
        let other = FILE.replace("\"tool\"", "\"tol\"");
        assert!(complaint(standardize, &other).contains("missing key `tool`"));
        let other = FILE.replace("\"features\"", "\"faetures\"");
        let said = complaint(standardize, &other);
        assert!(said.contains("unknown key `faetures`") && said.contains("did you mean"), "{said}");
        assert!(complaint(standardize, "{").starts_with("1:49: in `p.json`: "));
    }
}
