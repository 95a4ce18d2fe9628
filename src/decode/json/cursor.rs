//! A place in a document, and what is wrong there.

/// Nested arrays and objects that a document may have, less one: as `serde_json` counts.
const DEPTH_MAX: u8 = 128;

/// Why bytes are not a document: where, and what belongs there. Never the bytes themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

/// A step of the parser.
pub(super) type Parsed<T> = Result<T, Fault>;

/// A place in a document.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// True once a text was read of which only its end is known, not that it is UTF-8.
    pub(super) has_text: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, has_text: false }
    }

    /// The next byte; 0 at the end, which no token begins with.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// The bytes not yet read.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The bytes from `start` to here.
    #[inline]
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    /// Skips white space.
    #[inline]
    pub(super) fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Takes `byte` if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == byte;
        self.at += usize::from(next);
        next
    }

    /// Takes `byte`, or says what was expected.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Parsed<()> {
        if self.take(byte) { Ok(()) } else { Err(self.fault(expected)) }
    }

    /// Takes `true`, `false` or `null`.
    #[inline]
    pub(super) fn literal(&mut self, word: &'static str) -> Parsed<()> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.fault("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes what follows an element: true for a comma, false for `close`.
    #[inline]
    pub(super) fn more(&mut self, close: u8, expected: &'static str) -> Parsed<bool> {
        self.space();
        if self.take(b',') {
            self.space();
            return Ok(true);
        }
        self.expect(close, expected).map(|()| false)
    }

    /// The depth one level down.
    #[inline]
    pub(super) fn deeper(&self, depth: u8) -> Parsed<u8> {
        if depth + 1 == DEPTH_MAX { Err(self.fault("less depth than 128")) } else { Ok(depth + 1) }
    }

    /// Something else was expected here.
    #[cold]
    pub(super) fn fault(&self, expected: &'static str) -> Fault {
        Fault { at: self.at, expected }
    }
}
