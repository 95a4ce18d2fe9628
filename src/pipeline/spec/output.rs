//! The sections behind the features: output, dead letters, limits, delivery.

use crate::{encode::DEAD_LETTER_PREFIX, registry::ByteSize};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor, value::SeqAccessDeserializer},
};
use std::{borrow::Cow, fmt};

/// Where vectors go and how they are written. `nulls` is read by the `feature` step.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Topic of the vectors.
    pub topic: String,
    /// Format of the vectors: see `millstream components`.
    pub format: String,
    /// Columns that go with the vector, before its features.
    #[serde(default)]
    pub carry: Vec<String>,
    /// What stands for a feature without a value: `null` (default), `nan`, a number, or `reject`.
    #[serde(default)]
    pub nulls: NullsSpec,
    /// Features that only other features are made of, and that do not leave.
    #[serde(default)]
    pub hide: Vec<String>,
    /// The type of features that are floats: `float64` (default) or `float32`.
    #[serde(default, rename = "type")]
    pub elements: ElementsSpec,
    /// Which headers of the input record go with its vector; `traceparent` always does.
    #[serde(default)]
    pub headers: HeadersSpec,
}

/// The type of features that are floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElementsSpec {
    /// 64 bits.
    #[default]
    Float64,
    /// 32 bits, the nearest number.
    Float32,
}

/// What stands for a feature without a value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum NullsSpec {
    /// A null.
    #[default]
    Null,
    /// Not a number; JSON writes it as null.
    Nan,
    /// A number.
    Constant(f64),
    /// The record is rejected `null_policy`.
    Reject,
}

impl<'de> Deserialize<'de> for NullsSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nulls;

        impl Visitor<'_> for Nulls {
            type Value = NullsSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`null`, `nan`, `reject` or a number")
            }

            fn visit_unit<E: de::Error>(self) -> Result<NullsSpec, E> {
                Ok(NullsSpec::Null)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NullsSpec, E> {
                match text {
                    "null" => Ok(NullsSpec::Null),
                    "nan" => Ok(NullsSpec::Nan),
                    "reject" => Ok(NullsSpec::Reject),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<NullsSpec, E> {
                Ok(NullsSpec::Constant(number as f64))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<NullsSpec, E> {
                Ok(if number.is_nan() { NullsSpec::Nan } else { NullsSpec::Constant(number) })
            }
        }
        deserializer.deserialize_any(Nulls)
    }
}

impl JsonSchema for NullsSpec {
    fn schema_name() -> Cow<'static, str> {
        "Nulls".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What stands for a feature without a value.",
            "anyOf": [{ "enum": ["null", "nan", "reject", null] }, { "type": "number" }]
        })
    }
}

/// Which headers of the input record go with its vector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HeadersSpec {
    /// None but `traceparent`.
    #[default]
    None,
    /// All, byte-identical and in order.
    Passthrough,
    /// Those of these names, and `traceparent`.
    Named(Vec<String>),
}

impl<'de> Deserialize<'de> for HeadersSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Headers;

        impl<'de> Visitor<'de> for Headers {
            type Value = HeadersSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`none`, `passthrough` or a list of names")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<HeadersSpec, E> {
                match text {
                    "none" => Ok(HeadersSpec::None),
                    "passthrough" => Ok(HeadersSpec::Passthrough),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<HeadersSpec, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(HeadersSpec::Named)
            }
        }
        deserializer.deserialize_any(Headers)
    }
}

impl JsonSchema for HeadersSpec {
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Which headers of the input record go with its vector.",
            "anyOf": [
                { "enum": ["none", "passthrough"] },
                { "type": "array", "items": { "type": "string" } }
            ]
        })
    }
}

/// Where rejected records go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    /// Topic of the rejected records.
    pub topic: String,
    /// What the names of the context headers begin with; Kafka Connect's `__connect.errors.` by
    /// default.
    #[serde(default = "connect_prefix")]
    pub prefix: String,
}

fn connect_prefix() -> String {
    DEAD_LETTER_PREFIX.to_owned()
}

/// Limits that decide outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Key, value and headers of a record together; above it is `oversize`.
    pub record_bytes: ByteSize,
    /// An encoded vector; above it is `encode`.
    pub vector_bytes: ByteSize,
    /// Keys with state in a partition, 1 or more; no limit by default. A key beyond it takes the
    /// place of the one whose last record has the oldest event time.
    pub state_keys: Option<u64>,
    /// State that a partition keeps by key, 1MiB or more; no limit by default. After every 4,096
    /// records that pass the gates the keys whose last record has the oldest event time give way
    /// until it is kept.
    pub state_bytes: Option<ByteSize>,
}

impl Limits {
    /// True if keys may have to give way to others.
    pub fn evicts(&self) -> bool {
        self.state_keys.is_some() || self.state_bytes.is_some()
    }
}

/// Both limits of the size of a message: below the 1 MiB that brokers accept by default.
const MESSAGE_BYTES: ByteSize = ByteSize(900 << 10);

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes: MESSAGE_BYTES,
            vector_bytes: MESSAGE_BYTES,
            state_keys: None,
            state_bytes: None,
        }
    }
}

/// What a restart may do to the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Nothing twice, nothing lost.
    #[default]
    ExactlyOnce,
    /// Nothing lost.
    AtLeastOnce,
}
