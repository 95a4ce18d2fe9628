//! Cleaning: repairs, flags or drops records, one batch at a time.

mod filter;

use crate::{
    batch::{Rejections, Rows, Slot},
    registry::{Component, Node, Problem},
    state::Horizon,
};
use arrow::datatypes::SchemaRef;
use std::fmt::Debug;

/// All cleaning operators.
pub const OPERATORS: &[Component<Build>] = &[filter::COMPONENT];

/// Builds an operator from its options.
pub type Build = fn(&Node, &Input<'_>) -> Result<Box<dyn Clean>, Problem>;

/// What an operator may know when it is built.
#[derive(Debug)]
pub struct Input<'a> {
    /// The columns before the step.
    pub schema: &'a SchemaRef,
}

/// A cleaning operator.
pub trait Clean: Send + Debug {
    /// The columns after the step.
    fn schema(&self) -> SchemaRef;
    /// The cleaned rows.
    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows;
    /// How long it needs a key.
    fn horizon(&self) -> Horizon;
    /// Forgets a key.
    fn forget(&mut self, slot: Slot);
    /// Bytes of state.
    fn state_bytes(&self) -> usize;
    /// True if the order of arrival shows.
    fn order_sensitive(&self) -> bool;
}
