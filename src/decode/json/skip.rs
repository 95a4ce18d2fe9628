//! Values that no column takes apart: checked, and passed over.

use super::{
    cursor::{Cursor, Fault, Parsed},
    text::unescape,
};
use std::ops::Range;

/// The keys of the open objects that are not declared, so that none stands twice.
#[derive(Debug, Default)]
pub(super) struct Keys {
    keys: Vec<Key>,
    /// Keys with escapes, resolved.
    resolved: Vec<u8>,
}

#[derive(Debug)]
struct Key {
    at: usize,
    /// In `resolved` if true, else in the record.
    is_resolved: bool,
    range: Range<usize>,
}

impl Keys {
    /// Forgets what a broken document left behind.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.resolved.clear();
    }

    /// A mark at the start of an object.
    pub(super) fn mark(&self) -> usize {
        self.keys.len()
    }

    /// Resolves a key with escapes; the range is in [`Keys::resolved`].
    pub(super) fn resolve(&mut self, inside: &[u8]) -> Range<usize> {
        let start = self.resolved.len();
        unescape(inside, &mut self.resolved);
        start..self.resolved.len()
    }

    /// Resolved bytes.
    pub(super) fn resolved(&self, range: Range<usize>) -> &[u8] {
        &self.resolved[range]
    }

    /// Notes a key of the innermost object.
    pub(super) fn push(&mut self, at: usize, range: Range<usize>, is_resolved: bool) {
        self.keys.push(Key { at, is_resolved, range });
    }

    /// At the end of an object: all its keys since `mark` differ.
    pub(super) fn distinct(&mut self, mark: usize, bytes: &[u8]) -> Parsed<()> {
        let resolved = &self.resolved;
        let text = |key: &Key| -> &[u8] {
            if key.is_resolved { &resolved[key.range.clone()] } else { &bytes[key.range.clone()] }
        };
        let keys = &mut self.keys[mark..];
        if keys.len() > 1 {
            keys.sort_unstable_by(|a, b| text(a).cmp(text(b)).then(a.at.cmp(&b.at)));
            let twice = keys.windows(2).filter(|w| text(&w[0]) == text(&w[1])).map(|w| w[1].at);
            if let Some(at) = twice.min() {
                return Err(duplicate(at));
            }
        }
        self.keys.truncate(mark);
        Ok(())
    }
}

/// A key that its object had already.
#[cold]
pub(super) fn duplicate(at: usize) -> Fault {
    Fault { at, expected: "a key that the object does not have yet" }
}

impl Cursor<'_> {
    /// Passes over any value.
    pub(super) fn skip(&mut self, keys: &mut Keys, depth: u8) -> Parsed<()> {
        match self.peek() {
            b'"' => {
                self.at += 1;
                self.text().map(|_| ())
            }
            b'{' => self.skip_object(keys, depth),
            b'[' => self.skip_array(keys, depth),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => {
                let number = self.number()?;
                self.in_range(&number)
            }
            _ => Err(self.fault("a value")),
        }
    }

    fn skip_array(&mut self, keys: &mut Keys, depth: u8) -> Parsed<()> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        self.space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.skip(keys, depth)?;
            if !self.more(b']', "`,` or `]`")? {
                return Ok(());
            }
        }
    }

    fn skip_object(&mut self, keys: &mut Keys, depth: u8) -> Parsed<()> {
        let depth = self.deeper(depth)?;
        let mark = keys.mark();
        self.at += 1;
        self.space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.expect(b'"', "a key")?;
            let at = self.at;
            let key = self.text()?;
            if key.escaped {
                let range = keys.resolve(&self.bytes[key.inside]);
                keys.push(at, range, true);
            } else {
                keys.push(at, key.inside, false);
            }
            self.colon()?;
            self.skip(keys, depth)?;
            if !self.more(b'}', "`,` or `}`")? {
                return keys.distinct(mark, self.bytes);
            }
        }
    }

    /// Takes the colon behind a key.
    #[inline]
    pub(super) fn colon(&mut self) -> Parsed<()> {
        self.space();
        self.expect(b':', "`:`")?;
        self.space();
        Ok(())
    }
}
