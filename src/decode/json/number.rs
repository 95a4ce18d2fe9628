//! Numbers, read with full round trip.

use super::cursor::{Cursor, Parsed};

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
/// Digits that 64 bits always hold.
const DIGITS_EXACT: usize = 19;
/// 2^53: every integer up to it is a float.
const MANTISSA_EXACT: u64 = 1 << 53;

/// A number as written: (-1)^negative * mantissa * 10^exponent, if it has few enough digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    negative: bool,
    mantissa: u64,
    /// Digits written, leading zeros included.
    digits: usize,
    exponent: i32,
    /// True without fraction and exponent.
    whole: bool,
    start: usize,
    end: usize,
}

/// A number that an integer column cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotInteger {
    /// It has a fraction.
    Fraction,
    /// It has more than 64 bits.
    Wide,
}

impl Number {
    /// The nearest float, where one operation gives it.
    #[inline]
    pub(super) fn float(&self) -> Option<f64> {
        let places = self.exponent.unsigned_abs();
        if self.digits > DIGITS_EXACT || self.mantissa > MANTISSA_EXACT || places > 22 {
            return None;
        }
        // Both sides are exact, so one operation rounds once, as it should (Clinger 1990).
        let (mantissa, power) = (self.mantissa as f64, POWERS[places as usize]);
        let value = if self.exponent < 0 { mantissa / power } else { mantissa * power };
        Some(if self.negative { -value } else { value })
    }

    /// The integer, where it is written as one and has 64 bits.
    #[inline]
    pub(super) fn integer(&self) -> Option<i64> {
        let value = i64::try_from(self.mantissa).ok()?;
        let is_exact = self.whole && self.digits <= DIGITS_EXACT;
        is_exact.then_some(if self.negative { -value } else { value })
    }
}

/// Reads a number without an exponent that is followed by something else, and says where it ends.
#[inline]
pub(super) fn decimal(document: &[u8], start: usize) -> Option<(Number, usize)> {
    let rest = document.get(start..)?;
    let negative = rest.first() == Some(&b'-');
    let first = usize::from(negative);
    let mut mantissa = 0;
    let mut at = digits(rest, first, &mut mantissa);
    let mut digits_written = at - first;
    if digits_written == 0 || (digits_written > 1 && rest[first] == b'0') {
        return None;
    }
    let (mut whole, mut exponent) = (true, 0);
    if rest.get(at) == Some(&b'.') {
        let point = at + 1;
        at = digits(rest, point, &mut mantissa);
        digits_written += at - point;
        (whole, exponent) = (false, -i32::try_from(at - point).ok()?);
        if at == point {
            return None;
        }
    }
    if matches!(rest.get(at)?, b'e' | b'E') {
        return None;
    }
    let end = start + at;
    Some((Number { negative, mantissa, digits: digits_written, exponent, whole, start, end }, end))
}

/// Adds the digits from `at` on to a mantissa, and says where they end. It wraps beyond 19 of them;
/// then it is not used.
#[inline]
fn digits(text: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(digit @ b'0'..=b'9') = text.get(at) {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        at += 1;
    }
    at
}

impl Cursor<'_> {
    /// Reads a number; its first byte is `-` or a digit.
    #[inline]
    pub(super) fn number(&mut self) -> Parsed<Number> {
        let start = self.at;
        let negative = self.take(b'-');
        let first = self.at;
        let mut mantissa = 0;
        self.digits(&mut mantissa)?;
        let mut digits = self.at - first;
        if digits > 1 && self.bytes[first] == b'0' {
            self.at = first + 1;
            return Err(self.fault("no digit after a leading zero"));
        }
        let mut whole = true;
        let mut exponent = 0_i32;
        if self.take(b'.') {
            whole = false;
            let point = self.at;
            self.digits(&mut mantissa)?;
            digits += self.at - point;
            exponent = -i32::try_from(self.at - point).unwrap_or(i32::MAX);
        }
        if matches!(self.peek(), b'e' | b'E') {
            whole = false;
            exponent = exponent.saturating_add(self.exponent()?);
        }
        Ok(Number { negative, mantissa, digits, exponent, whole, start, end: self.at })
    }

    /// The number as the nearest float; one beyond all floats is no number.
    #[inline]
    pub(super) fn float(&self, number: &Number) -> Parsed<f64> {
        match number.float() {
            Some(value) => Ok(value),
            None => self.long_float(number),
        }
    }

    #[cold]
    fn long_float(&self, number: &Number) -> Parsed<f64> {
        let text = std::str::from_utf8(&self.bytes[number.start..number.end]);
        let value: f64 = text.ok().and_then(|t| t.parse().ok()).expect("the grammar was checked");
        if value.is_finite() { Ok(value) } else { Err(self.fault("a number that a float holds")) }
    }

    /// The number as an integer: `1`, `1.0` and `1e0` are the same.
    #[inline]
    pub(super) fn integer(&self, number: &Number) -> Parsed<Result<i64, NotInteger>> {
        if number.whole && number.digits <= DIGITS_EXACT {
            let value =
                i64::try_from(number.mantissa).map(|m| if number.negative { -m } else { m });
            // Only -2^63 itself has a mantissa beyond.
            let lowest = number.negative && number.mantissa == 1 << 63;
            return Ok(value.or(if lowest { Ok(i64::MIN) } else { Err(NotInteger::Wide) }));
        }
        let value = self.float(number)?;
        if number.whole {
            return Ok(Err(NotInteger::Wide));
        }
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        Ok(if value.fract() != 0.0 {
            Err(NotInteger::Fraction)
        } else if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
            Ok(value as i64)
        } else {
            Err(NotInteger::Wide)
        })
    }

    /// Checks that the number is one, for a value that no column holds.
    pub(super) fn in_range(&self, number: &Number) -> Parsed<()> {
        self.float(number).map(|_| ())
    }

    fn digits(&mut self, mantissa: &mut u64) -> Parsed<()> {
        let start = self.at;
        self.at = digits(self.bytes, start, mantissa);
        if self.at == start { Err(self.fault("a digit")) } else { Ok(()) }
    }

    fn exponent(&mut self) -> Parsed<i32> {
        self.at += 1;
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let start = self.at;
        let mut exponent = 0_i32;
        while let digit @ b'0'..=b'9' = self.peek() {
            exponent = exponent.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
            self.at += 1;
        }
        if self.at == start {
            return Err(self.fault("a digit"));
        }
        Ok(if negative { -exponent } else { exponent })
    }
}
