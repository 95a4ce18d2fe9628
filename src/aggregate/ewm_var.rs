//! `ewm_var` and `ewm_std`: the spread of all values so far, the newer the heavier.

use super::{
    Aggregate, Asked, Build, Output, Recursive, States,
    decay::{Decay, HalfLife, Stated},
    float_of_numbers,
    recursive::{Folded, State},
    weighted::{Variance, Weighing},
};
use crate::{
    registry::{self, Component, Node, Problem, schema_of},
    state::Horizon,
};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

const DETAILS: &str = "pandas' `ewm(..).var()` and `.std()`, by time too. Weights are those of \
    `ewma`, and so is what is learned and when a key is begun anew. `var' = (w (var + (mean - \
    mean')^2) + u (x - mean')^2) / (w + u)`; unless `bias` is asked for, times `w^2 / (w^2 - sum of \
    squared weights)`, which is null unless two values count: where all but one weigh less than \
    2^-60. Exactly 0 where all values are equal.";

pub(super) const VAR: Component<Build> = Component {
    name: "ewm_var",
    summary: "The exponentially weighted variance of all values so far; no window.",
    example: "{ span: 20, bias: true }",
    details: DETAILS,
    state: "48 bytes a key, nothing an event",
    schema: schema_of::<Options>,
    build: |node| Spread::build(node, false).map(Aggregate::recursive),
};

pub(super) const STD: Component<Build> = Component {
    name: "ewm_std",
    summary: "The exponentially weighted standard deviation of all values so far; no window.",
    example: "{ half_life: 1h, adjust: true }",
    details: DETAILS,
    state: "48 bytes a key, nothing an event",
    schema: schema_of::<Options>,
    build: |node| Spread::build(node, true).map(Aggregate::recursive),
};

/// Options of `ewm_var` and `ewm_std`, as pandas' `ewm` names them.
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
    /// True if records without a value are no steps of a decay by rows.
    #[serde(default)]
    ignore_na: bool,
    /// True for the variance of just these values; else that of what they are a sample of.
    #[serde(default)]
    bias: bool,
}

#[derive(Debug)]
struct Spread {
    weighing: Weighing,
    bias: bool,
    root: bool,
}

impl Spread {
    fn build(node: &Node, root: bool) -> Result<Self, Problem> {
        let options: Options = registry::options(node)?;
        let Options { half_life, alpha, span, com, adjust, ignore_na, bias } = options;
        let stated = Stated { half_life: half_life.as_ref(), alpha, span, com, ignore_na };
        Ok(Self { weighing: Weighing { decay: stated.read(node)?, adjust }, bias, root })
    }

    fn decay(&self) -> &Decay {
        &self.weighing.decay
    }
}

impl Recursive for Spread {
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
        size_of::<State<4>>()
    }

    fn states(&self, asked: Asked) -> Box<dyn States> {
        let Self { weighing, bias, root } = self;
        Box::new(Folded::new(
            Variance { weighing: weighing.clone(), bias: *bias, root: *root },
            asked,
        ))
    }
}
