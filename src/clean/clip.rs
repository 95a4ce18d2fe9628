//! `clip`: limits a number to a range. Null and NaN stay what they are.
//!
//! An integer column is limited to the integers within the range.

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of},
};
use arrow::{
    array::{ArrayRef, AsArray, Float64Array, Int64Array},
    datatypes::{DataType, Float64Type, Int64Type, SchemaRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "clip",
    summary: "Limits a numeric column to a range.",
    example: "{ column: amount, min: 0, max: 10000 }",
    details: "`min(max(x, min), max)`; a column of integers is limited to the integers in the \
              range. Null and NaN stay what they are.",
    state: "none",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(Clip::build(options, input)?)),
};

/// Options of `clip`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A numeric column.
    column: String,
    /// Lowest value.
    min: Option<f64>,
    /// Highest value.
    max: Option<f64>,
}

#[derive(Debug)]
struct Clip {
    schema: SchemaRef,
    column: usize,
    range: Range,
}

/// A closed range of numbers, and the integers in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) min: f64,
    pub(super) max: f64,
    min_integer: i64,
    max_integer: i64,
}

impl Range {
    /// The range between `min` and `max`, either of which may be open, as the options of the same
    /// names say.
    pub(super) fn build(
        min: Option<f64>,
        max: Option<f64>,
        options: &Node,
    ) -> Result<Self, Problem> {
        let range = Self::new(min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY));
        if min.is_none() && max.is_none() {
            return Err(Problem::new(options.at, "no limit").expected("`min`, `max` or both"));
        }
        if min.is_some_and(f64::is_nan) || max.is_some_and(f64::is_nan) {
            return Err(Problem::new(options.at, "a limit is NaN").expected("a number"));
        }
        if range.min > range.max {
            let what = format!("`max` {} is below `min` {}", range.max, range.min);
            return Err(Problem::new(options.at("max"), what));
        }
        Ok(range)
    }

    /// The range from `min` to `max`.
    #[expect(clippy::cast_possible_truncation, reason = "beyond 64 bits the limit is the type's")]
    pub(super) fn new(min: f64, max: f64) -> Self {
        Self { min, max, min_integer: min.ceil() as i64, max_integer: max.floor() as i64 }
    }

    /// The number in the range that is nearest to `x`; NaN stays.
    pub(super) fn clip(self, x: f64) -> f64 {
        x.clamp(self.min, self.max)
    }

    /// The integer in the range that is nearest to `x`.
    pub(super) fn clip_integer(self, x: i64) -> i64 {
        x.min(self.max_integer).max(self.min_integer)
    }
}

impl Clip {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let at = node.at("column");
        let column = column::named(input.schema, &options.column, at)?;
        column::numeric(input.schema.field(column), at)?;
        let range = Range::build(options.min, options.max, node)?;
        let integers = input.schema.field(column).data_type() == &DataType::Int64;
        if integers && range.min_integer > range.max_integer {
            let what = format!("no integer lies between {} and {}", range.min, range.max);
            return Err(Problem::new(node.at, what));
        }
        Ok(Self { schema: Arc::clone(input.schema), column, range })
    }
}

impl Clean for Clip {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, _rejected: &mut Rejections) -> Rows {
        let field = Arc::clone(&self.schema.fields()[self.column]);
        let column = rows.columns.column(self.column);
        let range = self.range;
        let clipped: ArrayRef = if field.data_type() == &DataType::Int64 {
            let values = column.as_primitive::<Int64Type>();
            Arc::new(values.unary::<_, Int64Type>(|x| range.clip_integer(x)) as Int64Array)
        } else {
            let values = column.as_primitive::<Float64Type>();
            Arc::new(values.unary::<_, Float64Type>(|x| range.clip(x)) as Float64Array)
        };
        rows.replace_column(self.column, field, clipped)
    }
}

#[cfg(test)]
mod tests {
    use crate::clean::testing::{self, Row};
    use arrow::{
        array::AsArray,
        datatypes::{Float64Type, Int64Type},
    };
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_end_up_in_the_range_and_inner_ones_stay(
            values in prop::collection::vec(prop::option::of(any::<f64>()), 1..40),
            cut in 1usize..9,
        ) {
            let rows: Vec<Row<'_>> = values
                .iter()
                .map(|amount| Row { amount: *amount, ..Row::default() })
                .collect();
            let options = "{ column: amount, min: -1.5, max: 2000 }";
            let (rows, _) = testing::advance_both_ways("clip", options, &testing::rows(&rows), &[cut]);
            let clipped = rows.columns["amount"].as_primitive::<Float64Type>();
            for (before, after) in values.iter().zip(clipped) {
                let expected = before.map(|x| x.clamp(-1.5, 2000.0));
                prop_assert_eq!(expected.map(f64::to_bits), after.map(f64::to_bits));
            }
        }
    }

    #[test]
    fn integers_stay_integers_within_the_range() {
        let values = [Some(i64::MIN), Some(0), Some(3), Some(9_007_199_254_740_993), None];
        let rows = values.map(|items| Row { items, ..Row::default() });
        let options = "{ column: items, min: 0.5 }";
        let (rows, _) = testing::advance_both_ways("clip", options, &testing::rows(&rows), &[2]);
        let clipped: Vec<_> = rows.columns["items"].as_primitive::<Int64Type>().iter().collect();
        assert_eq!(clipped, [Some(1), Some(1), Some(3), values[3], None]);
    }

    #[test]
    fn mistakes_say_where_and_what() {
        let problem = |options: &str| testing::build("clip", options).unwrap_err().to_string();
        assert_eq!(
            problem("{ column: category, min: 1 }"),
            "1:11: column `category` is a string; expected an integer or number column"
        );
        assert_eq!(
            problem("{ column: amuont, min: 1 }"),
            "1:11: unknown column `amuont`; expected one of `tx_id`, `amount`, `items`, \
             `category`, `refunded`; did you mean `amount`?"
        );
        assert_eq!(problem("{ column: amount }"), "1:1: no limit; expected `min`, `max` or both");
        assert_eq!(problem("{ column: amount, min: 2, max: 1 }"), "1:32: `max` 1 is below `min` 2");
        assert_eq!(
            problem("{ column: items, min: 1.2, max: 1.4 }"),
            "1:1: no integer lies between 1.2 and 1.4"
        );
    }
}
