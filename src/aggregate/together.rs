//! How the values of two columns vary together.

use super::{Content, Kind, Pair};

/// Sums over the events of a window, deviations taken from the means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Together {
    /// Number of events.
    pub(super) n: u64,
    /// Sum of squared deviations of the first column.
    pub(super) squares: f64,
    /// The same of the second.
    pub(super) squares_beside: f64,
    /// Sum of the products of both.
    pub(super) products: f64,
}

impl Together {
    /// In two passes, each value taken off the first one of its column: values may be large and lie
    /// close together, and equal values give exactly 0.
    pub(super) fn of(content: &Content<'_>, [kind, beside]: [Kind; 2]) -> Option<Self> {
        let origin = content.pairs().next()?;
        let points = content.pairs().map(|Pair { first, second }| {
            (kind.difference(first, origin.first), beside.difference(second, origin.second))
        });
        let count = points.len();
        let n = count as f64;
        let (sum_x, sum_y) = points.clone().fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
        let (mean_x, mean_y) = (sum_x / n, sum_y / n);
        let mut together =
            Self { n: count as u64, squares: 0.0, squares_beside: 0.0, products: 0.0 };
        for (x, y) in points {
            let (x, y) = (x - mean_x, y - mean_y);
            together.squares += x * x;
            together.squares_beside += y * y;
            together.products += x * y;
        }
        Some(together)
    }
}
