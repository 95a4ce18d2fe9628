//! `convert`: a numeric column in another unit.
//!
//! Named units are converted by their definitions, `(x - zero) num / den` being the value in the unit
//! that all of a quantity are defined by; so 32 F are exactly 0 C. Null, NaN and infinity stay.

mod units;

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of},
};
use arrow::{
    array::{ArrayRef, AsArray, Float64Array},
    datatypes::{DataType, Float64Type, Int64Type, SchemaRef},
};
use column::Output;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "convert",
    summary: "Converts a numeric column to another unit, by name or by factor and offset.",
    example: "{ column: amount, from: F, to: C }",
    details: "`from` and `to` name two units of one quantity (a wrong name lists those there are; case \
              counts), converted by their exact definitions. `factor` and `offset` instead give \
              `factor x + offset`, rounded twice. The column becomes a float. Null stays null, NaN and \
              infinity stay what they are.",
    state: "none",
    schema: schema_of::<Options>,
    build: |options, input| Ok(Box::new(Convert::build(options, input)?)),
};

/// Options of `convert`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A numeric column.
    column: String,
    /// The unit it is in, such as `F` or `mi`.
    from: Option<String>,
    /// The unit it is to be in, such as `C` or `km`; of the same quantity.
    to: Option<String>,
    /// Instead of units: what values are multiplied by.
    #[schemars(extend("default" = 1))]
    factor: Option<f64>,
    /// Instead of units: what is added then.
    #[schemars(extend("default" = 0))]
    offset: Option<f64>,
    /// Name of a new column; without it the column itself is converted.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// `(x - before) * factor / divisor + after`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    before: f64,
    factor: f64,
    divisor: f64,
    after: f64,
}

impl Line {
    fn at(self, x: f64) -> f64 {
        (x - self.before) * self.factor / self.divisor + self.after
    }
}

#[derive(Debug)]
struct Convert {
    column: usize,
    line: Line,
    output: Output,
}

impl Convert {
    fn build(node: &Node, input: &Input<'_>) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let at = node.at("column");
        let column = column::named(input.schema, &options.column, at)?;
        let field = input.schema.field(column);
        column::numeric(field, at)?;
        let line = line(&options, node)?;
        let name = options.name.as_deref().map(|name| (name, node.at("as")));
        let values = (DataType::Float64, field.is_nullable());
        let output = Output::build(input.schema, column, values, name)?;
        Ok(Self { column, line, output })
    }
}

fn line(options: &Options, node: &Node) -> Result<Line, Problem> {
    match (&options.from, &options.to, options.factor, options.offset) {
        (Some(from), Some(to), None, None) => {
            let from = units::find(from, node.at("from"))?;
            let to = units::find_like(to, from, node.at("to"))?;
            let (factor, divisor) = (from.num * to.den, from.den * to.num);
            Ok(Line { before: from.zero, factor, divisor, after: to.zero })
        }
        (None, None, None, None) => Err(Problem::new(node.at, "nothing to convert by")
            .expected("`from` and `to`, or `factor` and `offset`")),
        (None, None, factor, offset) => {
            let (factor, after) = (factor.unwrap_or(1.0), offset.unwrap_or(0.0));
            let is_usable = factor.is_finite() && factor != 0.0 && after.is_finite();
            if !is_usable {
                let key = if after.is_finite() { "factor" } else { "offset" };
                return Err(Problem::new(node.at(key), format!("wrong `{key}`"))
                    .expected("a finite number, and a factor other than 0"));
            }
            Ok(Line { before: 0.0, factor, divisor: 1.0, after })
        }
        (_, _, Some(_), _) => Err(together("factor", node)),
        (_, _, _, Some(_)) => Err(together("offset", node)),
        (Some(_), None, None, None) => Err(Problem::new(node.at, "missing key `to`")),
        (None, Some(_), None, None) => Err(Problem::new(node.at, "missing key `from`")),
    }
}

fn together(key: &str, node: &Node) -> Problem {
    Problem::new(node.at(key), format!("`{key}` beside named units")).expected("one of the two")
}

impl Clean for Convert {
    fn schema(&self) -> SchemaRef {
        self.output.schema()
    }

    fn advance(&mut self, rows: Rows, _rejected: &mut Rejections) -> Rows {
        let column = rows.columns.column(self.column);
        let line = self.line;
        let converted: Float64Array = match column.as_primitive_opt::<Int64Type>() {
            Some(integers) => integers.unary(|x| line.at(x as f64)),
            None => column.as_primitive::<Float64Type>().unary(|x| line.at(x)),
        };
        self.output.put(rows, Arc::new(converted) as ArrayRef)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        batch::Rejections,
        clean::testing::{self, Row},
    };
    use arrow::{array::AsArray, datatypes::Float64Type};

    fn converted(options: &str, x: f64) -> f64 {
        let mut clean = testing::build("convert", options).unwrap();
        let rows = testing::rows(&[Row { amount: Some(x), ..Row::default() }]);
        let rows = clean.advance(rows, &mut Rejections::default());
        assert_eq!(rows.columns.schema(), clean.schema());
        rows.columns["amount"].as_primitive::<Float64Type>().value(0)
    }

    #[test]
    fn what_is_defined_exactly_comes_out_exactly() {
        let run = |from: &str, to: &str, x: f64| {
            converted(&format!("{{ column: amount, from: {from}, to: {to} }}"), x).to_bits()
        };
        for (from, x, to, y) in [
            ("F", 32.0, "C", 0.0_f64),
            ("F", 212.0, "C", 100.0),
            ("C", 100.0, "F", 212.0),
            ("C", -273.15, "K", 0.0),
            ("mi", 1.0, "km", 1.609_344),
            ("km", 1.609_344, "mi", 1.0),
            ("in", 1.0, "cm", 2.54),
            ("h", 1.5, "s", 5_400.0),
            ("KiB", 1.0, "B", 1_024.0),
        ] {
            assert_eq!(run(from, to, x), y.to_bits(), "{x} {from}");
        }
        assert!(f64::from_bits(run("m", "km", f64::NAN)).is_nan());
    }

    #[test]
    fn a_line_and_a_column_of_its_own() {
        assert_eq!(
            converted("{ column: amount, factor: 2, offset: -1 }", 3.0).to_bits(),
            5.0_f64.to_bits()
        );
        let rows = testing::rows(&[Row { items: Some(3), ..Row::default() }, Row::default()]);
        let options = "{ column: items, from: d, to: h, as: hours }";
        let (rows, _) = testing::advance_both_ways("convert", options, &rows, &[1]);
        let hours: Vec<_> = rows.columns["hours"].as_primitive::<Float64Type>().iter().collect();
        assert_eq!(hours, [Some(72.0), None]);
        assert_eq!(rows.columns["items"].as_primitive::<arrow::datatypes::Int64Type>().value(0), 3);
    }

    #[test]
    fn mistakes_say_where_and_what() {
        let problem = |options: &str| testing::build("convert", options).unwrap_err().to_string();
        assert_eq!(
            problem("{ column: amount, from: F, to: km }"),
            "1:32: unit `km` measures length, not temperature; expected one of `C`, `K`, `F`, `R`"
        );
        assert!(
            problem("{ column: amount, from: foot, to: m }")
                .starts_with("1:25: unknown unit `foot`")
        );
        assert_eq!(problem("{ column: amount, from: F }"), "1:1: missing key `to`");
        assert_eq!(
            problem("{ column: amount, factor: 2, from: F, to: C }"),
            "1:27: `factor` beside named units; expected one of the two"
        );
        assert_eq!(
            problem("{ column: amount }"),
            "1:1: nothing to convert by; expected `from` and `to`, or `factor` and `offset`"
        );
        assert_eq!(
            problem("{ column: amount, factor: 0 }"),
            "1:27: wrong `factor`; expected a finite number, and a factor other than 0"
        );
    }
}
