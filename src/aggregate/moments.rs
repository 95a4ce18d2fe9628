//! Count, sum, mean, spread and extremes of a run of values, kept so that runs can be joined.
//!
//! With a centre `c` near the values, a run keeps `d1 = sum(x - c)` and `d2 = sum((x - c)^2)`.
//! Joining runs with different centres needs no division: with `e = c_part - c`,
//! `sum(x - c) = d1 + n e` and `sum((x - c)^2) = d2 + e (2 d1 + n e)`. The mean is `c + d1 / n`,
//! the sum of squared deviations `d2 - d1^2 / n`. When `c` is one of the values, the difference
//! loses at most a factor `n + 1` of precision, because `(c - mean)^2 <= m2`; equal values give
//! `d1 = d2 = 0` exactly. This is the shifted form of Chan, Golub and Leveque, "Algorithms for
//! computing the sample variance" (1983).

/// Moments and extremes of a run of values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    /// Number of values.
    pub(super) n: u64,
    /// What the deviations are taken from.
    pub(super) centre: f64,
    /// Sum of deviations.
    pub(super) d1: f64,
    /// Sum of squared deviations.
    pub(super) d2: f64,
    /// Plain sum, so that sums of integers are exact.
    pub(super) sum: f64,
    /// Least ordering key.
    pub(super) min: i64,
    /// Greatest ordering key.
    pub(super) max: i64,
}

impl Default for Moments {
    fn default() -> Self {
        Self::around(0.0)
    }
}

impl Moments {
    /// No values yet; deviations will be taken from `centre`.
    pub(super) fn around(centre: f64) -> Self {
        Self { n: 0, centre, d1: 0.0, d2: 0.0, sum: 0.0, min: i64::MAX, max: i64::MIN }
    }

    /// Adds one value.
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        let deviation = value - self.centre;
        self.d1 += deviation;
        self.d2 += deviation * deviation;
        self.sum += value;
    }

    /// Widens the extremes.
    #[inline]
    pub(super) fn widen(&mut self, key: i64) {
        self.min = self.min.min(key);
        self.max = self.max.max(key);
    }

    /// Joins another run.
    #[inline]
    pub(super) fn merge(&mut self, part: &Self) {
        if part.n == 0 {
            return;
        }
        let n = part.n as f64;
        let shift = part.centre - self.centre;
        self.n += part.n;
        self.d1 += part.d1 + n * shift;
        self.d2 += part.d2 + shift * (2.0 * part.d1 + n * shift);
        self.sum += part.sum;
        self.min = self.min.min(part.min);
        self.max = self.max.max(part.max);
    }

    /// This run and the one behind it.
    pub(super) fn joined(&self, behind: &Self) -> Self {
        if self.n == 0 {
            // It has no centre worth keeping.
            return *behind;
        }
        let mut both = *self;
        both.merge(behind);
        both
    }

    /// The mean. Infinite or NaN as the plain sum says if a value was not finite.
    pub(super) fn mean(&self) -> f64 {
        let n = self.n as f64;
        let mean = self.centre + self.d1 / n;
        if mean.is_finite() { mean } else { self.sum / n }
    }

    /// Sum of squared deviations from the mean.
    pub(super) fn m2(&self) -> f64 {
        let m2 = self.d2 - self.d1 * self.d1 / self.n as f64;
        // Not `max`: a NaN has to stay.
        if m2 < 0.0 { 0.0 } else { m2 }
    }

    /// True if the centre lies so far off the mean that more than three digits cancel.
    pub(super) fn off_centre(&self) -> bool {
        self.d1 * self.d1 > 0.999 * self.d2 * self.n as f64
    }

    /// Moves the centre to the mean. Equal values stay exact, values that are not finite do not
    /// have one and stay.
    pub(super) fn recentre(&mut self) {
        let mean = self.centre + self.d1 / self.n as f64;
        if mean.is_finite() {
            // The shift that is made, which rounding sets off from the one that was meant.
            let shift = mean - self.centre;
            let d1 = self.d1 - self.n as f64 * shift;
            let d2 = self.d2 - shift * (self.d1 + d1);
            self.d2 = if d2 < 0.0 { 0.0 } else { d2 };
            self.d1 = d1;
            self.centre = mean;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[f64]) -> Moments {
        let mut moments = Moments::around(values[0]);
        for value in values {
            moments.add(*value);
            moments.n += 1;
        }
        moments
    }

    #[test]
    fn joined_runs_equal_one_run_and_constants_are_exact() {
        let mut joined = run(&[1.0, 5.0, 2.0]);
        let mut part = run(&[1e3, -4.0]);
        part.recentre();
        joined.merge(&part);
        let whole = run(&[1.0, 5.0, 2.0, 1e3, -4.0]);
        assert!((joined.mean() - whole.mean()).abs() < 1e-12 * whole.mean());
        assert!((joined.m2() - whole.m2()).abs() < 1e-12 * whole.m2());

        let mut constant = run(&[0.1; 7]);
        constant.recentre();
        constant.merge(&run(&[0.1; 5]));
        assert_eq!((constant.mean().to_bits(), constant.m2()), (0.1_f64.to_bits(), 0.0));
    }
}
