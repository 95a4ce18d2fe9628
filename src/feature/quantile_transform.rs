//! `quantile_transform`: where a value stands among training data, as a share or a normal number.

use super::{Build, Feature, Input, scaled::scaled};
use crate::registry::{self, Component, Node, Problem};
use schemars::JsonSchema;
use serde::Deserialize;
use statrs::distribution::{ContinuousCDF as _, Normal};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "quantile_transform",
    summary: "Writes the share of training data below a value, or the normal number of that share.",
    example: "{ column: amount, quantiles: [0, 4.5, 12, 40, 980], output: normal }",
    details: "The share at which a value stands among the quantiles, between two of them on the \
              line, where several are equal in their middle; 0 and 1 beyond them. `normal` is the \
              inverse of the normal distribution at that share. Null of a null, NaN of NaN.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `quantile_transform`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of numbers.
    column: String,
    /// Quantiles of the training data at shares from 0 to 1 that lie equally far apart: `quantiles_` of
    /// scikit-learn's `QuantileTransformer`.
    quantiles: Vec<f64>,
    /// `uniform`, from 0 to 1, or `normal` (rank-Gauss), at most 5.2 from 0: `uniform` if not given.
    #[serde(default)]
    #[schemars(extend("default" = "uniform"))]
    output: Output,
    /// Name of the output; `{column}_quantile` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// How the results are distributed.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Output {
    #[default]
    Uniform,
    Normal,
}

/// How near to the ends of the training data a value is beyond them, as scikit-learn has it.
const NEAR: f64 = 1e-7;

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, quantiles, output, name } = registry::options(node)?;
    let ascend = quantiles.windows(2).all(|pair| pair[0] <= pair[1]);
    if quantiles.len() < 2 || !ascend || !quantiles.iter().all(|quantile| quantile.is_finite()) {
        return Err(Problem::new(node.at("quantiles"), "quantiles that do not ascend")
            .expected("two numbers or more, none less than the one before"));
    }
    let ladder = Ladder::new(&quantiles);
    let name = (name, "quantile");
    match output {
        Output::Uniform => scaled(node, input, &column, name, move |x| ladder.share(x, 0.0)),
        Output::Normal => {
            let normal = Normal::standard();
            let least = NEAR - f64::EPSILON;
            let [least, most] = [least, 1.0 - least].map(|share| normal.inverse_cdf(share));
            scaled(node, input, &column, name, move |x| match ladder.share(x, NEAR) {
                share if share.is_nan() => share,
                share => normal.inverse_cdf(share).clamp(least, most),
            })
        }
    }
}

/// Quantiles and their shares, upwards and downwards.
struct Ladder {
    up: [Vec<f64>; 2],
    down: [Vec<f64>; 2],
}

impl Ladder {
    fn new(quantiles: &[f64]) -> Self {
        let last = (quantiles.len() - 1) as f64;
        let shares: Vec<f64> = (0..quantiles.len()).map(|place| place as f64 / last).collect();
        let down = |values: &[f64]| values.iter().rev().map(|value| -value).collect();
        Self { down: [down(quantiles), down(&shares)], up: [quantiles.to_vec(), shares] }
    }

    /// The share of a value: where several quantiles are equal, the middle of theirs. Values within
    /// `near` of the ends or beyond them are at them.
    fn share(&self, x: f64, near: f64) -> f64 {
        let [quantiles, shares] = &self.up;
        let (first, last) = (quantiles[0], quantiles[quantiles.len() - 1]);
        if x.is_nan() {
            x
        } else if x <= first || x - near < first {
            0.0
        } else if x >= last || x + near > last {
            1.0
        } else {
            let [down, down_shares] = &self.down;
            0.5 * (between(x, quantiles, shares) - between(-x, down, down_shares))
        }
    }
}

/// Linear interpolation as numpy's `interp`: `ys` at `xs`, which ascend, and their ends beyond.
fn between(x: f64, xs: &[f64], ys: &[f64]) -> f64 {
    match xs.partition_point(|other| *other <= x) {
        0 => ys[0],
        above if above == xs.len() => ys[above - 1],
        above => {
            let (x0, y0) = (xs[above - 1], ys[above - 1]);
            y0 + (x - x0) * ((ys[above] - y0) / (xs[above] - x0))
        }
    }
}
