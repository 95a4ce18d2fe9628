//! `ewma`: the mean of all values so far, the newer the heavier.

use super::{
    Aggregate, Asked, Build, Output, Recursive, States,
    decay::{Decay, HalfLife, Stated},
    float_of_numbers,
    recursive::{Folded, State},
    weighted::{Mean, Weighing},
};
use crate::{
    registry::{self, Component, Node, Problem, schema_of},
    state::Horizon,
};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "ewma",
    summary: "The exponentially weighted mean of all values so far, in offset order; no window.",
    example: "{ half_life: 1h }",
    details: "pandas' `ewm(..).mean()`. With `w` the decayed sum of weights and `u` the weight of \
              the new value x: `mean' = (w mean + u x) / (w + u)`. With `adjust`, `u = 1` and `w` \
              adds up; without, which is the default, `w + u = 1`: `u = alpha` by rows and \
              `1 - 2^(-dt / half_life)` by time, so that a value of the same event time as the one \
              before, or behind it, has no weight. With `adjust` a value that is behind by dt has \
              the weight `2^(-dt / half_life)` that it would have had in time. A record without \
              value is told the mean so far; nulls, NaN and infinities are not learned. By time, a \
              key is begun anew once the watermark is 64 half-lives past its last value; by rows, \
              never; or when `forget_after` says.",
    state: "32 bytes a key, nothing an event",
    schema: schema_of::<Options>,
    build: |node| Ewma::build(node).map(Aggregate::recursive),
};

/// Options of `ewma`, as pandas' `ewm` names them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// When a value has lost half of its weight: a time such as 1h, or a number of rows such as
    /// 10 rows. One of this, `alpha`, `span` and `com`.
    half_life: Option<HalfLife>,
    /// The weight of a new value, above 0 and at most 1.
    alpha: Option<f64>,
    /// `alpha = 2 / (span + 1)`, at least 1.
    span: Option<f64>,
    /// `alpha = 1 / (1 + com)`, at least 0.
    com: Option<f64>,
    /// True to divide by the sum of weights, as pandas does unless told otherwise.
    #[serde(default)]
    adjust: bool,
    /// True if records without a value are no steps of a decay by rows; those of other keys never
    /// are.
    #[serde(default)]
    ignore_na: bool,
}

#[derive(Debug)]
struct Ewma(Weighing);

impl Ewma {
    fn build(node: &Node) -> Result<Self, Problem> {
        let Options { half_life, alpha, span, com, adjust, ignore_na } = registry::options(node)?;
        let stated = Stated { half_life: half_life.as_ref(), alpha, span, com, ignore_na };
        Ok(Self(Weighing { decay: stated.read(node)?, adjust }))
    }

    fn decay(&self) -> &Decay {
        &self.0.decay
    }
}

impl Recursive for Ewma {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn suffix(&self) -> String {
        self.decay().suffix()
    }

    fn describe(&self) -> String {
        self.decay().describe()
    }

    fn depth(&self) -> Horizon {
        self.decay().depth()
    }

    fn state_bytes(&self) -> usize {
        size_of::<State<2>>()
    }

    fn states(&self, asked: Asked) -> Box<dyn States> {
        Box::new(Folded::new(Mean(self.0.clone()), asked))
    }
}
