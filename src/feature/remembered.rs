//! Features that are told what `window` remembers for them.
//!
//! Before the windows are built, [`requests`] collects what the features of a list ask for; what
//! becomes of it is a column of the rows that only the feature itself can find.

use super::{
    Failed, Feature, Input, elapsed, find_number, haversine, maxabs, minmax, speed, standardize,
};
use crate::{
    aggregate::{Online, Request, Scaler, in_order},
    registry::{self, Node, Problem, schema_of},
};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use std::sync::Arc;

/// What a feature asks for, if anything, from its options.
type Ask = fn(&Node) -> Result<Option<Request>, Problem>;

/// The features that may ask.
const ASKING: &[(&str, Ask)] = &[
    ("standardize", standardize::ask),
    ("minmax", minmax::ask),
    ("maxabs", maxabs::ask),
    ("haversine", haversine::ask),
    ("speed", speed::ask),
    ("elapsed", elapsed::ask),
];

/// What the features of the list ask for, in the order in which it is kept. One that is wrong asks
/// for nothing: it is told of when the feature is built.
pub fn requests(specs: &[Node]) -> Vec<Request> {
    let asked = specs.iter().filter_map(|spec| {
        let Some([(name, _, options)]) = spec.as_map() else { return None };
        let (_, ask) = ASKING.iter().find(|(asking, _)| asking == name)?;
        options.as_map()?;
        ask(options).ok().flatten()
    });
    in_order(asked.collect())
}

/// Options of a scaler that learns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlineOptions {
    /// A column of numbers.
    column: String,
    /// How it learns; `{}` for the values of each key, all of the same weight.
    online: Online,
    /// Name of the output; as without `online` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// The JSON Schema of options that either have parameters or learn them: all keys of both, of which
/// both need the column.
pub(super) fn either<Given: JsonSchema, Learned: JsonSchema>() -> Schema {
    let (mut either, learned) = (schema_of::<Given>(), schema_of::<Learned>());
    let of = |schema: &Schema| schema.get("properties").and_then(|keys| keys.as_object().cloned());
    let all = of(&either).into_iter().chain(of(&learned));
    let mut properties = serde_json::Map::new();
    for (key, schema) in all.flatten() {
        properties.entry(key).or_insert(schema);
    }
    either.insert("properties".to_owned(), properties.into());
    either.insert("required".to_owned(), vec!["column"].into());
    either
}

/// A scaler that learns.
#[derive(Debug)]
pub(super) struct Learning {
    pub(super) column: String,
    pub(super) name: Option<String>,
    pub(super) request: Request,
}

impl Learning {
    /// The one that `node` describes, if it has `online`.
    pub(super) fn read(node: &Node, scaler: Scaler) -> Result<Option<Self>, Problem> {
        if node.get("online").is_none() {
            return Ok(None);
        }
        let OnlineOptions { column, online, name } = registry::options(node)?;
        let request = online.request(scaler, &column, node)?;
        Ok(Some(Self { column, name, request }))
    }

    /// The feature, called `{column}_{suffix}` unless it has a name. Null of null, and of too few
    /// values.
    pub(super) fn build(
        self,
        node: &Node,
        input: &Input<'_>,
        suffix: &str,
    ) -> Result<Box<dyn Feature>, Problem> {
        find_number(&self.column, input.schema, node.at("column"))?;
        let name = self.name.unwrap_or_else(|| format!("{}_{suffix}", self.column));
        told(node, input, &self.request, name)
    }
}

/// The feature of that name that is what `window` was asked for.
pub(super) fn told(
    node: &Node,
    input: &Input<'_>,
    request: &Request,
    name: String,
) -> Result<Box<dyn Feature>, Problem> {
    let index = request.find(input.rows, node)?;
    Ok(Box::new(Told { index, field: Arc::new(Field::new(name, DataType::Float64, true)) }))
}

#[derive(Debug)]
struct Told {
    index: usize,
    field: FieldRef,
}

impl Feature for Told {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        out.push(Arc::clone(rows.column(self.index)));
    }
}
