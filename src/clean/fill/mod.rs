//! `fill`: puts a value where there is none, and says so in a column `{column}_was_missing`.
//!
//! `with: last` takes the newest value of the same entity key at or before the record's own event
//! time, ties by offset, at most `within` older; where there is none it takes `else`, or the value
//! stays null. It takes what was sent, never what was filled. Any other `with` is a constant;
//! `value` is one too, even if it is the text `last`. NaN is a value.

mod last;
mod trail;

use super::{Build, Clean, Input, column, constant::Constant};
use crate::{
    batch::{Rejections, Rows, Slot},
    registry::{self, Component, Node, Problem, Span, schema_of},
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};
use arrow::{
    array::{Array, ArrayRef, BooleanArray, Scalar},
    compute::{is_not_null, is_null, kernels::zip::zip},
    datatypes::{FieldRef, Schema, SchemaRef},
};
use last::Last;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "fill",
    summary: "Fills missing values with a constant or with the key's last value.",
    example: "{ column: amount, with: last, within: 1h, else: 0 }",
    details: "`last`: the newest value of the key at or before the record's event time, ties by \
              offset, at most `within` older; what was filled never counts. The column \
              `{column}_was_missing` says what was filled. Null is what is filled; NaN is a \
              value.",
    state: "with `last`, per key 8 bytes and per value 16 (a text 32 and its own bytes): the \
              newest one at or before the watermark, and those behind it; else none",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(Fill::build(options, input)?)),
};

/// Options of `fill`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The column to fill.
    column: String,
    /// `last`, or a constant.
    with: Option<Constant>,
    /// A constant, also the text `last`.
    value: Option<Constant>,
    /// How old the last value may be; without it, any age, and keys are kept for ever.
    within: Option<Span>,
    /// What to take where there is no last value; without it the value stays null.
    #[serde(rename = "else")]
    otherwise: Option<Constant>,
    /// Name of the column that says what was filled, instead of `{column}_was_missing`.
    name: Option<String>,
}

#[derive(Debug)]
struct Fill {
    schema: SchemaRef,
    column: usize,
    flag: FieldRef,
    last: Option<Last>,
    /// One value, for what is still missing.
    constant: Option<Scalar<ArrayRef>>,
}

impl Fill {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let column = column::named(input.schema, &options.column, node.at("column"))?;
        let (last, constant) = Self::source(&options, node, input.schema, column)?;
        let name = options.name.unwrap_or_else(|| format!("{}_was_missing", options.column));
        let (schema, flag) = column::with_flag(input.schema, &name, node.at("name"))?;
        Ok(Self { schema, column, flag, last, constant: constant.map(Scalar::new) })
    }

    /// Where values come from: the key's last one, then the constant.
    fn source(
        options: &Options,
        node: &Node,
        schema: &Schema,
        column: usize,
    ) -> Result<(Option<Last>, Option<ArrayRef>), Problem> {
        let field = schema.field(column);
        let is_last = options.with == Some(Constant::Text("last".to_owned()));
        let (constant, key) = match (&options.with, &options.value, &options.otherwise) {
            (Some(_), None, otherwise) if is_last => (otherwise.as_ref(), "else"),
            (Some(constant), None, None) => (Some(constant), "with"),
            (None, Some(constant), None) => (Some(constant), "value"),
            (None, None, _) => {
                return Err(Problem::new(node.at, "nothing to fill with")
                    .expected("`with: last`, `with: <constant>` or `value: <constant>`"));
            }
            (Some(_), Some(_), _) => {
                return Err(Problem::new(node.at("value"), "`with` and `value` together")
                    .expected("one of them"));
            }
            (_, _, Some(_)) => {
                return Err(Problem::new(node.at("else"), "`else` without `with: last`"));
            }
        };
        if options.within.is_some() && !is_last {
            return Err(Problem::new(node.at("within"), "`within` without `with: last`"));
        }
        let constant = constant.map(|c| c.for_column(field, node.at(key))).transpose()?;
        let last =
            is_last.then(|| Last::build(field, options.within, node.at("column"))).transpose()?;
        Ok((last, constant))
    }
}

impl Clean for Fill {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, _rejected: &mut Rejections) -> Rows {
        let column = Arc::clone(rows.columns.column(self.column));
        let missing = is_null(&column).expect("any array can be asked");
        let mut filled = column;
        if let Some(last) = &mut self.last {
            filled = last.advance(&filled, &rows);
        }
        if let Some(constant) = &self.constant
            && filled.null_count() > 0
        {
            let present: BooleanArray = is_not_null(&filled).expect("any array can be asked");
            filled = zip(&present, &filled, constant).expect("the constant has the column's type");
        }
        let field = Arc::clone(&self.schema.fields()[self.column]);
        rows.replace_column(self.column, field, filled)
            .with_column(Arc::clone(&self.flag), Arc::new(missing))
    }

    fn horizon(&self) -> Horizon {
        self.last.as_ref().map_or(Horizon::Stateless, Last::horizon)
    }

    fn forget(&mut self, slot: Slot) {
        if let Some(last) = &mut self.last {
            last.forget(slot);
        }
    }

    fn state_bytes(&self) -> usize {
        self.last.as_ref().map_or(0, Last::bytes)
    }

    fn capture(&self) -> Option<Box<dyn Saved>> {
        self.last.as_ref().map(Last::capture)
    }

    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError> {
        let nothing = || section.malformed("a constant keeps no state");
        self.last.as_mut().ok_or_else(nothing)?.restore(section, slots)
    }
}

#[cfg(test)]
mod tests;
