//! The layers of the settings: file, then environment, then `--set`, merged by the `config` crate.
//!
//! `config` knows which value wins but names neither line nor section when a key is wrong, so each
//! layer also notes where each of its keys stands; [`Merged`] puts that into every complaint.

use super::merged::{Merged, Places, Writer};
use crate::registry::{Node, Position, Problem, Value};
use config::{Config, ConfigError, Map, Source, ValueKind};
use std::collections::BTreeMap;
use std::fmt;

/// What environment variables of the settings begin with. Their sections are divided by `__`.
const PREFIX: &str = "MILLSTREAM__";

/// The maps under `kafka` whose keys are librdkafka's and so contain dots.
pub(super) const PROPERTY_MAPS: [&str; 3] =
    ["properties", "consumer_properties", "producer_properties"];

/// The layers, lowest first.
#[derive(Debug, Default)]
pub(super) struct Layers {
    layers: Vec<Layer>,
    places: Places,
}

impl Layers {
    /// Adds the text of a settings file.
    pub(super) fn add_file(&mut self, name: &str, text: &str) -> Result<(), Problem> {
        // All defaults, each as a comment, is a good settings file and an empty document.
        if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
            return Ok(());
        }
        let node = Node::parse(text).map_err(|problem| problem.in_file(name))?;
        let Some(entries) = node.as_map() else {
            let problem = Problem::new(node.at, node.kind()).expected("a map of settings");
            return Err(problem.in_file(name));
        };
        // `config` reads a dot or a bracket in a key of the first level as a path.
        let plain = |key: &str| key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
        if let Some((key, at, _)) = entries.iter().find(|entry| !plain(&entry.0)) {
            let problem = Problem::new(*at, format!("unknown key `{key}`"));
            return Err(problem.expected("the name of a setting or section").in_file(name));
        }
        self.note(&Writer::File(name.to_owned()), entries, &mut Vec::new());
        if let ValueKind::Table(table) = kind(&node.value) {
            self.layers.push(Layer(table));
        }
        Ok(())
    }

    /// Adds what the environment says, in order of name; other variables are not looked at.
    pub(super) fn add_environment(&mut self, environment: &BTreeMap<String, String>) {
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(PREFIX) {
                let writer = Writer::Environment(name.clone());
                self.add_assignment(writer, environment_path(key), value);
            }
        }
    }

    /// Adds `key=value` of the command line.
    pub(super) fn add_set(&mut self, assignment: &str) -> Result<(), Problem> {
        let Some((key, value)) = assignment.split_once('=') else {
            // The text is not repeated: it may be a secret whose key was forgotten.
            return Err(Problem::nowhere("--set without `=`")
                .expected("KEY=VALUE such as kafka.bootstrap_servers=localhost:9092"));
        };
        self.add_assignment(Writer::Set(key.to_owned()), set_path(key), value);
        Ok(())
    }

    fn add_assignment(&mut self, writer: Writer, path: Vec<String>, text: &str) {
        let mut value = ValueKind::String(text.to_owned());
        for key in path.iter().skip(1).rev() {
            let inner = config::Value::new(None, value);
            value = ValueKind::Table(Map::from([(key.clone(), inner)]));
        }
        let first = path[0].clone();
        self.layers.push(Layer(Map::from([(first, config::Value::new(None, value))])));
        for length in 1..path.len() {
            let section = path[..length].to_vec();
            self.places.entry(section).or_insert_with(|| (writer.clone(), None));
        }
        self.places.insert(path, (writer, None));
    }

    fn note(
        &mut self,
        writer: &Writer,
        entries: &[(String, Position, Node)],
        path: &mut Vec<String>,
    ) {
        for (key, at, value) in entries {
            path.push(key.clone());
            self.places.insert(path.clone(), (writer.clone(), Some(*at)));
            if let Some(inner) = value.as_map() {
                self.note(writer, inner, path);
            }
            path.pop();
        }
    }

    /// Merges the layers.
    pub(super) fn merge(self) -> Result<Merged, Problem> {
        let mut builder = Config::builder();
        for layer in self.layers {
            builder = builder.add_source(layer);
        }
        // Nothing of the error is repeated: it may quote a value.
        let failed = |_: ConfigError| Problem::nowhere("the settings cannot be merged");
        let table = builder.build().and_then(|config| config.collect()).map_err(failed)?;
        Ok(Merged::new(table, &self.places))
    }
}

/// One layer as `config` wants it: a table it sets value by value.
#[derive(Clone)]
struct Layer(Map<String, config::Value>);

/// Says nothing of the values: secrets are among them.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").finish_non_exhaustive()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn kind(value: &Value) -> ValueKind {
    let wrap = |value: &Value| config::Value::new(None, kind(value));
    match value {
        Value::Null => ValueKind::Nil,
        Value::Bool(b) => ValueKind::Boolean(*b),
        Value::Int(i) => ValueKind::I64(*i),
        Value::Float(x) => ValueKind::Float(*x),
        Value::String(s) => ValueKind::String(s.clone()),
        Value::List(items) => ValueKind::Array(items.iter().map(|n| wrap(&n.value)).collect()),
        Value::Map(entries) => {
            ValueKind::Table(entries.iter().map(|(k, _, n)| (k.clone(), wrap(&n.value))).collect())
        }
    }
}

/// `KAFKA__PROPERTIES__SASL_MECHANISM` is `kafka`, `properties`, `sasl.mechanism`.
fn environment_path(key: &str) -> Vec<String> {
    let mut path: Vec<String> = key.to_lowercase().split("__").map(str::to_owned).collect();
    if let [section, map, name, ..] = path.as_mut_slice()
        && section == "kafka"
        && (map == "secrets" || PROPERTY_MAPS.contains(&map.as_str()))
        // The only property of librdkafka that is written with an underscore.
        && name != "log_level"
    {
        *name = name.replace('_', ".");
    }
    path
}

/// `kafka.properties.sasl.mechanism` is `kafka`, `properties`, `sasl.mechanism`.
fn set_path(key: &str) -> Vec<String> {
    let path: Vec<&str> = key.split('.').collect();
    match path.as_slice() {
        ["kafka", map, name @ ..] if PROPERTY_MAPS.contains(map) && !name.is_empty() => {
            vec!["kafka".to_owned(), (*map).to_owned(), name.join(".")]
        }
        ["kafka", "secrets", name @ .., last] if !name.is_empty() => {
            vec!["kafka".to_owned(), "secrets".to_owned(), name.join("."), (*last).to_owned()]
        }
        _ => path.into_iter().map(str::to_owned).collect(),
    }
}
