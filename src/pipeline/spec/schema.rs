//! The JSON Schema of the pipeline file, made from the types and tables that read it, so that an
//! editor completes exactly what `check` accepts.

use super::{DeadLetter, Delivery, ExpectationsSpec, Limits, Output, Source};
use crate::{
    batch::Reason,
    clean, feature,
    registry::{self, Component},
    window,
};
use schemars::{
    Schema, SchemaGenerator, json_schema,
    transform::{RecursiveTransform, Transform},
};

/// The JSON Schema (draft 2020-12) of a pipeline file.
pub fn json_schema() -> Schema {
    let mut file = File { generator: SchemaGenerator::default() };
    let clean = file.steps(clean::OPERATORS, |options| options);
    let windows = file.embed("windows", window::spec_schema());
    let expectations = file.expectations();
    let features = file.features();
    let root = json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "millstream pipeline",
        "type": "object",
        "properties": {
            "pipeline": {
                "description": "Names the consumer group and the metrics.",
                "type": "string",
                "pattern": "^[a-z0-9-]{1,100}$"
            },
            "source": file.generator.subschema_for::<Source>(),
            "clean": {
                "description": "In order; each step sees what the one before left.",
                "type": "array",
                "items": clean
            },
            "expectations": expectations,
            "windows": {
                "description": "Kept per key; each row gets their values as of itself.",
                "type": "array",
                "items": windows
            },
            "features": {
                "description": "The vector, in this order.",
                "type": "array",
                "items": features,
                "minItems": 1
            },
            "output": file.generator.subschema_for::<Output>(),
            "dead_letter": file.generator.subschema_for::<DeadLetter>(),
            "outcomes": outcomes(),
            "limits": file.generator.subschema_for::<Limits>(),
            "delivery": file.generator.subschema_for::<Delivery>()
        },
        "required": ["pipeline", "source", "features", "output"],
        "additionalProperties": false
    });
    file.finish(root)
}

/// The JSON Schema (draft 2020-12) of a parameter file: of each component that has a column the options
/// that training learns, by the column or another name.
pub fn parameters_schema() -> Schema {
    let mut components = Schema::default();
    for component in feature::FEATURES {
        let mut options = (component.schema)();
        let Some(keys) = options.get_mut("properties").and_then(|keys| keys.as_object_mut()) else {
            continue;
        };
        // It is known by the feature that asks for the file; what is learned may be only a part.
        if keys.remove("column").is_none() {
            continue;
        }
        options.remove("required");
        options.remove("$schema");
        options.remove("title");
        options.insert("description".to_owned(), component.summary.into());
        let by_name = json_schema!({ "type": "object", "additionalProperties": options });
        components.insert(component.name.to_owned(), by_name.to_value());
    }
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "millstream parameters",
        "type": "object",
        "properties": {
            "millstream_parameters": { "const": 1, "description": "Version of the format." },
            "tool": {
                "description": "What wrote the file.",
                "type": "object",
                "properties": {
                    "name": { "type": "string" },
                    "version": { "type": "string" },
                    "of": {
                        "description": "The library that has fitted the parameters, with its version.",
                        "type": "string"
                    }
                },
                "required": ["name", "version"],
                "additionalProperties": false
            },
            "features": {
                "description": "Options by column, or by the name that `entry` gives, by component.",
                "type": "object",
                "properties": components,
                "additionalProperties": false
            }
        },
        "required": ["millstream_parameters", "tool", "features"],
        "additionalProperties": false
    })
}

struct File {
    generator: SchemaGenerator,
}

impl File {
    /// A step is a map of one component's name to its options, or what `written` makes of them.
    fn steps<B>(&mut self, table: &[Component<B>], written: impl Fn(Schema) -> Schema) -> Schema {
        let mut steps = json_schema!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false
        });
        let mut properties = Schema::default();
        for component in table {
            let mut options = self.embed(component.name, (component.schema)());
            options.insert("description".to_owned(), component.summary.into());
            properties.insert(component.name.to_owned(), written(options).to_value());
        }
        steps.insert("properties".to_owned(), properties.to_value());
        steps
    }

    /// A feature is a column, or a name with an SQL expression, or a component with its options.
    fn features(&mut self) -> Schema {
        let sql = json_schema!({ "type": "string", "description": "An SQL expression." });
        let mut named = self.steps(feature::FEATURES, |options| feature(&options, &sql));
        named.insert("additionalProperties".to_owned(), sql.to_value());
        let column = json_schema!({ "type": "string", "description": "A column." });
        json_schema!({ "anyOf": [column, named] })
    }

    /// The section of expectations, with what can be expected.
    fn expectations(&mut self) -> Schema {
        let mut section = self.embed("expectations", registry::schema_of::<ExpectationsSpec>());
        let expect = json_schema!({
            "description": "The expectations, in any order.",
            "type": "array",
            "items": window::expectation_schema(),
            "minItems": 1
        });
        let properties = section.pointer_mut("/properties").and_then(|p| p.as_object_mut());
        properties.expect("a map").insert("expect".to_owned(), expect.to_value());
        let required = section.pointer_mut("/required").and_then(|keys| keys.as_array_mut());
        required.expect("a list").push("expect".into());
        section
    }

    /// Moves the definitions of a schema to the file's, under names that cannot clash.
    fn embed(&mut self, owner: &str, mut schema: Schema) -> Schema {
        let rename = |name: &str| format!("{owner}.{name}");
        RecursiveTransform(|schema: &mut Schema| {
            let name = schema
                .get("$ref")
                .and_then(|target| target.as_str()?.strip_prefix("#/$defs/"))
                .map(rename);
            if let Some(name) = name {
                schema.insert("$ref".to_owned(), format!("#/$defs/{name}").into());
            }
        })
        .transform(&mut schema);
        schema.remove("$schema");
        schema.remove("title");
        let definitions = schema.remove("$defs");
        for (name, definition) in definitions.iter().filter_map(|d| d.as_object()).flatten() {
            self.generator.definitions_mut().insert(rename(name), definition.clone());
        }
        schema
    }

    fn finish(mut self, mut root: Schema) -> Schema {
        let definitions = self.generator.take_definitions(true);
        root.insert("$defs".to_owned(), definitions.into());
        root
    }
}

/// Under the name of a component stand its options, written out or, where they are of a column, in part
/// learned and in a file of their own; or an SQL expression that is called so.
fn feature(options: &Schema, sql: &Schema) -> Schema {
    let of_column = options.get("properties").is_some_and(|keys| keys.get("column").is_some());
    if !of_column {
        return json_schema!({ "anyOf": [options, sql] });
    }
    let learned = json_schema!({
        "type": "object",
        "properties": {
            "column": { "type": "string" },
            "from": { "type": "string", "description": "The path of a parameter file." },
            "entry": { "type": "string", "description": "The name there, if it is not the column." }
        },
        "required": ["column", "from"]
    });
    json_schema!({ "anyOf": [options, learned, sql] })
}

/// Each reason with the policies it may have.
fn outcomes() -> Schema {
    let mut outcomes = json_schema!({
        "description": "What happens to the records of each reason.",
        "type": "object",
        "additionalProperties": false
    });
    let mut properties = Schema::default();
    for reason in Reason::ALL {
        let policies: Vec<&str> = reason.allowed().iter().map(|policy| policy.name()).collect();
        let default = reason.default_policy().name();
        let policy = json_schema!({ "enum": policies, "default": default });
        properties.insert(reason.name().to_owned(), policy.to_value());
    }
    outcomes.insert("properties".to_owned(), properties.to_value());
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Node;

    const FILE: &str = r"
pipeline: card-risk
source:
  topics: [card.transactions]
  format: json
  schema: card.json
  key: [card_id]
  event_time: { column: ts, unit: ms }
  lateness: 1m
  max_ahead: off
  start: earliest
clean:
  - drop_duplicates: { by: [tx_id], within: 10m }
  - outlier: { column: amount, method: zscore, over: 24h, threshold: 4, min_count: 20, action: flag }
expectations:
  every: 1m
  expect:
    - { column: amount, null_rate: { max: 0.01 }, severity: halt }
    - { row: amount > 0, severity: reject }
windows:
  - { over: 1h, of: amount, compute: [count, { std: { ddof: 0 } }] }
features:
  - amount
  - ratio: amount / 2
  - one_hot: { column: category, values: [a], unknown: zeros }
  - standardize: { column: amount, from: parameters.json, entry: a, as: z }
  - vector: { columns: [z], type: float32, nulls: nan }
  - calendar: { column: ts, parts: [is_holiday], holidays: ch.csv }
output: { topic: card.features, format: json, nulls: nan, type: float32, hide: [z], headers: passthrough }
dead_letter: { topic: card.dlq }
outcomes: { late: keep }
limits: { record_bytes: 1MB }
delivery: at_least_once
";

    #[test]
    fn the_schema_of_parameters_accepts_what_is_read() {
        let schema = serde_json::to_value(parameters_schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let accepts = |features: &str| {
            let tool = r#""tool": { "name": "by hand", "version": "1" }"#;
            let text =
                format!(r#"{{ "millstream_parameters": 1, {tool}, "features": {features} }}"#);
            validator.is_valid(&serde_json::from_str(&text).unwrap())
        };
        assert!(accepts(r#"{ "standardize": { "amount": { "mean": 1, "std": 2.5 } } }"#));
        assert!(accepts(r#"{ "tfidf": { "text": { "vocabulary": { "fuel": 1.5 } } } }"#));
        assert!(!accepts(r#"{ "standardize": { "amount": { "maen": 1 } } }"#));
        assert!(!accepts(r#"{ "standardise": { "amount": { "mean": 1 } } }"#));
        assert!(!accepts(r#"{ "ratio": { "amount": { "near": 1 } } }"#), "it has no column");
    }

    fn accepts(text: &str) -> bool {
        let schema = serde_json::from_str(&serde_json::to_string(&json_schema()).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let file = Node::parse(text).unwrap().canonical();
        validator.is_valid(&serde_json::from_str(&file).unwrap())
    }

    #[test]
    fn the_schema_accepts_what_check_accepts_and_completes_components() {
        assert!(accepts(FILE));
        for (from, to) in [
            ("lateness", "latenes"),
            ("start: earliest", "start: first"),
            ("within: 10m", "wihtin: 10m"),
            ("outlier:", "outliers:"),
            ("over: 1h, of", "over: 1h, fo"),
            ("ddof: 0", "dof: 0"),
            ("values: [a]", "value: [a]"),
            ("late: keep", "invalid: keep"),
            ("nulls: nan,", "nulls: zero,"),
            ("type: float32,", "type: float16,"),
            ("every: 1m", "evry: 1m"),
            ("null_rate: { max", "null_rate: { mx"),
            ("severity: halt", "severity: stop"),
            ("row: amount > 0", "rows: amount > 0"),
        ] {
            assert!(FILE.contains(from), "{from}");
            assert!(!accepts(&FILE.replace(from, to)), "{to}");
        }
    }
}
