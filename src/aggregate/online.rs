//! Scalers that learn from each record: what `standardize`, `minmax` and `maxabs` ask for.
//!
//! A record is learned and then scaled, as `learn_one` and `transform_one` of river do one after
//! the other, or the other way round. The mean is kept as the sum of two floats, the second less than
//! the last digit of the first: distances from it do not lose the digits that values far from zero
//! have no room for.

use super::{
    Asked, Output, Recursive, States,
    decay::{Decay, HalfLife, Stated},
    float_of_numbers,
    recursive::{Folded, Formula, Kept, Passing, Per, State},
    request::Request,
};
use crate::{
    registry::{Node, Problem, Span},
    state::Horizon,
};
use arrow::datatypes::DataType;
use schemars::JsonSchema;
use serde::Deserialize;

/// How a scaler learns while records come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Online {
    /// Whose values are learned together: those of the record's key, or of the partition.
    #[serde(default)]
    per: Per,
    /// When a value has lost half of its weight: a time such as 7d, or a number of rows such as
    /// 100 rows. All weigh the same if not given. Of `standardize`.
    half_life: Option<HalfLife>,
    /// Values below which the output is null.
    #[serde(default)]
    min_count: u64,
    /// True to scale a record by what was known before it.
    #[serde(default)]
    exclude_current: bool,
    /// After which time without a value a key is begun anew, such as 30d. Never if not given; with
    /// a `half_life` in time, after 64 of them.
    forget_after: Option<Span>,
}

/// What is learned of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaler {
    /// Mean and spread, which is that of a population.
    Standardize,
    /// Least and greatest value; `clip` keeps what lies outside at 0 and 1.
    MinMax {
        /// True to clip.
        clip: bool,
    },
    /// The greatest absolute value.
    MaxAbs,
}

impl Online {
    /// What is to be remembered for `scaler` of a column; `node` holds the options, under `online` if
    /// that is one of its keys.
    pub fn request(self, scaler: Scaler, column: &str, node: &Node) -> Result<Request, Problem> {
        let node = node.get("online").unwrap_or(node);
        let (feature, decays) = match scaler {
            Scaler::Standardize => ("standardize", true),
            Scaler::MinMax { .. } => ("minmax", false),
            Scaler::MaxAbs => ("maxabs", false),
        };
        let Self { per, half_life, min_count, exclude_current, forget_after } = self;
        if half_life.is_some() && !decays {
            let what = format!("`half_life` of `{feature}`");
            return Err(Problem::new(node.at("half_life"), what).expected(
                "a window with `min` and `max`, and an expression: extremes do not fade",
            ));
        }
        let kept = Kept { per, forget_after, exclude_current, min_count };
        kept.check(node)?;
        let stated = |half_life| Stated { half_life: Some(half_life), ..Stated::default() };
        let decay = half_life.as_ref().map(|half_life| stated(half_life).read(node)).transpose()?;
        Ok(Request::new(feature, &[column], Learned { scaler, decay }, kept))
    }
}

#[derive(Debug)]
struct Learned {
    scaler: Scaler,
    decay: Option<Decay>,
}

impl Recursive for Learned {
    fn output(&self, input: Option<&DataType>) -> Result<Output, &'static str> {
        float_of_numbers(input, true)
    }

    fn suffix(&self) -> String {
        "online".to_owned()
    }

    fn describe(&self) -> String {
        let decay = self.decay.as_ref().map_or("all weigh the same".to_owned(), Decay::describe);
        match self.scaler {
            Scaler::MinMax { clip: true } => format!("{decay}, clipped"),
            _ => decay,
        }
    }

    fn depth(&self) -> Horizon {
        self.decay.as_ref().map_or(Horizon::Forever, Decay::depth)
    }

    fn state_bytes(&self) -> usize {
        match self.scaler {
            Scaler::Standardize => size_of::<State<4>>(),
            Scaler::MinMax { .. } => size_of::<State<2>>(),
            Scaler::MaxAbs => size_of::<State<1>>(),
        }
    }

    fn states(&self, asked: Asked) -> Box<dyn States> {
        match self.scaler {
            Scaler::Standardize => {
                Box::new(Folded::new(Standardize { decay: self.decay.clone() }, asked))
            }
            Scaler::MinMax { clip } => Box::new(Folded::new(MinMax { clip }, asked)),
            Scaler::MaxAbs => Box::new(Folded::new(MaxAbs, asked)),
        }
    }
}

/// The sum of two numbers: as it is rounded, and what that has left out. Knuth, "The Art of
/// Computer Programming", 4.2.2.
fn two_parts(a: f64, b: f64) -> [f64; 2] {
    let sum = a + b;
    let of_b = sum - a;
    [sum, (a - (sum - of_b)) + (b - of_b)]
}

/// Numbers: sum of weights, mean in two parts, variance.
///
/// With `u` the weight of x, `d = x - mean` and `s = w + u`: `mean' = mean + d u / s`,
/// `var' = (w (var + (d u / s)^2) + u (d w / s)^2) / s`. Welford, "Note on a method for calculating
/// corrected sums of squares and products" (1962), with weights.
#[derive(Debug)]
struct Standardize {
    decay: Option<Decay>,
}

impl Standardize {
    /// How far `x` lies from the mean.
    fn distance(state: &State<4>, x: f64) -> f64 {
        let [_, mean, rest, _] = state.numbers;
        (x - mean) - rest
    }
}

impl Formula<4, 1> for Standardize {
    fn pass(&self, state: &mut State<4>, record: &Passing<1>) {
        if let Some(decay) = &self.decay {
            state.numbers[0] *= decay.by_row(record.own.is_some());
        }
    }

    fn learn(&self, state: &mut State<4>, time: i64, [x]: [f64; 1]) {
        if state.n == 0 {
            state.numbers = [1.0, x, 0.0, 0.0];
            return;
        }
        let [mut w, mean, rest, var] = state.numbers;
        let mut own = 1.0;
        if let Some(decay) = &self.decay {
            let weights = decay.by_time(state.time, time);
            (w, own) = (w * weights.before, weights.own);
        }
        let d = Self::distance(state, x);
        let sum = w + own;
        let step = d * (own / sum);
        let left = d * (w / sum);
        let var = (var + step * step) * (w / sum) + left * left * (own / sum);
        // From the nearer end, so that the shorter way is what is rounded.
        let [next, rest] = if own > w { two_parts(x, -left) } else { two_parts(mean, rest + step) };
        state.numbers = [sum, next, rest, var];
    }

    fn value(&self, state: &State<4>, record: &Passing<1>) -> Option<f64> {
        let [x] = record.own?;
        let [.., var] = state.numbers;
        let std = if var > 0.0 { var.sqrt() } else { 1.0 };
        (state.n > 0).then(|| Self::distance(state, x) / std)
    }

    fn is_sound(&self, state: &State<4>) -> bool {
        state.numbers[0] >= 0.0 && state.numbers[3] >= 0.0
    }
}

/// Numbers: the least and the greatest value.
#[derive(Debug)]
struct MinMax {
    clip: bool,
}

impl Formula<2, 1> for MinMax {
    fn learn(&self, state: &mut State<2>, _time: i64, [x]: [f64; 1]) {
        let [min, max] = state.numbers;
        state.numbers = if state.n == 0 { [x, x] } else { [min.min(x), max.max(x)] };
    }

    fn value(&self, state: &State<2>, record: &Passing<1>) -> Option<f64> {
        let [x] = record.own?;
        let [min, max] = state.numbers;
        let range = if max > min { max - min } else { 1.0 };
        let y = (x - min) / range;
        (state.n > 0).then(|| if self.clip { y.clamp(0.0, 1.0) } else { y })
    }

    fn is_sound(&self, state: &State<2>) -> bool {
        let [min, max] = state.numbers;
        min <= max && (max - min).is_finite()
    }
}

/// Number: the greatest absolute value.
#[derive(Debug)]
struct MaxAbs;

impl Formula<1, 1> for MaxAbs {
    fn learn(&self, state: &mut State<1>, _time: i64, [x]: [f64; 1]) {
        state.numbers = [state.numbers[0].max(x.abs())];
    }

    fn value(&self, state: &State<1>, record: &Passing<1>) -> Option<f64> {
        let [x] = record.own?;
        let [max_abs] = state.numbers;
        (state.n > 0).then(|| if max_abs > 0.0 { x / max_abs } else { x })
    }

    fn is_sound(&self, state: &State<1>) -> bool {
        state.numbers[0] >= 0.0
    }
}
