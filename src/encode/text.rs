//! Text into a message: constants, copied whole, and strings, nearly all of which need no escapes.

use super::line::Line;
use serde::Serialize;

/// Bytes of a constant that are copied at once.
const HEAD_BYTES: usize = 32;

/// A text that is written into every message, such as the name of a field.
///
/// One of up to 32 bytes is copied with what fills it up to 32 and then cut off: a copy of fixed
/// length costs a few instructions, one of any other length a call.
#[derive(Debug)]
pub(super) struct Constant {
    text: Vec<u8>,
    head: [u8; HEAD_BYTES],
}

impl Constant {
    pub(super) fn new(text: Vec<u8>) -> Self {
        let mut head = [0; HEAD_BYTES];
        let filled = text.len().min(HEAD_BYTES);
        head[..filled].copy_from_slice(&text[..filled]);
        Self { text, head }
    }

    /// Appends the text.
    #[inline]
    pub(super) fn write(&self, line: &mut Line<'_>) {
        if self.text.len() <= HEAD_BYTES {
            line.push_first(&self.head, self.text.len());
        } else {
            line.push_all(&self.text);
        }
    }
}

/// Appends a string as JSON, quotes included.
#[inline(never)]
pub(super) fn write_string(text: &str, line: &mut Line<'_>) {
    if is_plain(text.as_bytes()) {
        line.push(b'"');
        line.push_all(text.as_bytes());
        line.push(b'"');
    } else {
        write_json(text, line);
    }
}

/// Appends a scalar as `serde_json` writes it.
#[inline]
pub(super) fn write_json<T: Serialize + ?Sized>(value: &T, line: &mut Line<'_>) {
    serde_json::to_writer(line, value).expect("scalars are JSON and memory takes them");
}

/// True if no byte needs an escape.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return !text.iter().any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
    };
    // The last eight may have been looked at before.
    let words = text.as_chunks::<8>().0.iter().chain([last]);
    words.fold(0, |found, word| found | special(u64::from_le_bytes(*word))) == 0
}

/// Not zero if one of the bytes is a quote, a backslash or below 0x20.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_those_of_serde_json(text in "[a-c\\x1e-\\x23\\\\é\u{7f}\u{2028}]{0,40}") {
            let mut room = Vec::new();
            let written = Line::write(&mut room, |line| write_string(&text, line));
            let expected = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(written, expected.as_bytes());
        }

        #[test]
        fn constants_are_written_as_they_are(text in "[a-z]{0,70}") {
            let constant = Constant::new(text.clone().into_bytes());
            let mut room = Vec::new();
            prop_assert_eq!(Line::write(&mut room, |line| constant.write(line)), text.as_bytes());
        }
    }
}
