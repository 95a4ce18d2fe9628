//! `elapsed`: how long ago something was.

use super::{Build, Failed, Feature, Input, remembered::told, times::Times};
use crate::{
    aggregate::{Previous, Request},
    registry::{self, Component, Node, Problem, Span},
};
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "elapsed",
    summary: "Writes the seconds from a time in a column, or from the key's previous record, to the \
              record.",
    example: "{ column: at }",
    details: "Of a column: event time less that of the column, below 0 where that is later, null of \
              null; a date is its midnight, UTC. With `since: previous`: event time less that of the \
              key's previous record; 0 for equal times, null for the first record of a key and for \
              one that is behind the newest of its key, which later ones are not compared with \
              either. That is remembered by `window`, for ever or until `forget_after` has passed \
              without a record.",
    state: "16 bytes a key with `since: previous`, else none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `elapsed`: one of `column` and `since`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of timestamps or dates.
    column: Option<String>,
    /// `previous`: since the key's previous record.
    since: Option<Since>,
    /// With `since`: after which time without a record a key is begun anew, such as 30d. Never if
    /// not given.
    forget_after: Option<Span>,
    /// Name of the output; `{column}_elapsed` or `elapsed_previous` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Since {
    Previous,
}

/// What it has to be told.
pub(super) fn ask(node: &Node) -> Result<Option<Request>, Problem> {
    let Options { since, forget_after, .. } = registry::options(node)?;
    since.map(|Since::Previous| request(node, forget_after)).transpose()
}

fn request(node: &Node, forget_after: Option<Span>) -> Result<Request, Problem> {
    Previous::Elapsed.request(&[], forget_after, node)
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, since, forget_after, name } = registry::options(node)?;
    match (column, since) {
        (None, Some(Since::Previous)) => {
            let name = name.unwrap_or_else(|| "elapsed_previous".to_owned());
            told(node, input, &request(node, forget_after)?, name)
        }
        (Some(_), None) if forget_after.is_some() => {
            Err(Problem::new(node.at("forget_after"), "`forget_after` beside a column")
                .expected("`forget_after` with `since: previous`"))
        }
        (Some(column), None) => {
            let times = Times::find(&column, input, node.at("column"))?;
            let name = name.unwrap_or_else(|| format!("{column}_elapsed"));
            let field = Arc::new(Field::new(name, DataType::Float64, times.nullable()));
            Ok(Box::new(Elapsed { times, field }))
        }
        _ => Err(Problem::new(node.at, "`elapsed` since what")
            .expected("one of `column: opened_at` and `since: previous`")),
    }
}

#[derive(Debug)]
struct Elapsed {
    times: Times,
    field: FieldRef,
}

impl Feature for Elapsed {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let since = self.times.read(rows, event_times);
        let seconds =
            |(now, since): (&i64, Option<i64>)| Some(now.saturating_sub(since?) as f64 / 1e6);
        out.push(Arc::new(event_times.iter().zip(&since).map(seconds).collect::<Float64Array>()));
    }
}
