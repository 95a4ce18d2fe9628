//! Cleaning: repairs, flags or removes suspicious records, one batch at a time.
//!
//! To add an operator: write `clean/<name>.rs` with a `COMPONENT`, then add it to [`OPERATORS`].

mod cast;
mod clip;
mod convert;
mod drop;
mod drop_duplicates;
mod extract;
mod fill;
mod filter;
mod lower;
mod map_values;
mod normalize_text;
mod outlier;
mod parse_time;
mod rename;
mod replace;
mod sample;
mod smooth;
mod throttle;
mod trim;
mod upper;

// What operators are made of.
mod by_slot;
mod column;
mod constant;
mod failure;
mod history;
mod text;
#[cfg(test)]
mod testing;

use crate::{
    batch::{Rejections, RowOrder, Rows, Slot},
    registry::{Component, Node, Problem},
    state::{
        Horizon, KeyColumns,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::datatypes::SchemaRef;
use std::fmt::Debug;

/// All cleaning operators, in the order of the alphabet.
pub const OPERATORS: &[Component<Build>] = &[
    cast::COMPONENT,
    clip::COMPONENT,
    convert::COMPONENT,
    drop::COMPONENT,
    drop_duplicates::COMPONENT,
    extract::COMPONENT,
    fill::COMPONENT,
    filter::COMPONENT,
    lower::COMPONENT,
    map_values::COMPONENT,
    normalize_text::COMPONENT,
    outlier::COMPONENT,
    parse_time::COMPONENT,
    rename::COMPONENT,
    replace::COMPONENT,
    sample::COMPONENT,
    smooth::COMPONENT,
    throttle::COMPONENT,
    trim::COMPONENT,
    upper::COMPONENT,
];

/// What an operator is built against.
#[derive(Debug)]
pub struct Input<'a> {
    /// The columns that the steps before leave.
    pub schema: &'a SchemaRef,
    /// True if the pipeline's policy for outliers is to keep them.
    pub keeps_outliers: bool,
    /// In which order rows come.
    pub order: RowOrder,
    /// True if no step before changes a column or takes rows out.
    pub untouched: bool,
    /// The columns that the rest of the pipeline cannot do without.
    pub needed: &'a [Needed<'a>],
}

/// A column that has to stay.
#[derive(Debug, Clone, Copy)]
pub struct Needed<'a> {
    /// Its name.
    pub column: &'a str,
    /// What needs it, as the pipeline file calls it.
    pub by: &'static str,
    /// True if it cannot be another column that gets this name.
    pub by_name: bool,
}

impl<'a> Input<'a> {
    /// The input of a step behind which no policy keeps what it rejects and nothing needs a column,
    /// with rows in order of arrival.
    pub fn of(schema: &'a SchemaRef) -> Self {
        let order = RowOrder::Arrival;
        Self { schema, keeps_outliers: false, order, untouched: true, needed: &[] }
    }

    /// True if rows wait for the watermark before they come.
    fn waits(&self) -> bool {
        self.order == RowOrder::EventTime
    }
}

/// Builds an operator from its options.
pub type Build = fn(&Node, &Input<'_>) -> Result<Box<dyn Clean>, Problem>;

/// A cleaning operator. It sees the rows of one partition in offset order, or in that of event time
/// where [`Input::order`] says so, and may keep state.
///
/// Each row is judged as of that row; where a batch is cut never shows in rows or state.
pub trait Clean: Send + Debug {
    /// The columns after this step.
    fn schema(&self) -> SchemaRef;

    /// Cleans the rows. Those it removes are noted in `rejected`.
    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows;

    /// How long it needs what it keeps by slot.
    fn horizon(&self) -> Horizon {
        Horizon::Stateless
    }

    /// How far before a row, in event time, other rows may lie that its result depends on.
    fn reach(&self) -> Horizon {
        self.horizon()
    }

    /// Forgets an entity key, so that another one can use its slot.
    fn forget(&mut self, _slot: Slot) {}

    /// Bytes of state.
    fn state_bytes(&self) -> usize {
        0
    }

    /// Of these, bytes that become less as keys are forgotten, of which there are `keys`: a function
    /// of what is kept, however it came to be kept, without room by slot that stays.
    fn key_bytes(&self, _keys: usize) -> usize {
        self.state_bytes()
    }

    /// What is to be told of rows before they reach any step, for an operator that looks ahead.
    fn look_ahead(&mut self) -> Option<&mut dyn LookAhead> {
        None
    }

    /// True if the result depends on the order of arrival beyond who came before at all.
    fn order_sensitive(&self) -> bool {
        false
    }

    /// Holds on to its state as it is, to be written to a snapshot; none without state. Costs a
    /// reference per chunk of pages, not a copy.
    fn capture(&self) -> Option<Box<dyn Saved>> {
        None
    }

    /// Takes over the state that a snapshot holds; slots are below `slots`. After an error, the
    /// operator is of no use. Only called on one that captures something.
    fn restore(&mut self, section: &Section<'_>, _slots: Slot) -> Result<(), SnapshotError> {
        Err(section.malformed("this operator keeps no state"))
    }
}

/// The side of an operator that sees rows before they come: when they begin to wait for the
/// watermark, and right before they reach the first step. Only with [`RowOrder::EventTime`].
pub trait LookAhead {
    /// How long rows have to wait beyond what the watermark asks for, in microseconds of event time.
    fn wait_us(&self) -> i64;

    /// Rows as they were sent, in offset order, with their keys. Late ones among them do not wait.
    fn begin_to_wait(&mut self, rows: &Rows, keys: &KeyColumns<'_>);

    /// Rows as they were sent that come next, with their keys; of each, the highest offset that had
    /// come when it was let go.
    fn about_to_come(&mut self, rows: &Rows, keys: &KeyColumns<'_>, seen: &[i64]);
}

#[cfg(test)]
mod tests;
