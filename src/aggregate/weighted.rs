//! Mean and spread of values whose weights decay: the recursion of pandas' `ewm`.
//!
//! With `w` the sum of weights so far, decayed, and `u` that of a new value x:
//! `mean' = (w mean + u x) / (w + u)` and
//! `var' = (w (var + (mean - mean')^2) + u (x - mean')^2) / (w + u)`. The factor that takes the bias
//! away is `w^2 / (w^2 - sum of squared weights)`; the divisor is kept as the sum of products of
//! different weights, `cross' = cross + 2 w u`, of which nothing cancels.

use super::{
    decay::Decay,
    recursive::{Formula, Passing, State},
};

/// Share of the squared sum of weights below which there is only one value that counts.
const ALONE: f64 = 1.0 / (1_u64 << 60) as f64;

/// How a new value is weighed.
#[derive(Debug, Clone)]
pub(super) struct Weighing {
    pub(super) decay: Decay,
    /// As in pandas: weights relative to all of them; else every value takes a share from the one
    /// before, so that the first one has that of all that might have come before it.
    pub(super) adjust: bool,
}

impl Weighing {
    /// What is left of the sum of weights `w`, and the weight of a value at `time`.
    fn weigh<const N: usize>(&self, state: &State<N>, w: f64, time: i64) -> [f64; 2] {
        let weights = self.decay.by_time(state.time, time);
        let left = w * weights.before;
        if self.adjust {
            return [left, weights.own];
        }
        match self.decay {
            // The share that the time since the newest value gives: none to one that is behind it.
            Decay::Time { .. } => [left, 1.0 - left],
            Decay::Rows { keep, .. } => [left, 1.0 - keep],
        }
    }

    fn pass<const N: usize, const M: usize>(&self, record: &Passing<M>) -> f64 {
        self.decay.by_row(record.own.is_some())
    }
}

/// The mean of a mean and a value: equal ones stay what they are.
fn mean_of(mean: f64, left: f64, x: f64, own: f64) -> f64 {
    if mean.total_cmp(&x).is_eq() { mean } else { mix(mean, left, x, own) }
}

/// Weighted by shares, so that great values do not overflow.
fn mix(a: f64, weight_a: f64, b: f64, weight_b: f64) -> f64 {
    let sum = weight_a + weight_b;
    a * (weight_a / sum) + b * (weight_b / sum)
}

/// The mean. Numbers: sum of weights, mean.
#[derive(Debug)]
pub(super) struct Mean(pub(super) Weighing);

impl Formula<2, 1> for Mean {
    fn pass(&self, state: &mut State<2>, record: &Passing<1>) {
        state.numbers[0] *= self.0.pass::<2, 1>(record);
    }

    fn learn(&self, state: &mut State<2>, time: i64, [x]: [f64; 1]) {
        if state.n == 0 {
            state.numbers = [1.0, x];
            return;
        }
        let [w, mean] = state.numbers;
        let [left, own] = self.0.weigh(state, w, time);
        let mean = mean_of(mean, left, x, own);
        state.numbers = [if self.0.adjust { left + own } else { 1.0 }, mean];
    }

    fn value(&self, state: &State<2>, _record: &Passing<1>) -> Option<f64> {
        (state.n > 0).then_some(state.numbers[1])
    }

    fn is_sound(&self, state: &State<2>) -> bool {
        state.numbers[0] >= 0.0
    }
}

/// The variance. Numbers: sum of weights, mean, biased variance, sum of products of different
/// weights.
#[derive(Debug)]
pub(super) struct Variance {
    pub(super) weighing: Weighing,
    pub(super) bias: bool,
    /// True if its root is told.
    pub(super) root: bool,
}

impl Formula<4, 1> for Variance {
    fn pass(&self, state: &mut State<4>, record: &Passing<1>) {
        let left = self.weighing.pass::<4, 1>(record);
        state.numbers[0] *= left;
        state.numbers[3] *= left * left;
    }

    fn learn(&self, state: &mut State<4>, time: i64, [x]: [f64; 1]) {
        if state.n == 0 {
            state.numbers = [1.0, x, 0.0, 0.0];
            return;
        }
        let [w, mean, var, cross] = state.numbers;
        let [left, own] = self.weighing.weigh(state, w, time);
        let before = self.weighing.decay.by_time(state.time, time).before;
        let next = mean_of(mean, left, x, own);
        let squared = |d: f64| d * d;
        let var = mix(var + squared(mean - next), left, squared(x - next), own);
        let cross = cross * squared(before) + 2.0 * left * own;
        let sum = left + own;
        state.numbers = if self.weighing.adjust {
            [sum, next, var, cross]
        } else {
            [1.0, next, var, cross / squared(sum)]
        };
    }

    fn value(&self, state: &State<4>, _record: &Passing<1>) -> Option<f64> {
        let [w, _, var, cross] = state.numbers;
        if state.n == 0 {
            return None;
        }
        let told = if self.bias {
            var
        } else if cross > ALONE * (w * w) {
            var * (w * w / cross)
        } else {
            return None;
        };
        Some(if self.root { told.sqrt() } else { told })
    }

    fn is_sound(&self, state: &State<4>) -> bool {
        let [w, _, var, cross] = state.numbers;
        w >= 0.0 && var >= 0.0 && cross >= 0.0
    }
}
