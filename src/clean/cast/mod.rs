//! `cast`: converts a column to another type, strictly: what does not fit exactly fails.
//!
//! A value that fails rejects its record (`on_failure: reject`, the default) or becomes null. Null
//! stays null.

mod conversion;

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Reason, Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of},
};
use arrow::{
    array::{Array, BooleanArray},
    compute::filter,
    datatypes::{Field, FieldRef, SchemaRef},
};
use conversion::{Conversion, To};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "cast",
    summary: "Converts a column to another type and rejects or nulls what does not fit.",
    example: "{ column: amount, to: int, on_failure: null }",
    details: "What does not fit exactly fails: a float with a fraction as an integer, an integer \
              that no float holds, a text that is no number. Null stays null; NaN fails as an \
              integer and stays as a float.",
    state: "none",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(Cast::build(options, input)?)),
};

/// Options of `cast`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The column to convert.
    column: String,
    /// The type it becomes.
    to: To,
    /// What happens to a record whose value does not fit.
    #[serde(default, deserialize_with = "OnFailure::read")]
    #[schemars(with = "Option<OnFailure>", extend("default" = "reject"))]
    on_failure: OnFailure,
}

/// What happens to a record whose value does not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnFailure {
    /// The record is rejected.
    #[default]
    Reject,
    /// The value becomes null.
    Null,
}

impl OnFailure {
    /// In YAML a plain `null` is nothing and not a text.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(Self::Null))
    }
}

#[derive(Debug)]
struct Cast {
    schema: SchemaRef,
    column: usize,
    field: FieldRef,
    conversion: Conversion,
    on_failure: OnFailure,
    /// What a record whose value does not fit is told.
    detail: String,
}

impl Cast {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let at = node.at("column");
        let column = column::named(input.schema, &options.column, at)?;
        let from = input.schema.field(column);
        let conversion = Conversion::between(from.data_type(), options.to)
            .map_err(|expected| column::wrong_type(from, at, expected))?;
        let nullable = from.is_nullable() || options.on_failure == OnFailure::Null;
        let field = Arc::new(Field::new(from.name(), options.to.data_type(), nullable));
        let schema = column::with_field(input.schema, column, Arc::clone(&field));
        let detail = format!("column `{}` is not {}", from.name(), options.to.words());
        Ok(Self { schema, column, field, conversion, on_failure: options.on_failure, detail })
    }
}

impl Clean for Cast {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let before = Arc::clone(rows.columns.column(self.column));
        let after = self.conversion.apply(&before);
        let failed = after.null_count() > before.null_count();
        if !failed || self.on_failure == OnFailure::Null {
            return rows.replace_column(self.column, Arc::clone(&self.field), after);
        }
        let keep: Vec<bool> =
            (0..rows.len()).map(|row| after.is_valid(row) || before.is_null(row)).collect();
        for (record, _) in rows.records.iter().zip(&keep).filter(|(_, keep)| !**keep) {
            rejected.push(*record, Reason::Cast, self.detail.as_str());
        }
        // Failed values leave before the column takes its type: it may not allow nulls.
        let mask = BooleanArray::from(keep.clone());
        let after = filter(&after, &mask).expect("mask has a flag per row");
        rows.filter(&keep).replace_column(self.column, Arc::clone(&self.field), after)
    }
}

#[cfg(test)]
mod tests;
