//! Texts in windows: interned while they are buffered, copied out per batch.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// The distinct texts in the buffers of a lane, each with the number of events that hold it.
///
/// Numbers are given and reused in record order, so the same records get the same numbers however
/// they are cut into batches.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    table: HashTable<u32>,
    entries: Vec<Symbol>,
    free: Vec<u32>,
    text_bytes: usize,
}

#[derive(Debug, Clone)]
struct Symbol {
    text: Box<str>,
    uses: u64,
}

impl Symbols {
    /// The key of `text`, for one more event that holds it.
    pub fn intern(&mut self, text: &str) -> i64 {
        let Self { table, entries, free, text_bytes } = self;
        let hash = xxh3_64(text.as_bytes());
        if let Some(index) = table.find(hash, |i| &*entries[*i as usize].text == text) {
            entries[*index as usize].uses += 1;
            return i64::from(*index);
        }
        let symbol = Symbol { text: text.into(), uses: 1 };
        *text_bytes += text.len();
        let index = if let Some(index) = free.pop() {
            entries[index as usize] = symbol;
            index
        } else {
            entries.push(symbol);
            u32::try_from(entries.len() - 1).expect("fewer than 2^32 distinct texts fit memory")
        };
        table.insert_unique(hash, index, |i| xxh3_64(entries[*i as usize].text.as_bytes()));
        i64::from(index)
    }

    /// The text of a key that is in use.
    pub fn text(&self, key: i64) -> &str {
        &self.entries[Self::index(key)].text
    }

    /// Takes back one event's hold on a key.
    pub fn release(&mut self, key: i64) {
        let index = Self::index(key);
        let symbol = &mut self.entries[index];
        symbol.uses -= 1;
        if symbol.uses == 0 {
            let text = std::mem::take(&mut symbol.text);
            self.text_bytes -= text.len();
            let hash = xxh3_64(text.as_bytes());
            let entry = self.table.find_entry(hash, |i| *i as usize == index);
            let (number, _) = entry.expect("a symbol in use is in the table").remove();
            self.free.push(number);
        }
    }

    /// Heap bytes.
    pub fn bytes(&self) -> usize {
        self.text_bytes
            + self.entries.capacity() * size_of::<Symbol>()
            + (self.table.capacity() + self.free.capacity()) * size_of::<u32>()
    }

    fn index(key: i64) -> usize {
        usize::try_from(key).expect("keys of texts count from 0")
    }
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
