//! What grows lives in tables: a component is a row of data with a name, one sentence, a working
//! example and a function that builds it from its options.
//!
//! Options arrive as a [`Node`], a YAML or JSON value that knows its line, so that every complaint
//! about them is a [`Problem`] that says where, what was expected and which valid name is nearest.

mod de;
mod node;
mod problem;
mod units;

pub use node::{Node, Value};
pub use problem::{Position, Problem, nearest};
pub use units::{ByteSize, Span, time_zone};

use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

/// A row of a component table. `B` is the table's own build function type.
#[derive(Debug, Clone, Copy)]
pub struct Component<B: 'static> {
    /// Name in the pipeline file.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Working options as YAML: what stands behind `name:`.
    pub example: &'static str,
    /// What it computes and by which formula or paper, and what null, NaN and too few values give;
    /// Markdown, for `docs/components.md`.
    pub details: &'static str,
    /// Bytes of state that it costs, of a key and of an event, in words; `none` without state.
    pub state: &'static str,
    /// JSON Schema of the options, for editors.
    pub schema: fn() -> schemars::Schema,
    /// Builds it from its options.
    pub build: B,
}

/// The component of that name, or a problem at `at` that lists what exists.
pub fn find<'t, B>(
    table: &'t [Component<B>],
    kind: &str,
    name: &str,
    at: Position,
) -> Result<&'t Component<B>, Problem> {
    table.iter().find(|c| c.name == name).ok_or_else(|| {
        Problem::new(at, format!("unknown {kind} `{name}`"))
            .expected_one_of(name, table.iter().map(|c| c.name))
    })
}

/// Reads the options of a component strictly: an unknown key or a wrong type is a problem that
/// says where.
pub fn options<T: DeserializeOwned>(node: &Node) -> Result<T, Problem> {
    T::deserialize(de::Reader::new(node))
}

/// The JSON Schema of an options type, for [`Component::schema`]: in one piece, so that it can stand
/// inside another one.
pub fn schema_of<T: schemars::JsonSchema>() -> schemars::Schema {
    let in_one_piece = |settings: &mut SchemaSettings| settings.inline_subschemas = true;
    SchemaSettings::default().with(in_one_piece).into_generator().into_root_schema_for::<T>()
}
