//! `decayed_count` and `decayed_sum`: what there was so far, the older the less.

use super::{
    Aggregate, Asked, Build, Output, Recursive, States,
    decay::{Decay, HalfLife, Stated},
    float_of_numbers,
    recursive::{Folded, Formula, Passing, State},
};
use crate::{
    registry::{self, Component, Node, Problem, schema_of},
    state::Horizon,
};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

const DETAILS: &str = "The sum of `x 2^(-age / half_life)` over the values so far, x being 1 for \
    a count; the age is that at the newest event time so far, or in rows. As of the record: also \
    one without value is told what is left. A record that is behind counts as much as if it had come \
    in time. 0 where there is nothing. `decayed_count` counts as `count` does, `decayed_sum` learns no \
    null, NaN or infinity. By time, a key is begun anew once the watermark is 64 half-lives past its \
    last value; by rows, never; or when `forget_after` says.";

pub(super) const COUNT: Component<Build> = Component {
    name: "decayed_count",
    summary: "Counts records or values so far, each halved again and again; no window.",
    example: "{ half_life: 1h }",
    details: DETAILS,
    state: "24 bytes a key, nothing an event",
    schema: schema_of::<Options>,
    build: |node| Decayed::build(node, false).map(Aggregate::recursive),
};

pub(super) const SUM: Component<Build> = Component {
    name: "decayed_sum",
    summary: "Adds up the values so far, each halved again and again; no window.",
    example: "{ half_life: 10 rows }",
    details: DETAILS,
    state: "24 bytes a key, nothing an event",
    schema: schema_of::<Options>,
    build: |node| Decayed::build(node, true).map(Aggregate::recursive),
};

/// Options of `decayed_count` and `decayed_sum`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// When half of a value is left: a time such as 1h, or a number of rows such as 10 rows.
    half_life: HalfLife,
    /// True if records without a value are no steps of a decay by rows.
    #[serde(default)]
    ignore_na: bool,
}

#[derive(Debug)]
struct Decayed {
    decay: Decay,
    of_values: bool,
}

impl Decayed {
    fn build(node: &Node, of_values: bool) -> Result<Self, Problem> {
        let Options { half_life, ignore_na } = registry::options(node)?;
        let stated = Stated { half_life: Some(&half_life), ignore_na, ..Stated::default() };
        Ok(Self { decay: stated.read(node)?, of_values })
    }
}

impl Recursive for Decayed {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        if self.of_values {
            return float_of_numbers(input, false);
        }
        Ok(Output { data_type: DataType::Float64, nullable: false })
    }

    fn reads_values(&self) -> bool {
        self.of_values
    }

    fn suffix(&self) -> String {
        self.decay.suffix()
    }

    fn describe(&self) -> String {
        self.decay.describe()
    }

    fn depth(&self) -> Horizon {
        self.decay.depth()
    }

    fn state_bytes(&self) -> usize {
        size_of::<State<1>>()
    }

    fn states(&self, asked: Asked) -> Box<dyn States> {
        let total = Total(self.decay.clone());
        if self.of_values {
            Box::new(Folded::<_, 1, 1>::new(total, asked))
        } else {
            Box::new(Folded::<_, 1, 0>::new(total, asked))
        }
    }
}

/// The decayed sum of values, or of ones where there are none.
#[derive(Debug)]
struct Total(Decay);

impl<const M: usize> Formula<1, M> for Total {
    fn pass(&self, state: &mut State<1>, record: &Passing<M>) {
        state.numbers[0] *= self.0.by_row(record.own.is_some());
    }

    fn learn(&self, state: &mut State<1>, time: i64, values: [f64; M]) {
        let x = values.first().copied().unwrap_or(1.0);
        let [total] = state.numbers;
        state.numbers = if state.n == 0 {
            [x]
        } else {
            let weights = self.0.by_time(state.time, time);
            [total * weights.before + x * weights.own]
        };
    }

    fn value(&self, state: &State<1>, record: &Passing<M>) -> Option<f64> {
        let [total] = state.numbers;
        let left = if state.n == 0 { 1.0 } else { self.0.by_time(state.time, record.time).before };
        Some(total * left)
    }

    fn is_sound(&self, state: &State<1>) -> bool {
        // A count has no sign, a sum may have any.
        M > 0 || state.numbers[0] >= 0.0
    }
}
