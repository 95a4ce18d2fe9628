//! Numbers into a message: the shortest text that reads back as the same bits.
//!
//! Most numbers of a feature vector are short decimals, such as amounts and what was added up from
//! them. One division finds those, and the general algorithm is left to the others.

use super::{line::Line, text::write_json};
use serde::Serialize;

/// Decimals of a short number, at most.
const DECIMALS: usize = 5;
/// Units of the last decimal in one.
const UNITS: u32 = 100_000;

/// Below it a number has fifteen digits at most, of which no two read as the same bits: so that the
/// text that reads back is the shortest that does.
const SHORT_BELOW: f64 = 1e10;

/// Appends an integer as JSON.
#[inline(never)]
pub(super) fn write_integer<T: Serialize>(value: T, line: &mut Line<'_>) {
    write_json(&value, line);
}

/// Appends a float as JSON; null for what JSON has no word for.
#[inline(never)]
pub(super) fn write_float(value: f64, line: &mut Line<'_>) {
    match short(value.abs()) {
        Some(scaled) => {
            if value.is_sign_negative() {
                line.push(b'-');
            }
            write_short(scaled, line);
        }
        None => write_json(&value, line),
    }
}

/// Appends a float of single precision as JSON: the shortest text that reads back as the same 32 bits.
#[inline(never)]
pub(super) fn write_float32(value: f32, line: &mut Line<'_>) {
    write_json(&value, line);
}

/// The number in units of the last decimal, if it is short; not so for NaN and infinities.
#[inline]
fn short(value: f64) -> Option<u64> {
    if value >= SHORT_BELOW || value.is_nan() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "rounds; below 1e15")]
    let scaled = (value * f64::from(UNITS) + 0.5) as i64;
    #[expect(clippy::float_cmp, reason = "the same bits are asked for")]
    let is_short = scaled as f64 / f64::from(UNITS) == value;
    is_short.then_some(scaled.cast_unsigned())
}

/// Appends what is in units of the last decimal, without zeros at the end but one.
#[inline]
fn write_short(scaled: u64, line: &mut Line<'_>) {
    let units = u64::from(UNITS);
    write_json(&(scaled / units), line);
    let mut rest = u32::try_from(scaled % units).expect("less than one");
    let mut text = *b".00000  ";
    let mut length = 2;
    for place in (1..=DECIMALS).rev() {
        let digit = u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        text[place] += digit;
        if digit > 0 && length == 2 {
            length = place + 1;
        }
    }
    line.push_first(&text, length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(value: f64) -> String {
        let mut room = Vec::new();
        let text = Line::write(&mut room, |line| write_float(value, line));
        String::from_utf8(text.to_vec()).unwrap()
    }

    fn expected(value: f64) -> String {
        serde_json::to_string(&value).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn floats_are_those_of_serde_json(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assert_eq!(written(value), expected(value));
        }

        #[test]
        fn short_decimals_are_those_of_serde_json(
            digits in -20_000_000_000_000_000_i64..20_000_000_000_000_000,
            cut in 0..17_u32,
            decimals in 0..9_u32,
            ulps in -1..=1_i64,
        ) {
            let short = (digits / 10_i64.pow(cut)) as f64 / 10_f64.powi(decimals.cast_signed());
            // Its neighbours have many digits.
            let value = f64::from_bits(short.to_bits().wrapping_add_signed(ulps));
            prop_assert_eq!(written(value), expected(value));
        }

        #[test]
        fn what_adding_up_leaves_is_that_of_serde_json(
            cents in prop::collection::vec(0..10_000_000_u32, 1..50),
        ) {
            let sum: f64 = cents.iter().map(|cents| f64::from(*cents) / 100.0).sum();
            prop_assert_eq!(written(sum), expected(sum));
            prop_assert_eq!(written(-sum), expected(-sum));
        }
    }

    #[test]
    fn the_ends_of_what_is_short() {
        let ends = [
            0.0,
            -0.0,
            1e-5,
            9e-6,
            1.5e-5,
            0.1,
            0.3,
            0.1 + 0.2,
            1.0,
            100.0,
            1e5,
            9_999_999_999.999_99,
            9_999_999_999.999_998,
            1e10,
            1e10 + 0.5,
            1e15,
            1e16,
            1e17,
            1e300,
            5e-324,
            f64::MAX,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ];
        for value in ends {
            assert_eq!(written(value), expected(value));
        }
    }
}
