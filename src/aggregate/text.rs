//! Texts in windows: interned while they are buffered, copied out per batch.

use crate::state::Paged;
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// The distinct texts in the buffers of a lane, each with the number of events that hold it.
///
/// Which number a text has is nobody's business: what is made of a window, and what is saved of
/// its state, never depends on it.
#[derive(Debug, Default)]
pub struct Symbols {
    table: HashTable<u32>,
    entries: Paged<Symbol>,
    /// One more than the highest number ever given.
    count: u32,
    free: Vec<u32>,
    text_bytes: usize,
}

/// A text in use, or a number that is free.
#[derive(Debug, Clone, Default)]
pub(super) struct Symbol {
    pub(super) text: Box<str>,
    uses: u64,
}

impl Symbols {
    /// The key of `text`, for one more event that holds it.
    pub fn intern(&mut self, text: &str) -> i64 {
        let hash = xxh3_64(text.as_bytes());
        let entries = &self.entries;
        let known = self.table.find(hash, |number| &*entry(entries, *number).text == text);
        let number = match known {
            Some(number) => *number,
            None => self.insert(hash, text),
        };
        self.entries.get_mut(number).uses += 1;
        i64::from(number)
    }

    /// Gives a new text a number, which no event holds yet.
    fn insert(&mut self, hash: u64, text: &str) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.count = self.count.checked_add(1).expect("2^32 texts do not fit memory");
            self.count - 1
        });
        self.text_bytes += text.len();
        *self.entries.get_mut(number) = Symbol { text: text.into(), uses: 0 };
        let entries = &self.entries;
        let hash_of = |number: &u32| xxh3_64(entry(entries, *number).text.as_bytes());
        self.table.insert_unique(hash, number, hash_of);
        number
    }

    /// The text of a key that is in use.
    pub fn text(&self, key: i64) -> &str {
        &entry(&self.entries, Self::number(key)).text
    }

    /// Takes back one event's hold on a key.
    pub fn release(&mut self, key: i64) {
        let number = Self::number(key);
        let symbol = self.entries.get_mut(number);
        symbol.uses -= 1;
        if symbol.uses == 0 {
            let text = std::mem::take(&mut symbol.text);
            self.text_bytes -= text.len();
            let hash = xxh3_64(text.as_bytes());
            let entry = self.table.find_entry(hash, |other| *other == number);
            entry.expect("a symbol in use is in the table").remove();
            self.free.push(number);
        }
    }

    /// Heap bytes of the texts in use.
    pub fn bytes(&self) -> usize {
        self.text_bytes + self.table.len() * (size_of::<Symbol>() + 2 * size_of::<u32>())
    }

    /// The texts by number, as they are now.
    pub(super) fn capture(&self) -> Paged<Symbol> {
        self.entries.clone()
    }

    /// Gives the next text of a snapshot the next number; false if it has one. No event holds it
    /// yet.
    pub(super) fn restore(&mut self, text: &str) -> bool {
        let hash = xxh3_64(text.as_bytes());
        let entries = &self.entries;
        let known = self.table.find(hash, |number| &*entry(entries, *number).text == text);
        if known.is_some() {
            return false;
        }
        self.insert(hash, text);
        true
    }

    /// Lets one more event hold the text of a number; false if there is no such text.
    pub(super) fn hold(&mut self, key: i64) -> bool {
        let number = u32::try_from(key).ok().filter(|number| *number < self.count);
        if let Some(number) = number {
            self.entries.get_mut(number).uses += 1;
        }
        number.is_some()
    }

    /// True if an event holds each of the texts.
    pub(super) fn are_all_held(&self) -> bool {
        (0..self.count).all(|number| entry(&self.entries, number).uses > 0)
    }

    fn number(key: i64) -> u32 {
        u32::try_from(key).expect("keys of texts count from 0")
    }
}

pub(super) fn entry(entries: &Paged<Symbol>, number: u32) -> &Symbol {
    entries.get(number).expect("a number that was given has a page")
}

/// Texts that summaries of the current batch refer to. A symbol may be gone by the end of the
/// batch; its copy here is not.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

impl Texts {
    /// Forgets all texts and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Copies a text, and says what to refer to it by.
    pub fn push(&mut self, text: &str) -> i64 {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        i64::try_from(self.ends.len() - 1).expect("texts of one batch")
    }

    pub(super) fn get(&self, reference: i64) -> &str {
        let index = usize::try_from(reference).expect("references count from 0");
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.bytes.get(start..self.ends[index]).expect("whole texts were pushed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_lives_as_long_as_an_event_holds_it() {
        let mut symbols = Symbols::default();
        let a = symbols.intern("a");
        let b = symbols.intern("b");
        assert_eq!(symbols.intern("a"), a);
        symbols.release(a);
        assert_eq!(symbols.text(a), "a");
        symbols.release(a);
        assert_eq!(symbols.intern("c"), a, "the number is used again");
        assert_eq!((symbols.text(a), symbols.text(b)), ("c", "b"));
        assert_ne!(symbols.intern("a"), a);
    }
}
