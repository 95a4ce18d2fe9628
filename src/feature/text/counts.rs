//! Rows of numbers of which few are not zero, scaled to a length and laid out as columns.

use arrow::array::{ArrayRef, Float64Array};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// What the length of a text's numbers is, by which they are divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Norm {
    /// The root of the sum of squares.
    #[default]
    L2,
    /// The sum of absolute values.
    L1,
    /// They are not divided.
    None,
}

/// The numbers of one text, and the columns of all texts before.
#[derive(Debug)]
pub(super) struct Counts {
    row: Vec<f64>,
    /// Places of the row that something was added to, in that order, each once.
    touched: Vec<usize>,
    is_touched: Vec<bool>,
    columns: Vec<Vec<f64>>,
}

impl Counts {
    pub(super) fn new(outputs: usize, rows: usize) -> Self {
        Self {
            row: vec![0.0; outputs],
            touched: Vec::new(),
            is_touched: vec![false; outputs],
            columns: vec![vec![0.0; rows]; outputs],
        }
    }

    pub(super) fn add(&mut self, output: usize, value: f64) {
        self.row[output] += value;
        if !self.is_touched[output] {
            self.is_touched[output] = true;
            self.touched.push(output);
        }
    }

    /// Writes the text's numbers, changed by `weigh` and divided by their length, into the row's place.
    pub(super) fn finish(&mut self, row: usize, norm: Norm, weigh: impl Fn(usize, f64) -> f64) {
        // In the order of the outputs, so that a sum is the same however the text is written.
        self.touched.sort_unstable();
        for output in &self.touched {
            self.row[*output] = weigh(*output, self.row[*output]);
        }
        let numbers = self.touched.iter().map(|output| self.row[*output]);
        let length = match norm {
            Norm::L2 => numbers.map(|x| x * x).sum::<f64>().sqrt(),
            Norm::L1 => numbers.map(f64::abs).sum(),
            Norm::None => 1.0,
        };
        let length = if length == 0.0 { 1.0 } else { length };
        for output in self.touched.drain(..) {
            self.columns[output][row] = self.row[output] / length;
            self.row[output] = 0.0;
            self.is_touched[output] = false;
        }
    }

    /// One array per output.
    pub(super) fn into_arrays(self) -> impl Iterator<Item = ArrayRef> {
        self.columns.into_iter().map(|column| Arc::new(Float64Array::from(column)) as ArrayRef)
    }
}
