//! `spline`: a number as its place on a smooth, piecewise polynomial basis.

mod basis;

use super::{Build, Failed, Feature, Input, find_number, floats};
use crate::{
    batch::Reason,
    registry::{self, Component, Node, Problem},
};
use arrow::{
    array::{Array, ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use basis::Basis;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "spline",
    summary: "Writes the B-splines over given knots at a number, one column each.",
    example: "{ column: amount, knots: [0, 10, 50, 200], degree: 3, extrapolation: linear }",
    details: "scikit-learn's `SplineTransformer`: the basis of de Boor (1978) over the knots and `degree` more on \
              each side, as far apart as the two at that end (Eilers and Marx, 1996). There are \
              `knots + degree - 1` splines, `knots - 1` periodic ones; they sum up to 1. Null of null and NaN \
              of NaN, or zeros (`missing: zeros`).",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `spline`, as scikit-learn's `SplineTransformer` has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// Two or more, ascending: those between the ends of the training data, both included.
    knots: Vec<f64>,
    /// Degree of the polynomials, 1 to 5: 3 if not given.
    #[serde(default = "three")]
    degree: usize,
    /// What a number beyond the knots becomes: `constant` (the default), the values at the end;
    /// `linear`, those and the slope there; `continue`, the polynomials of the end; `periodic`, the
    /// number that lies within, a multiple of the knots' range away; `reject`, as `expression`.
    #[serde(default)]
    extrapolation: Extrapolation,
    /// False to leave out the last spline, so that they do not sum up to 1: true if not given.
    #[serde(default = "yes")]
    include_bias: bool,
    /// What a null and NaN become, if not null and NaN.
    missing: Option<Missing>,
    /// What the outputs' names begin with: `{as}_0` and so on; `{column}_spline` if not given.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

fn three() -> usize {
    3
}

fn yes() -> bool {
    true
}

/// What a number beyond the knots becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Extrapolation {
    #[default]
    Constant,
    Linear,
    Continue,
    Periodic,
    Reject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Missing {
    /// All zeros, as `handle_missing="zeros"`.
    Zeros,
}

/// Knots, at most: each is an output.
const KNOTS_MAX: usize = 1_000;

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    let Options { column, knots, degree, extrapolation, include_bias, missing, prefix } = options;
    let index = find_number(&column, input.schema, node.at("column"))?;
    let ascend = knots.windows(2).all(|pair| pair[0] < pair[1]);
    if !(2..=KNOTS_MAX).contains(&knots.len()) || !ascend || !knots.iter().all(|k| k.is_finite()) {
        return Err(Problem::new(node.at("knots"), "knots that do not ascend")
            .expected(format!("2 to {KNOTS_MAX} numbers, each greater than the one before")));
    }
    if !(1..=5).contains(&degree) {
        return Err(Problem::new(node.at("degree"), format!("degree {degree}"))
            .expected("1 to 5; what degree 0 is, `bins` writes"));
    }
    let is_periodic = extrapolation == Extrapolation::Periodic;
    if is_periodic && knots.len() <= degree {
        let what = format!("{} knots for periodic splines of degree {degree}", knots.len());
        return Err(Problem::new(node.at("knots"), what).expected("more knots than the degree"));
    }
    let basis =
        if is_periodic { Basis::periodic(&knots, degree) } else { Basis::open(&knots, degree) };
    let splines = if is_periodic { knots.len() - 1 } else { basis.len() };
    let nullable = input.schema.field(index).is_nullable() && missing.is_none();
    let prefix = prefix.unwrap_or_else(|| format!("{column}_spline"));
    let field = |output| Field::new(format!("{prefix}_{output}"), DataType::Float64, nullable);
    let outputs = if include_bias { splines } else { splines - 1 };
    let fields = (0..outputs).map(|output| Arc::new(field(output))).collect();
    let zeros = missing.is_some();
    let name = column;
    Ok(Box::new(Spline {
        column: index,
        name,
        basis,
        degree,
        splines,
        extrapolation,
        zeros,
        fields,
    }))
}

#[derive(Debug)]
struct Spline {
    column: usize,
    name: String,
    basis: Basis,
    degree: usize,
    splines: usize,
    extrapolation: Extrapolation,
    /// What is missing becomes zeros.
    zeros: bool,
    fields: Vec<FieldRef>,
}

impl Spline {
    /// Writes the splines at `x` that are not zero, and gives the place of the first; none where the
    /// record is rejected.
    fn at(&self, x: f64, values: &mut [f64], slopes: &mut [f64]) -> Option<usize> {
        let (first, last) = self.basis.range();
        let end = x.clamp(first, last);
        Some(match self.extrapolation {
            Extrapolation::Periodic => {
                self.basis.values(first + (x - first).rem_euclid(last - first), values)
            }
            Extrapolation::Reject if x < first || x > last => return None,
            Extrapolation::Continue | Extrapolation::Reject => self.basis.values(x, values),
            Extrapolation::Linear if x < first || x > last => {
                self.basis.slopes(end, slopes);
                let place = self.basis.values(end, values);
                for (value, slope) in values.iter_mut().zip(slopes) {
                    *value += (x - end) * *slope;
                }
                place
            }
            Extrapolation::Constant | Extrapolation::Linear => self.basis.values(end, values),
        })
    }
}

impl Feature for Spline {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.clone()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        failed: &mut Vec<Failed>,
    ) {
        let numbers = floats(rows, self.column);
        let mut outputs = vec![vec![0.0; rows.num_rows()]; self.fields.len()];
        let [mut values, mut slopes] = [(); 2].map(|()| vec![0.0; self.degree + 1]);
        for (row, x) in numbers.iter().enumerate() {
            let Some(x) = x else { continue };
            if x.is_nan() {
                let value = if self.zeros { 0.0 } else { f64::NAN };
                for output in &mut outputs {
                    output[row] = value;
                }
                continue;
            }
            let Some(first) = self.at(x, &mut values, &mut slopes) else {
                let detail = format!("spline: column `{}` lies beyond the knots", self.name);
                failed.push(Failed { row, reason: Reason::Expression, detail });
                continue;
            };
            for (place, value) in (first..).zip(&values) {
                // Periodic ones beyond the last are the first ones again.
                if let Some(output) = outputs.get_mut(place % self.splines) {
                    output[row] += value;
                }
            }
        }
        let nulls = numbers.nulls().filter(|_| !self.zeros);
        out.extend(
            outputs.into_iter().map(|output| {
                Arc::new(Float64Array::new(output.into(), nulls.cloned())) as ArrayRef
            }),
        );
    }
}
