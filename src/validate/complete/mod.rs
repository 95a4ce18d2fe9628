//! The complete validator: a whole JSON Schema on a record's own bytes.
//!
//! The only module that builds JSON values. It judges what columns cannot, record by record.

use crate::{
    registry::{Node, Position, Problem},
    schema::{Kind, Object, RecordSchema, time},
};
use jsonschema::{Retrieve, Uri, ValidationError, Validator, paths::LocationSegment};
use serde_json::Value;
use std::error::Error;

/// Where the schema stands, as its own relative references see it.
const BASE: &str = "file:///";

/// A schema, compiled once.
#[derive(Debug)]
pub(super) struct Complete {
    validator: Validator,
    /// The declared fields: the only names that a message says.
    root: Object,
}

impl Complete {
    /// Compiles the schema: formats are judged, references reach the files that were read with it.
    pub(super) fn build(schema: &RecordSchema) -> Result<Self, Problem> {
        let text = schema.complete_text();
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let at = Position { line: error.line(), column: error.column() };
            Problem::new(at, "the schema is not JSON").expected(reason(&error))
        })?;
        let bases = [Some(BASE), folder(&value)].into_iter().flatten();
        let mut files = Vec::new();
        for base in bases {
            for (name, text) in schema.files() {
                files.push((format!("{base}{name}"), text.map_err(str::to_owned).and_then(read)));
            }
        }
        let validator = jsonschema::options()
            .with_base_uri(format!("{BASE}.schema"))
            .should_validate_formats(true)
            // The crate's own (0.60.2) take `0,` for a number of two digits.
            .with_format("date", |text: &str| time::date(text.as_bytes()).is_some())
            .with_format("date-time", |text: &str| time::date_time(text.as_bytes()).is_some())
            .with_retriever(Files(files))
            .build(&value)
            .map_err(|error| problem(text, &error))?;
        Ok(Self { validator, root: schema.root().clone() })
    }

    /// Judges a record's value. The complaint names a declared field and a keyword, never a value.
    pub(super) fn judge(&self, value: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(value)
            .map_err(|_| "expected JSON as the complete validator reads it".to_owned())?;
        self.validator.validate(&value).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &ValidationError<'_>) -> String {
        let mut object = Some(&self.root);
        let mut name = None;
        for segment in error.instance_path() {
            let LocationSegment::Property(key) = segment else { break };
            let field = object.and_then(|o| o.fields.iter().find(|f| f.key == *key));
            let Some(field) = field else { break };
            name = Some(&field.name);
            object = match &field.shape.kind {
                Kind::Object(inner) => Some(inner),
                _ => None,
            };
        }
        let keyword = error.kind().keyword();
        match name {
            Some(name) => format!("`{name}`: does not satisfy `{keyword}`"),
            None => format!("the record does not satisfy `{keyword}`"),
        }
    }
}

/// The files that came with the schema, by URI. There is no other source.
struct Files(Vec<(String, Result<Value, String>)>);

impl Retrieve for Files {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        match self.0.iter().find(|(known, _)| known == uri.as_str()) {
            Some((_, Ok(value))) => Ok(value.clone()),
            Some((_, Err(why))) => Err(format!("{uri}: {why}").into()),
            None => {
                Err(format!("{uri} is neither in the schema nor a file below its folder").into())
            }
        }
    }
}

fn read(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// The folder of the schema's `$id`, which its relative references start from if it has one.
fn folder(schema: &Value) -> Option<&str> {
    let id = schema.get("$id")?.as_str()?;
    let end = id.rfind('/')? + 1;
    id.get(..end)
}

/// What was expected, from an error text such as `expected value at line 1 column 2`.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    what.strip_prefix("expected ").unwrap_or(what).to_owned()
}

/// A schema that JSON Schema does not allow, at the place that it complains about.
fn problem(text: &str, error: &ValidationError<'_>) -> Problem {
    let mut node = Node::parse(text).ok();
    for segment in error.instance_path() {
        let next = node.as_ref().and_then(|n| match &segment {
            LocationSegment::Property(key) => n.get(key),
            LocationSegment::Index(index) => n.as_list().and_then(|items| items.get(*index)),
        });
        let Some(next) = next.cloned() else { break };
        node = Some(next);
    }
    let at = node.map(|n| n.at).unwrap_or_default();
    Problem::new(at, format!("not a JSON Schema: {error}"))
}

#[cfg(test)]
mod tests;
