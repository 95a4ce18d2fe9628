//! The `kafka` section: brokers, librdkafka properties, secrets.

use super::layers::PROPERTY_MAPS;
use super::merged::{Merged, Writer};
use super::property::{self, Property};
use super::secret::Sources;
use crate::registry::{Node, Position, Problem, Value};
use std::collections::BTreeMap;

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
    /// Where secrets may come from.
    pub(super) sources: Sources<'a>,
    /// `allow_literal_secrets`.
    pub(super) allow_literal_secrets: bool,
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
            refuse_owned(key, *at)?;
            let secret = Property::new(key, self.sources.read(*at, value)?);
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
        if value.as_map().is_some() {
            return Err(Problem::new(at, "a map where a value belongs")
                .expected(format!("the whole name of the property, such as `{key}.name: value`")));
        }
        let text = scalar_text(at, value)?;
        Ok(Property::new(key, text))
    }
}

/// The entries of the map `name`, none if it is absent. Its value is never repeated.
pub(super) fn entries<'n>(
    section: &'n Node,
    name: &str,
) -> Result<&'n [(String, Position, Node)], Problem> {
    match section.get(name) {
        None => Ok(&[]),
        Some(node) => node
            .as_map()
            .ok_or_else(|| Problem::new(node.at, "wrong type").expected("a map of properties")),
    }
}

/// The text of a scalar. What stands there instead is never repeated.
pub(super) fn scalar_text(at: Position, value: &Node) -> Result<String, Problem> {
    match &value.value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(b) => Ok(b.to_string()),
        Value::Int(i) => Ok(i.to_string()),
        Value::Float(x) => Ok(x.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => {
            Err(Problem::new(at, "no text").expected("a value"))
        }
    }
}

fn refuse_owned(key: &str, at: Position) -> Result<(), Problem> {
    match property::owned(key) {
        Some(instead) => Err(Problem::new(at, format!("cannot be set here: {instead}"))),
        None => Ok(()),
    }
}
