//! `cast`: converts a column to another type; what does not fit fails: strictly, what does not fit
//! exactly, leniently, what the type has no value for at all.
//!
//! A value that fails rejects its record (`on_failure: reject`, the default) or becomes null. Null
//! stays null.

mod conversion;
mod lenient;

use super::{
    Build, Clean, Input,
    column::{self, Output},
    failure::{Converted, OnFailure},
};
use crate::{
    batch::{Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of},
};
use arrow::datatypes::SchemaRef;
use conversion::{Conversion, To};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "cast",
    summary: "Converts a column to another type and rejects or nulls what does not fit.",
    example: "{ column: amount, to: int, on_failure: null }",
    details: "`strict`: integers are whole numbers within 64 bits, floats of integers and of texts those \
              that lose nothing (of decimal texts the nearest finite one), booleans `true` and `false`, 0 \
              and 1, times RFC 3339, dates `2024-05-31`.\n\n\
              `lenient`, besides: white space around a text does not count; a number becomes an integer \
              without its fraction, an integer the nearest float; texts of numbers may be `1.0`, `+1`, \
              `1e3`, for floats `inf` and `nan`; any number but 0 is true; `t`, `yes`, `y`, `on`, `1` and \
              `f`, `no`, `n`, `off`, `0` are booleans in any case; times may have a space for the `T`, no \
              seconds, no zone (UTC) or be a date; of a time the date is taken.\n\n\
              Null stays null.",
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
    /// How much of a value may be lost.
    #[serde(default)]
    mode: Mode,
    /// What happens to a record whose value does not fit.
    #[serde(default, deserialize_with = "OnFailure::read")]
    #[schemars(with = "Option<OnFailure>", extend("default" = "reject"))]
    on_failure: OnFailure,
}

/// How much may be lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// Nothing, and texts are written in one way.
    #[default]
    Strict,
    /// What the type cannot hold of a value.
    Lenient,
}

#[derive(Debug)]
struct Cast {
    column: usize,
    conversion: Conversion,
    converted: Converted,
}

impl Cast {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let at = node.at("column");
        let column = column::named(input.schema, &options.column, at)?;
        let from = input.schema.field(column);
        let conversion = Conversion::between(from.data_type(), options.to, options.mode)
            .map_err(|expected| column::wrong_type(from, at, expected))?;
        let nullable = from.is_nullable() || options.on_failure == OnFailure::Null;
        let values = (options.to.data_type(), nullable);
        let output = Output::build(input.schema, column, values, None)?;
        let detail = format!("column `{}` is not {}", from.name(), options.to.words(options.mode));
        let converted = Converted { output, on_failure: options.on_failure, detail };
        Ok(Self { column, conversion, converted })
    }
}

impl Clean for Cast {
    fn schema(&self) -> SchemaRef {
        self.converted.output.schema()
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let before = Arc::clone(rows.columns.column(self.column));
        let after = self.conversion.apply(&before);
        self.converted.put(rows, &before, after, rejected)
    }
}

#[cfg(test)]
mod tests;
