//! Features: the columns of the vector, computed from one row at a time.
//!
//! An item of the list is a column (`amount`), an SQL expression under a name
//! (`ratio: amount / mean`) or a component of [`FEATURES`] (`one_hot: {..}`). Each sees the columns of
//! the rows and the features before it. Nothing here remembers: what does is
//! asked of `window` by [`requests`], and told to the feature as a column.
//!
//! To add a component: write `feature/<name>.rs` with a `COMPONENT`, then add its two lines here.

mod binary;
mod bins;
mod calendar;
mod clip;
mod cyclic;
mod elapsed;
mod geo_cells;
mod hashing;
mod haversine;
mod impute;
mod log1p;
mod mapped;
mod maxabs;
mod minmax;
mod normalize;
mod one_hot;
mod ordinal;
mod polynomial;
mod power;
mod quantile_transform;
mod ratio;
mod robust;
mod speed;
mod spline;
mod standardize;
mod text;
mod thermometer;
mod vector;

// What features are made of.
mod categories;
mod column;
mod elements;
mod list;
mod nulls;
mod remembered;
mod scaled;
mod sql;
mod times;
#[cfg(test)]
mod tests;

pub use crate::expression::function_names;
pub use elements::Elements;
pub use list::Features;
pub use nulls::Nulls;
pub use remembered::requests;

use crate::{
    batch::Reason,
    registry::{self, Component, Node, Position, Problem, Value},
};
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    compute::cast,
    datatypes::{DataType, FieldRef, Schema, SchemaRef},
};
use std::fmt::Debug;

/// All feature components.
pub const FEATURES: &[Component<Build>] = &[
    impute::COMPONENT,
    impute::IS_MISSING,
    one_hot::COMPONENT,
    ordinal::COMPONENT,
    binary::COMPONENT,
    thermometer::COMPONENT,
    mapped::TARGET,
    mapped::FREQUENCY,
    hashing::COMPONENT,
    cyclic::COMPONENT,
    calendar::COMPONENT,
    bins::COMPONENT,
    spline::COMPONENT,
    standardize::COMPONENT,
    minmax::COMPONENT,
    maxabs::COMPONENT,
    robust::COMPONENT,
    power::COMPONENT,
    quantile_transform::COMPONENT,
    log1p::COMPONENT,
    clip::COMPONENT,
    normalize::COMPONENT,
    polynomial::COMPONENT,
    ratio::COMPONENT,
    haversine::COMPONENT,
    speed::COMPONENT,
    elapsed::COMPONENT,
    geo_cells::GEOHASH,
    geo_cells::H3,
    text::LENGTH,
    text::TOKENS,
    text::HASHING,
    text::TFIDF,
    vector::COMPONENT,
];

/// Builds a component from its options.
pub type Build = fn(&Node, &Input<'_>) -> Result<Box<dyn Feature>, Problem>;

/// Index of the column that holds the event time; none if it is the Kafka timestamp.
pub type EventTimeColumn = Option<usize>;

/// What a component may know when it is built.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The columns of the rows, and the features before it where it asks for one.
    pub schema: &'a SchemaRef,
    /// The same, and behind them those that features have asked `window` for.
    pub rows: &'a SchemaRef,
    /// The column that holds the event time.
    pub event_time: EventTimeColumn,
}

/// One item of the list: some columns of the vector, each row's from that row alone.
pub trait Feature: Send + Debug {
    /// Names and types of its columns.
    fn fields(&self) -> Vec<FieldRef>;

    /// Appends one array per field to `out`, and to `failed` the rows that have no value and why;
    /// these are null. `event_times` are microseconds, one per row.
    fn advance(
        &self,
        rows: &RecordBatch,
        event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        failed: &mut Vec<Failed>,
    );
}

/// A row that does not become a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Index of the row in the batch.
    pub row: usize,
    /// `expression` or `null_policy`.
    pub reason: Reason,
    /// Which feature and what was expected; never a value.
    pub detail: String,
}

/// The features of a batch.
#[derive(Debug)]
pub struct Vectors {
    /// One column per feature, one row per input row.
    pub columns: RecordBatch,
    /// The rows that do not become vectors, ascending, each once: its first complaint.
    pub failed: Vec<Failed>,
}

fn build_item(spec: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let (name, at, options) = match &spec.value {
        Value::String(name) => return column::build(name, spec.at, input),
        Value::Map(entries) if entries.len() == 1 => &entries[0],
        Value::Map(_) => {
            return Err(Problem::new(spec.at, "a feature with several names")
                .expected("one list item per feature"));
        }
        _ => return Err(Problem::new(spec.at, spec.kind()).expected("a column or `name: ..`")),
    };
    match &options.value {
        Value::String(text) => sql::build(name, text, options.at, input),
        Value::Map(_) => (registry::find(FEATURES, "feature", name, *at)?.build)(options, input),
        _ => Err(Problem::new(options.at, options.kind())
            .expected("an SQL expression as text, or the options of a feature")),
    }
}

/// The index of a column, or a problem that lists the columns.
fn find_column(name: &str, schema: &Schema, at: Position) -> Result<usize, Problem> {
    schema.index_of(name).map_err(|_| {
        Problem::new(at, format!("unknown column `{name}`"))
            .expected_one_of(name, schema.fields().iter().map(|f| f.name()))
    })
}

/// The index of a numeric column.
fn find_number(name: &str, schema: &Schema, at: Position) -> Result<usize, Problem> {
    let index = find_column(name, schema, at)?;
    let data_type = schema.field(index).data_type();
    if data_type.is_numeric() {
        return Ok(index);
    }
    Err(Problem::new(at, format!("column `{name}` is of type {data_type}"))
        .expected("a column of numbers"))
}

/// The column as floats; integers beyond 2^53 round to the nearest.
fn floats(rows: &RecordBatch, index: usize) -> Float64Array {
    let values = cast(rows.column(index), &DataType::Float64).expect("checked when it was built");
    arrow::array::AsArray::as_primitive(&values).clone()
}
