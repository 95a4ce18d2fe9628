//! Aggregates over windows, and the per-key event buffer they are computed from.
//!
//! A window's events are summed up once per record, in one [`Summary`]; an [`Aggregate`] turns the
//! summaries of a batch into a column with one call. [`EventBuffer`] finds the summary of any
//! range of its events: whole subtrees by what they know of themselves, so that ten thousand
//! events cost about what ten do.
//!
//! To add an aggregate: write `aggregate/<name>.rs` with a `COMPONENT`, then add it to
//! [`AGGREGATES`]. What needs more than a summary plugs in beside it: an aggregate of all values
//! (median) declares a need that hands it the window's range, to be read in event order from the
//! leaves; one with state of its own (ewma) declares a state by slot, folded in offset order. Both
//! are one more flag in [`Needs`] and one more field of [`Frame`].

mod buffer;
mod leaf;
mod moments;
mod node;
mod place;
mod pool;
mod saved;
mod summary;
mod text;
mod trunk;
mod value;

mod count;
mod sum;
mod mean;
mod std_dev;
mod min;
mod max;
mod first;
mod last;
mod time_since_last;

pub use buffer::{EventBuffer, Retention};
pub use leaf::Event;
pub use place::Place;
pub use pool::Pool;
pub use saved::{SavedBuffers, restore_buffers};
pub use summary::{Needs, Summary};
pub use text::{Symbols, Texts};
pub use value::{Kind, float_key, key_range, read_keys};

use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, Float64Array, StringArray},
    datatypes::DataType,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt::Debug, sync::Arc};

/// Builds an aggregate from its options.
pub type Build = fn(&Node) -> Result<Box<dyn Aggregate>, Problem>;

/// All aggregates.
pub const AGGREGATES: &[Component<Build>] = &[
    count::COMPONENT,
    sum::COMPONENT,
    mean::COMPONENT,
    std_dev::COMPONENT,
    min::COMPONENT,
    max::COMPONENT,
    first::COMPONENT,
    last::COMPONENT,
    time_since_last::COMPONENT,
];

/// Turns what is known of a window at each record into a column.
pub trait Aggregate: Send + Debug {
    /// The column it makes of values of type `input`, of mere events where there is none; or what
    /// it takes instead, as the end of a sentence.
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str>;
    /// What it has to know.
    fn needs(&self) -> Needs;
    /// One value per summary.
    fn column(&self, frame: &Frame<'_>) -> ArrayRef;
}

/// Type of a computed column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its type.
    pub data_type: DataType,
    /// False if there is always a value.
    pub nullable: bool,
}

/// One window at every record of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// What is known, one entry per record.
    pub summaries: &'a [Summary],
    /// Type of the aggregated column.
    pub input: Option<&'a DataType>,
    /// What the first and last values of a text column refer to.
    pub texts: &'a Texts,
}

/// Options of an aggregate that has none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

const NUMBERS: &str = "a numeric or boolean column";
const ORDERED: &str = "a numeric, boolean, date or timestamp column";
const VALUES: &str = "a numeric, boolean, date, timestamp or string column";

/// An output of floats, from numbers only.
fn float_of_numbers(input: Option<&DataType>, nullable: bool) -> Result<Output, &'static str> {
    let number = |t: &DataType| t.is_integer() || is_float(t) || *t == DataType::Boolean;
    match input {
        Some(data_type) if number(data_type) => {
            Ok(Output { data_type: DataType::Float64, nullable })
        }
        _ => Err(NUMBERS),
    }
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// An output of the input's own type, if that has an order.
fn same_if_ordered(input: Option<&DataType>) -> Result<Output, &'static str> {
    match input {
        Some(t) if Kind::of(t).is_some_and(|kind| kind != Kind::Text) => {
            Ok(Output { data_type: t.clone(), nullable: true })
        }
        _ => Err(ORDERED),
    }
}

/// An output of the input's own type.
fn same(input: Option<&DataType>) -> Result<Output, &'static str> {
    let known = input.filter(|t| Kind::of(t).is_some()).ok_or(VALUES)?;
    Ok(Output { data_type: known.clone(), nullable: true })
}

/// A column of floats, one per summary.
fn floats(frame: &Frame<'_>, value: impl Fn(&Summary) -> Option<f64>) -> ArrayRef {
    Arc::new(frame.summaries.iter().map(value).collect::<Float64Array>())
}

/// A column of the input's type from one key of each summary that has events.
fn own_type(frame: &Frame<'_>, key: impl Fn(&Summary) -> i64) -> ArrayRef {
    let input = frame.input.expect("build has asked for a column");
    let keys = frame.summaries.iter().map(|s| s.present(key(s)));
    if *input == DataType::Utf8 {
        return Arc::new(keys.map(|k| k.map(|k| frame.texts.get(k))).collect::<StringArray>());
    }
    value::write_keys(input, keys)
}

/// Checks that there are no options.
fn no_options(node: &Node) -> Result<(), Problem> {
    registry::options::<NoOptions>(node).map(|NoOptions {}| ())
}

#[cfg(test)]
mod tests;
