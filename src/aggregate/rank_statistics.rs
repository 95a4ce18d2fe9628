//! Order statistics of a window's values, without sorting them all.

use super::Kind;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a quantile is where it falls between two values. Names and meaning are those of numpy and
/// pandas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// On the line between the two: the default.
    #[default]
    Linear,
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
    /// The mean of both.
    Midpoint,
    /// The nearer one; right between them, that of even rank counted from 0.
    Nearest,
}

/// The `q` quantile of the values of `keys`, which are left in another order: where `q (n - 1)`
/// points, counted from 0 in ascending order. None without values. NaN is the greatest value.
///
/// Hyndman and Fan, "Sample quantiles in statistical packages" (1996), definition 7.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank below n")]
#[expect(clippy::float_cmp, reason = "equal is equal here")]
pub fn quantile(keys: &mut [i64], kind: Kind, q: f64, interpolation: Interpolation) -> Option<f64> {
    let greatest = keys.len().checked_sub(1)?;
    let place = q * greatest as f64;
    let (below, part) = (place.floor(), place.fract());
    let (_, low, above) = keys.select_nth_unstable(below as usize);
    let low = kind.number(*low);
    let high = above.iter().min().map_or(low, |key| kind.number(*key));
    let lower_is_even = (below as usize).is_multiple_of(2);
    Some(match interpolation {
        _ if part == 0.0 => low,
        Interpolation::Lower => low,
        Interpolation::Nearest if part < 0.5 || part == 0.5 && lower_is_even => low,
        Interpolation::Higher | Interpolation::Nearest => high,
        // Weights add up to one but for rounding.
        Interpolation::Linear | Interpolation::Midpoint if low == high => low,
        Interpolation::Linear => low * (1.0 - part) + high * part,
        Interpolation::Midpoint => low * 0.5 + high * 0.5,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::float_key, *};

    fn of(values: &[f64], q: f64, interpolation: Interpolation) -> Option<f64> {
        let mut keys: Vec<i64> = values.iter().map(|value| float_key(*value)).collect();
        quantile(&mut keys, Kind::Float, q, interpolation)
    }

    /// numpy.quantile([1, 2, 3, 4, 100], q, method=...)
    #[test]
    fn quantiles_are_those_of_numpy() {
        use Interpolation::{Higher, Linear, Lower, Midpoint, Nearest};
        let values = [4.0, 100.0, 1.0, 3.0, 2.0];
        let expected = [
            (Linear, [1.0, 1.4, 2.2, 3.0, 61.6, 100.0]),
            (Lower, [1.0, 1.0, 2.0, 3.0, 4.0, 100.0]),
            (Higher, [1.0, 2.0, 3.0, 3.0, 100.0, 100.0]),
            (Midpoint, [1.0, 1.5, 2.5, 3.0, 52.0, 100.0]),
            (Nearest, [1.0, 1.0, 2.0, 3.0, 100.0, 100.0]),
        ];
        for (interpolation, expected) in expected {
            for (q, expected) in [0.0, 0.1, 0.3, 0.5, 0.9, 1.0].into_iter().zip(expected) {
                let got = of(&values, q, interpolation).unwrap();
                assert!((got - expected).abs() < 1e-12, "{interpolation:?} {q}: {got}");
            }
        }
        assert_eq!(of(&[1.0, 2.0], 0.5, Nearest), Some(1.0), "to the even rank");
        assert_eq!(of(&[0.0, 1.0, 2.0, 3.0], 0.5, Nearest), Some(2.0), "to the even rank");
        assert_eq!(of(&[], 0.5, Linear), None);
        assert_eq!(of(&[f64::INFINITY; 4], 0.5, Linear), Some(f64::INFINITY));
        assert_eq!(of(&[5.0, -f64::INFINITY], 0.5, Midpoint), Some(-f64::INFINITY));
        assert_eq!(of(&[-1.7e308, 1.7e308], 0.5, Linear), Some(0.0));
    }
}
