//! The `source` section: what is read, who the entity is, and how event time moves.

use crate::registry::Span;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};
use std::{borrow::Cow, fmt};

/// What is read, who the entity is, and how event time moves.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Topics to read. Each (topic, partition) is a fold of its own; topics share no state.
    pub topics: Vec<String>,
    /// Format of the record values: see `millstream components`.
    pub format: String,
    /// The JSON Schema of a record, relative to this file.
    pub schema: String,
    /// The entity: a column, or a list of columns. Windows are kept per key.
    pub key: KeyColumns,
    /// Where event time comes from: a column with its unit, or `kafka` for the record's timestamp.
    pub event_time: EventTimeSpec,
    /// The watermark of a partition is its highest event time minus this.
    pub lateness: Span,
    /// A record further ahead of its Kafka timestamp than this is `future`; 1h by default.
    #[serde(default = "Bound::one_hour")]
    pub max_ahead: Bound,
    /// A record further ahead of the watermark than this is `future` until 20 came in a row.
    #[serde(default)]
    pub max_jump: Bound,
    /// How the producers chose the partition; records that lie elsewhere are `misplaced`.
    pub partitioner: Option<Partitioner>,
    /// Order in which records reach the steps: `arrival`, as they lie in the log, or `event_time`,
    /// held until the watermark has passed them and released by event time, then offset.
    #[serde(default)]
    pub order: Order,
    /// With `order: event_time`: records of one key and one event time see each other, as the peers
    /// of SQL's RANGE do; `closed: both` is then `RANGE BETWEEN .. PRECEDING AND CURRENT ROW`.
    #[serde(default)]
    pub peers: bool,
    /// With `order: event_time`: how long a partition may be without records before those it holds
    /// are released; 5m by default, from 1s, or `off`.
    pub idle_timeout: Option<Bound>,
    /// Limit of the records held with `order: event_time`.
    pub hold: Option<Hold>,
    /// Where a group without committed offsets starts.
    pub start: Start,
    /// What to do when a committed offset lies outside the log.
    #[serde(default)]
    pub out_of_range: OutOfRange,
    /// Header names to expose as columns `kafka_header_<name>`.
    #[serde(default)]
    pub headers: Vec<String>,
}

/// Records of a partition held at most where the file says nothing.
const MAX_HELD: u64 = 1_000_000;

/// `idle_timeout` where the file says nothing, microseconds.
const IDLE_US: i64 = 300_000_000;

impl Source {
    /// How many records of a partition may be held; none in order of arrival, which holds none.
    pub fn max_held(&self) -> Option<u64> {
        let stated = self.hold.map_or(MAX_HELD, |hold| hold.max_records);
        (self.order == Order::EventTime).then_some(stated)
    }

    /// How long a partition may be without records before those it holds are released,
    /// microseconds; none where that is off or nothing is held.
    pub fn idle_us(&self) -> Option<i64> {
        let stated = self.idle_timeout.map_or(Some(IDLE_US), Bound::us);
        stated.filter(|_| self.order == Order::EventTime)
    }
}

/// One column or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumns(pub Vec<String>);

impl<'de> Deserialize<'de> for KeyColumns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;

        impl<'de> Visitor<'de> for Columns {
            type Value = KeyColumns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a column, or a list of columns")
            }

            fn visit_str<E: de::Error>(self, column: &str) -> Result<KeyColumns, E> {
                Ok(KeyColumns(vec![column.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<KeyColumns, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(KeyColumns)
            }
        }
        deserializer.deserialize_any(Columns)
    }
}

impl JsonSchema for KeyColumns {
    fn schema_name() -> Cow<'static, str> {
        "KeyColumns".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A column, or a list of columns.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 }
            ]
        })
    }
}

/// Where event time comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventTimeSpec {
    /// The record's Kafka timestamp.
    Kafka,
    /// A column.
    Column(EventTimeColumn),
}

/// The column that holds event time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTimeColumn {
    /// Column of the record.
    pub column: String,
    /// `s`, `ms`, `us` or `ns` since the epoch, `rfc3339`, or a strptime format such as
    /// `%Y-%m-%d %H:%M:%S`. Not needed where the column is a timestamp.
    pub unit: Option<String>,
}

impl<'de> Deserialize<'de> for EventTimeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spec;

        impl<'de> Visitor<'de> for Spec {
            type Value = EventTimeSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`kafka`, or a column with its unit: { column: ts, unit: ms }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<EventTimeSpec, E> {
                if text == "kafka" {
                    return Ok(EventTimeSpec::Kafka);
                }
                Err(E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<EventTimeSpec, A::Error> {
                EventTimeColumn::deserialize(MapAccessDeserializer::new(map))
                    .map(EventTimeSpec::Column)
            }
        }
        deserializer.deserialize_any(Spec)
    }
}

impl JsonSchema for EventTimeSpec {
    fn schema_name() -> Cow<'static, str> {
        "EventTime".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let column = generator.subschema_for::<EventTimeColumn>();
        schemars::json_schema!({
            "description": "The Kafka timestamp, or a column with its unit.",
            "anyOf": [{ "const": "kafka" }, column]
        })
    }
}

/// A duration, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bound(pub Option<Span>);

impl Bound {
    fn one_hour() -> Self {
        Self(Some(Span { us: 3_600_000_000 }))
    }

    /// Microseconds, none if off.
    pub fn us(self) -> Option<i64> {
        self.0.map(|span| span.us)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(span) => span.fmt(f),
            None => f.write_str("off"),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self(None));
        }
        Span::parse(&text).map(|span| Self(Some(span))).ok_or_else(|| {
            de::Error::invalid_value(
                de::Unexpected::Str(&text),
                &"`off`, or a duration such as 90s, 1h or 7d (units us ms s m h d w)",
            )
        })
    }
}

impl JsonSchema for Bound {
    fn schema_name() -> Cow<'static, str> {
        "Bound".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let span = generator.subschema_for::<Span>();
        schemars::json_schema!({
            "description": "A duration, or off.",
            "anyOf": [{ "const": "off" }, span]
        })
    }
}

/// How a producer chooses the partition of a record from its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Partitioner {
    /// The Java client, Kafka Streams, Flink.
    Murmur2,
    /// librdkafka's default: kcat, Python, Go.
    Crc32,
    /// Sarama.
    Fnv1a,
}

/// Order in which records reach the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As they lie in the log.
    #[default]
    Arrival,
    /// Held until the watermark has passed them, then by event time and offset.
    EventTime,
}

/// Limits of held records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Records per partition, 1,000,000 by default; beyond it those of the lowest event time are
    /// released, and the watermark is raised right behind them.
    pub max_records: u64,
}

/// Where a group without committed offsets starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// At the oldest record of the log.
    Earliest,
    /// After the newest.
    Latest,
}

/// What to do when a committed offset lies outside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutOfRange {
    /// The partition stops with an error.
    #[default]
    Stop,
    /// Goes on at the oldest record.
    Earliest,
    /// Goes on after the newest.
    Latest,
}
