//! Strings: found in one scan, copied as they stand where they have no escapes.

use super::cursor::{Cursor, Parsed};
use std::ops::Range;

/// The inside of a string that was checked.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// Bytes between the quotes.
    pub(super) inside: Range<usize>,
    /// True if there are escapes among them.
    pub(super) escaped: bool,
}

impl Cursor<'_> {
    /// Reads a string behind its opening quote; escapes are checked, not resolved.
    #[inline]
    pub(super) fn text(&mut self) -> Parsed<Text> {
        self.has_text = true;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.plain();
            match self.peek() {
                b'"' => {
                    let inside = start..self.at;
                    self.at += 1;
                    return Ok(Text { inside, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ if self.at == self.bytes.len() => return Err(self.fault("the end of a string")),
                _ => return Err(self.fault("an escape for a control character")),
            }
        }
    }

    /// Moves to the next quote, backslash, control character or the end, eight bytes at a time.
    #[inline]
    fn plain(&mut self) {
        while let Some(chunk) = self.bytes.get(self.at..self.at + 8) {
            let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
            let special = special(word);
            if special != 0 {
                self.at += (special.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while self.at < self.bytes.len() && !matches!(self.peek(), b'"' | b'\\' | 0..=0x1f) {
            self.at += 1;
        }
    }

    fn escape(&mut self) -> Parsed<()> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                let unit = self.hex()?;
                if matches!(unit, 0xdc00..=0xdfff) {
                    return Err(self.fault("a leading surrogate before this one"));
                }
                if matches!(unit, 0xd800..=0xdbff) {
                    self.trailing_surrogate()?;
                }
            }
            _ => return Err(self.fault("an escape")),
        }
        Ok(())
    }

    fn trailing_surrogate(&mut self) -> Parsed<()> {
        if self.rest().starts_with(b"\\u") {
            self.at += 2;
            if matches!(self.hex()?, 0xdc00..=0xdfff) {
                return Ok(());
            }
        }
        Err(self.fault("a trailing surrogate"))
    }

    fn hex(&mut self) -> Parsed<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(code_unit);
        let unit = digits.ok_or_else(|| self.fault("four hexadecimal digits"))?;
        self.at += 4;
        Ok(unit)
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte that is a quote, a backslash or below 0x20. The lowest one is exact;
/// a borrow can only raise false ones above it.
#[inline]
fn special(word: u64) -> u64 {
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control
}

/// As [`special`], and the high bit of each byte that is not ASCII: the lowest one is exact.
#[inline]
pub(super) fn unusual(word: u64) -> u64 {
    special(word) | (word & HIGHS)
}

fn code_unit(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// Appends the text that a checked string with escapes stands for.
pub(super) fn unescape(inside: &[u8], out: &mut Vec<u8>) {
    let mut rest = inside;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let (character, length) = escaped(&rest[at + 1..]);
        let mut buffer = [0; 4];
        out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        rest = &rest[at + 1 + length..];
    }
    out.extend_from_slice(rest);
}

/// The character of the escape behind a backslash, and the escape's length.
fn escaped(escape: &[u8]) -> (char, usize) {
    match escape[0] {
        b'b' => ('\u{8}', 1),
        b'f' => ('\u{c}', 1),
        b'n' => ('\n', 1),
        b'r' => ('\r', 1),
        b't' => ('\t', 1),
        b'u' => {
            let unit = |at: usize| code_unit(&escape[at..at + 4]).expect("the digits were checked");
            let first = unit(1);
            let (code, length) = match first {
                0xd800..=0xdbff => (0x1_0000 + ((first - 0xd800) << 10) + (unit(7) - 0xdc00), 11),
                _ => (first, 5),
            };
            (char::from_u32(code).expect("surrogates were checked"), length)
        }
        itself => (char::from(itself), 1),
    }
}
