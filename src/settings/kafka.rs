//! The `kafka` section: brokers, librdkafka properties, secrets.

use super::layers::PROPERTY_MAPS;
use super::merged::{Merged, Writer};
use super::property::{self, Property};
use crate::registry::{Node, Position, Problem, Value};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Properties by name.
pub(super) type Properties = BTreeMap<String, Property>;

/// Brokers and client properties.
#[derive(Debug, Clone, Default)]
pub struct Kafka {
    /// Brokers to begin with, as `host:port,host:port`.
    pub bootstrap_servers: String,
    pub(super) common: Properties,
    pub(super) consumer: Properties,
    pub(super) producer: Properties,
}

impl Kafka {
    /// Properties of the consumer, brokers included; those of `consumer_properties` win.
    pub fn consumer_properties(&self) -> impl Iterator<Item = (String, Property)> + use<> {
        self.merged(&self.consumer).into_iter()
    }

    /// Properties of the producer, brokers included; those of `producer_properties` win.
    pub fn producer_properties(&self) -> impl Iterator<Item = (String, Property)> + use<> {
        self.merged(&self.producer).into_iter()
    }

    pub(super) fn merged(&self, own: &Properties) -> Properties {
        let mut all = self.common.clone();
        all.extend(own.clone());
        let brokers = "bootstrap.servers";
        all.insert(brokers.to_owned(), Property::new(brokers, self.bootstrap_servers.clone()));
        all
    }
}

/// Reads the maps of properties and the secrets.
pub(super) struct Reader<'a> {
    /// The merged settings.
    pub(super) merged: &'a Merged,
    /// All variables of the environment, for secrets that name one.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// `allow_literal_secrets`.
    pub(super) allow_literal_secrets: bool,
    /// What the daemon should say at start.
    pub(super) warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    /// Reads the section; `brokers` were read with the other scalars.
    pub(super) fn read(&mut self, brokers: String) -> Result<Kafka, Problem> {
        let mut kafka = Kafka { bootstrap_servers: brokers, ..Kafka::default() };
        let Some(section) = self.merged.root.get("kafka") else { return Ok(kafka) };
        let maps = [&mut kafka.common, &mut kafka.consumer, &mut kafka.producer];
        for (name, target) in PROPERTY_MAPS.into_iter().zip(maps) {
            for (key, at, value) in entries(section, name)? {
                target.insert(key.clone(), self.property(key, *at, value)?);
            }
        }
        for (key, at, value) in entries(section, "secrets")? {
            let secret = self.secret(key, *at, value)?;
            if kafka.common.insert(key.clone(), secret).is_some() {
                return Err(Problem::new(*at, "stands in `kafka.properties` too")
                    .expected("one place for it, better this one"));
            }
        }
        Ok(kafka)
    }

    fn property(&self, key: &str, at: Position, value: &Node) -> Result<Property, Problem> {
        refuse_owned(key, at)?;
        let literal = property::is_secret(key) && !self.allow_literal_secrets;
        // The environment is where secrets may come from; a file or a command line is not.
        let writer = self.merged.place(at).map(|place| &place.writer);
        if literal && !matches!(writer, Some(Writer::Environment(_))) {
            return Err(Problem::new(at, "a secret written out").expected(format!(
                "`kafka.secrets: {{ {key}: {{ file: PATH }} }}` or `{{ env: NAME }}`; \
                 `allow_literal_secrets: true` permits it",
            )));
        }
        let text = match &value.value {
            Value::String(text) => text.clone(),
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Map(_) => {
                return Err(Problem::new(at, "a map where a value belongs").expected(format!(
                    "the whole name of the property, such as `{key}.name: value`"
                )));
            }
            Value::Null | Value::List(_) => {
                return Err(Problem::new(at, "no text").expected("a value"));
            }
        };
        Ok(Property::new(key, text))
    }

    fn secret(&mut self, key: &str, at: Position, value: &Node) -> Result<Property, Problem> {
        refuse_owned(key, at)?;
        let expected = "exactly one of `file: PATH` and `env: NAME`";
        let wrong = || Problem::new(at, "not the source of a secret").expected(expected);
        let [(source, source_at, name)] = value.as_map().ok_or_else(wrong)? else {
            return Err(wrong());
        };
        let name = name.as_str().ok_or_else(wrong)?;
        let secret = match source.as_str() {
            "file" => self.secret_file(name, at)?,
            "env" => self.environment.get(name).cloned().ok_or_else(|| {
                Problem::new(at, format!("environment variable {name} is not set or not UTF-8"))
            })?,
            _ => {
                let problem = Problem::new(*source_at, format!("unknown key `{source}`"));
                return Err(problem.expected_one_of(source, ["file", "env"]));
            }
        };
        if secret.is_empty() {
            return Err(Problem::new(at, format!("the secret in {source} {name} is empty")));
        }
        Ok(Property::new(key, secret))
    }

    fn secret_file(&mut self, path: &str, at: Position) -> Result<String, Problem> {
        let failed = |error| Problem::new(at, format!("cannot read {path}: {error}"));
        let text = fs::read_to_string(path).map_err(failed)?;
        if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o007 != 0 {
            self.warnings.push(format!("secret file {path} is open to every user of the machine"));
        }
        // Editors and `echo` end a file with a newline that no password has.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }
}

/// The entries of the map `name`, none if it is absent. Its value is never repeated.
fn entries<'n>(section: &'n Node, name: &str) -> Result<&'n [(String, Position, Node)], Problem> {
    match section.get(name) {
        None => Ok(&[]),
        Some(node) => node
            .as_map()
            .ok_or_else(|| Problem::new(node.at, "wrong type").expected("a map of properties")),
    }
}

fn refuse_owned(key: &str, at: Position) -> Result<(), Problem> {
    match property::owned(key) {
        Some(instead) => Err(Problem::new(at, format!("cannot be set here: {instead}"))),
        None => Ok(()),
    }
}
