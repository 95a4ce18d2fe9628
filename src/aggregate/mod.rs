//! Aggregates over windows, and the per-key event buffer they are computed from.
//!
//! A window's events are summed up once per record, in one [`Summary`]; an aggregate [`OfSummary`]
//! turns the summaries of a batch into a column with one call. [`EventBuffer`] finds the summary of
//! any range of its events: whole subtrees by what they know of themselves, so that ten thousand
//! events cost about what ten do. What cannot be joined from parts, such as a median, is an
//! aggregate [`OfEvents`] and costs a look at each event of the window; so does one [`OfPairs`], of
//! the values of two columns.
//!
//! What remembers without a window (ewma) is [`Recursive`]: a state by slot, folded in offset order.
//!
//! To add an aggregate: write `aggregate/<name>.rs` with a `COMPONENT`, then add it to
//! [`AGGREGATES`].

mod buffer;
mod by_category;
mod decay;
mod earth;
mod leaf;
mod lists;
mod moments;
mod node;
mod online;
mod pairs;
mod pauses;
mod place;
mod pool;
mod previous;
mod rank_statistics;
mod recursive;
mod request;
mod saved;
mod scan;
mod shape;
mod spread;
mod summary;
mod text;
mod tiles;
mod together;
mod trunk;
mod value;
mod weighted;

mod count;
mod count_null;
mod share;
mod sum;
mod mean;
mod weighted_mean;
mod var;
mod std_dev;
mod sem;
mod skew;
mod kurt;
mod zscore;
mod cov;
mod corr;
mod min;
mod max;
mod argmin;
mod argmax;
mod range;
mod median;
mod quantile;
mod mad;
mod rank;
mod first;
mod last;
mod nth;
mod lag;
mod delta;
mod rate;
mod slope;
mod time_since_last;
mod time_since_first;
mod gap_mean;
mod gap_std;
mod distinct;
mod mode;
mod top_k;
mod entropy;
mod histogram;
mod list;
mod ewma;
mod ewm_var;
mod decayed;

pub use buffer::{EventBuffer, Retention};
pub use by_category::{Categories, by_category, map_of};
pub use earth::great_circle_km;
pub use leaf::Event;
pub use online::{Online, Scaler};
pub use pairs::{Interned, Pair, Pairs};
pub use place::Place;
pub use pool::Pool;
pub use previous::Previous;
pub use rank_statistics::{Interpolation, quantile};
pub use recursive::{Asked, Kept, Per, Recursive, States, Steps};
pub use request::{Request, in_order, visible};
pub use saved::{SavedBuffers, restore_buffers};
pub use scan::{Content, Held, Scan};
pub use summary::{Needs, Summary};
pub use text::{Symbols, Texts};
pub use tiles::{SavedTiles, Tiles, restore_tiles, tiles_bytes};
pub use value::{Kind, float_key, key_range, read_keys, write_keys};

use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, Float64Array, StringArray},
    datatypes::DataType,
};
use schemars::JsonSchema;
use serde::Deserialize;
use spread::Ddof;
use std::{fmt::Debug, sync::Arc};

/// Builds an aggregate from its options.
pub type Build = fn(&Node) -> Result<Aggregate, Problem>;

/// All aggregates.
pub const AGGREGATES: &[Component<Build>] = &[
    count::COMPONENT,
    count_null::COMPONENT,
    share::COMPONENT,
    sum::COMPONENT,
    mean::COMPONENT,
    weighted_mean::COMPONENT,
    var::COMPONENT,
    std_dev::COMPONENT,
    sem::COMPONENT,
    skew::COMPONENT,
    kurt::COMPONENT,
    zscore::COMPONENT,
    cov::COMPONENT,
    corr::COMPONENT,
    min::COMPONENT,
    max::COMPONENT,
    argmin::COMPONENT,
    argmax::COMPONENT,
    range::COMPONENT,
    median::COMPONENT,
    quantile::COMPONENT,
    mad::COMPONENT,
    rank::COMPONENT,
    first::COMPONENT,
    last::COMPONENT,
    nth::COMPONENT,
    lag::COMPONENT,
    delta::COMPONENT,
    rate::COMPONENT,
    slope::COMPONENT,
    time_since_last::COMPONENT,
    time_since_first::COMPONENT,
    gap_mean::COMPONENT,
    gap_std::COMPONENT,
    distinct::COMPONENT,
    mode::COMPONENT,
    top_k::COMPONENT,
    entropy::COMPONENT,
    histogram::COMPONENT,
    list::COMPONENT,
    ewma::COMPONENT,
    ewm_var::VAR,
    ewm_var::STD,
    decayed::COUNT,
    decayed::SUM,
];

/// An aggregate, by what it is made of.
#[derive(Debug)]
pub enum Aggregate {
    /// Of what is known of a window without a look at its events.
    Summary(Box<dyn OfSummary>),
    /// Of the events themselves.
    Events(Box<dyn OfEvents>),
    /// Of events with values of two columns; the string names the second one.
    Pairs(Node, Box<dyn OfPairs>),
    /// Of whether a record has no value: 1 or 0.
    Nulls(Box<dyn OfSummary>),
    /// Of whether the SQL condition, a string, holds for a record: 1 or 0.
    Holding(Node, Box<dyn OfSummary>),
    /// Of all that came before, by a state of its own.
    Recursive(Box<dyn Recursive>),
}

impl Aggregate {
    fn summary(aggregate: impl OfSummary + 'static) -> Self {
        Self::Summary(Box::new(aggregate))
    }

    fn events(aggregate: impl OfEvents + 'static) -> Self {
        Self::Events(Box::new(aggregate))
    }

    fn pairs(column: Node, aggregate: impl OfPairs + 'static) -> Self {
        Self::Pairs(column, Box::new(aggregate))
    }

    fn recursive(aggregate: impl Recursive + 'static) -> Self {
        Self::Recursive(Box::new(aggregate))
    }

    /// The column it makes of values of type `input`, of mere events where there is none, and of
    /// values of type `beside` where it takes a second column; or what it takes instead, as the end
    /// of a sentence.
    pub fn output(
        &self,
        input: Option<&DataType>,
        beside: Option<&DataType>,
    ) -> Result<Output, &'static str> {
        match self {
            Self::Summary(aggregate) | Self::Nulls(aggregate) => aggregate.output(input),
            Self::Holding(_, aggregate) => aggregate.output(Some(&DataType::Boolean)),
            Self::Events(aggregate) => aggregate.output(input),
            Self::Pairs(_, aggregate) => match (input, beside) {
                (Some(input), Some(beside)) => aggregate.output(input, beside),
                _ => Err(VALUES),
            },
            Self::Recursive(aggregate) => aggregate.output(input),
        }
    }

    /// What it has to know of a window.
    pub fn needs(&self) -> Needs {
        match self {
            Self::Summary(aggregate) | Self::Nulls(aggregate) | Self::Holding(_, aggregate) => {
                aggregate.needs()
            }
            Self::Events(aggregate) => Needs { scan: aggregate.reads_values(), ..Needs::NONE },
            Self::Pairs(..) => Needs { scan: true, ..Needs::NONE },
            Self::Recursive(_) => Needs::NONE,
        }
    }
}

/// True if the aggregate of that name is [`Recursive`].
pub fn remembers(name: &str) -> bool {
    let named = AGGREGATES.iter().find(|component| component.name == name);
    let built = named.and_then(|component| {
        let example = Node::parse(component.example).ok()?;
        (component.build)(&example).ok()
    });
    matches!(built, Some(Aggregate::Recursive(_)))
}

/// Turns what is known of a window at each record into a column.
pub trait OfSummary: Send + Debug {
    /// As [`Aggregate::output`].
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str>;
    /// What it has to know.
    fn needs(&self) -> Needs;
    /// One value per summary.
    fn column(&self, frame: &Frame<'_>) -> ArrayRef;
}

/// Turns the events of a window at each record into a column.
pub trait OfEvents: Send + Debug {
    /// As [`Aggregate::output`].
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str>;
    /// True if it looks at values, not only at times.
    fn reads_values(&self) -> bool {
        true
    }
    /// Looks at one window over values of a type that `output` has taken.
    fn scan(&self, input: Option<&DataType>) -> Box<dyn Scan>;
}

/// Turns the events of a window at each record, each with values of two columns, into a column.
pub trait OfPairs: Send + Debug {
    /// As [`Aggregate::output`].
    fn output(&self, values: &DataType, beside: &DataType) -> Result<Output, &'static str>;
    /// Looks at one window over values of types that `output` has taken.
    fn scan(&self, values: &DataType, beside: &DataType) -> Box<dyn Scan>;
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

impl Frame<'_> {
    /// How the keys in the summaries are to be read.
    fn kind(&self) -> Kind {
        self.input.and_then(Kind::of).unwrap_or(Kind::Nothing)
    }
}

/// Options of an aggregate that has none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

/// What an aggregate of pairs costs.
const PAIR_STATE: &str = "none of a key beyond its buffer; some 40 bytes an event and each text once, \
                          for all windows over the same two columns";

/// What an aggregate that only reads the events of its window says of its state.
const OF_WINDOW: &str =
    "none of its own: the events of its window, kept once for all aggregates over the column";

const NUMBERS: &str = "a numeric or boolean column";
const ORDERED: &str = "a numeric, boolean, date or timestamp column";
const VALUES: &str = "a numeric, boolean, date, timestamp or string column";

/// An output of floats, from numbers only.
fn float_of_numbers(input: Option<&DataType>, nullable: bool) -> Result<Output, &'static str> {
    match input {
        Some(data_type) if is_number(data_type) => {
            Ok(Output { data_type: DataType::Float64, nullable })
        }
        _ => Err(NUMBERS),
    }
}

/// The same from numbers of two columns.
fn float_of_pairs(values: &DataType, beside: &DataType) -> Result<Output, &'static str> {
    if is_number(values) && is_number(beside) {
        return Ok(Output { data_type: DataType::Float64, nullable: true });
    }
    Err("two numeric or boolean columns")
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || is_float(data_type) || *data_type == DataType::Boolean
}

/// An output of seconds, from any column, or from events alone.
fn seconds_of_events(input: Option<&DataType>) -> Result<Output, &'static str> {
    match input {
        Some(data_type) if Kind::of(data_type).is_none() => Err(VALUES),
        _ => Ok(Output { data_type: DataType::Float64, nullable: true }),
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
    write_keys(input, keys)
}

/// Checks that there are no options.
fn no_options(node: &Node) -> Result<(), Problem> {
    registry::options::<NoOptions>(node).map(|NoOptions {}| ())
}

#[cfg(test)]
mod tests;
