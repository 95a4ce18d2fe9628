//! `argmax`: what another column holds where the value is greatest.

use super::{Build, argmin::At};
use crate::registry::{Component, schema_of};
use std::cmp::Ordering;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "argmax",
    summary: "The value of another column at the greatest value, the first one of equal ones.",
    example: "{ value: merchant }",
    details: "Of the records of the window that have both values, that with the greatest value of the \
              window's column; of equal ones the first in (event time, offset) order, as pandas' \
              `idxmax`. DuckDB's `arg_max(value, x)`. NaN is greater than any other value. Null for an \
              empty window.",
    state: super::PAIR_STATE,
    schema: schema_of::<At>,
    build: |node| At::build(node, Ordering::Greater),
};
