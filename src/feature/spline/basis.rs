//! The B-splines of a sequence of knots: de Boor, "A practical guide to splines" (1978).

/// All B-splines of a degree over knots that ascend.
#[derive(Debug)]
pub(super) struct Basis {
    degree: usize,
    /// Base knots, and `degree` more on each side.
    knots: Vec<f64>,
}

impl Basis {
    /// Knots beyond the ends lie as far apart as the two at that end: Eilers and Marx, "Flexible
    /// smoothing with B-splines and penalties" (1996).
    pub(super) fn open(base: &[f64], degree: usize) -> Self {
        let (first, last) = (base[0], base[base.len() - 1]);
        let (before, after) = (base[1] - first, last - base[base.len() - 2]);
        let steps = 1..=degree;
        let left = steps.clone().rev().map(|step| first - step as f64 * before);
        let right = steps.map(|step| last + step as f64 * after);
        Self { degree, knots: left.chain(base.iter().copied()).chain(right).collect() }
    }

    /// Knots beyond the ends are those of the other end, a period away. There are more than `degree`.
    pub(super) fn periodic(base: &[f64], degree: usize) -> Self {
        let last = base.len() - 1;
        let period = base[last] - base[0];
        let left = base[last - degree..last].iter().map(|knot| knot - period);
        let right = base[1..=degree].iter().map(|knot| knot + period);
        Self { degree, knots: left.chain(base.iter().copied()).chain(right).collect() }
    }

    /// Number of splines.
    pub(super) fn len(&self) -> usize {
        self.knots.len() - self.degree - 1
    }

    /// The first and the last of the base knots.
    pub(super) fn range(&self) -> (f64, f64) {
        (self.knots[self.degree], self.knots[self.knots.len() - self.degree - 1])
    }

    /// Writes the splines at `x` that are not zero into `values`, of which there are `degree + 1`, and
    /// gives the place of the first. Beyond the range the pieces at its ends are continued.
    pub(super) fn values(&self, x: f64, values: &mut [f64]) -> usize {
        let knot = self.interval(x);
        self.of_degree(self.degree, knot, x, values);
        knot - self.degree
    }

    /// As [`Basis::values`], the first derivatives.
    pub(super) fn slopes(&self, x: f64, slopes: &mut [f64]) -> usize {
        let (degree, knot) = (self.degree, self.interval(x));
        let mut lower = vec![0.0; degree + 1];
        self.of_degree(degree - 1, knot, x, &mut lower);
        // Of one degree less there is one fewer, from the next place on.
        lower.rotate_right(1);
        lower[0] = 0.0;
        let first = knot - degree;
        let share = |place: usize| match lower.get(place) {
            Some(value) if place > 0 => {
                value / (self.knots[first + place + degree] - self.knots[first + place])
            }
            _ => 0.0,
        };
        for (place, slope) in slopes.iter_mut().enumerate() {
            *slope = degree as f64 * (share(place) - share(place + 1));
        }
        first
    }

    /// The base knot that begins the interval of `x`, or of the nearest end.
    fn interval(&self, x: f64) -> usize {
        let inner = &self.knots[self.degree + 1..self.knots.len() - self.degree - 1];
        self.degree + inner.partition_point(|knot| *knot <= x)
    }

    /// The splines of that degree in the interval of a knot, by degrees from 0 upwards.
    fn of_degree(&self, degree: usize, knot: usize, x: f64, values: &mut [f64]) {
        values[0] = 1.0;
        for upper in 1..=degree {
            let mut saved = 0.0;
            for (place, value) in values.iter_mut().enumerate().take(upper) {
                let right = self.knots[knot + place + 1];
                let left = self.knots[knot + place + 1 - upper];
                let share = *value / (right - left);
                *value = saved + (right - x) * share;
                saved = (x - left) * share;
            }
            values[upper] = saved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: Cox and de Boor's recursion.
    fn naive(knots: &[f64], place: usize, degree: usize, x: f64) -> f64 {
        if degree == 0 {
            return f64::from(u8::from(knots[place] <= x && x < knots[place + 1]));
        }
        let up = (x - knots[place]) / (knots[place + degree] - knots[place]);
        let down = (knots[place + degree + 1] - x) / (knots[place + degree + 1] - knots[place + 1]);
        up * naive(knots, place, degree - 1, x) + down * naive(knots, place + 1, degree - 1, x)
    }

    proptest! {
        #[test]
        fn splines_and_slopes_are_those_of_the_definition(
            steps in prop::collection::vec(0.1_f64..3.0, 3..8),
            degree in 1..4_usize,
            share in 0.0_f64..0.999,
            is_periodic in any::<bool>(),
        ) {
            let base: Vec<f64> = std::iter::once(-2.0)
                .chain(steps.iter().scan(-2.0, |knot, step| { *knot += step; Some(*knot) }))
                .collect();
            prop_assume!(!is_periodic || base.len() > degree);
            let basis =
                if is_periodic { Basis::periodic(&base, degree) } else { Basis::open(&base, degree) };
            let (first, last) = basis.range();
            let x = first + share * (last - first);
            let mut values = vec![0.0; degree + 1];
            let place = basis.values(x, &mut values);
            for spline in 0..basis.len() {
                let value = spline.checked_sub(place).and_then(|at| values.get(at));
                let expected = naive(&basis.knots, spline, degree, x);
                prop_assert!((value.unwrap_or(&0.0) - expected).abs() < 1e-12, "{spline} {expected}");
            }
            // The slope is that of the values, which sum up to 1 so that slopes sum up to 0.
            let mut slopes = vec![0.0; degree + 1];
            prop_assert_eq!(basis.slopes(x, &mut slopes), place);
            prop_assert!(slopes.iter().sum::<f64>().abs() < 1e-9);
            let step = 1e-6;
            let mut after = vec![0.0; degree + 1];
            if basis.values(x + step, &mut after) == place {
                for (place, slope) in slopes.iter().enumerate() {
                    let found = (after[place] - values[place]) / step;
                    prop_assert!((found - slope).abs() < 1e-3 * (1.0 + slope.abs()), "{found} {slope}");
                }
            }
        }
    }
}
