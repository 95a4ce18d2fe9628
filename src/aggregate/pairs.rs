//! Events that have values of two columns.
//!
//! A buffer holds one key per event. The two keys of an event with two values lie in a slab, and
//! the buffer holds the number of their place, as it holds that of a text: buffers of one column
//! know nothing of it. A place is given back when its event leaves.

use super::{Kind, Symbols};
use crate::state::Paged;

/// Pairs in a page that is copied on write, 2 KiB.
const PAGE_PAIRS: usize = 128;

/// Ordering keys of an event's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pair {
    /// Of the window's column; 0 where there is none.
    pub first: i64,
    /// Of the column beside it.
    pub second: i64,
}

/// The pairs that events in the buffers of a lane have.
///
/// Which number a pair has is nobody's business, as with texts.
#[derive(Debug, Default)]
pub struct Pairs {
    entries: PagedPairs,
    /// One more than the highest number ever given.
    count: u32,
    free: Vec<u32>,
}

pub(super) type PagedPairs = Paged<Pair, PAGE_PAIRS>;

impl Pairs {
    /// Bytes that a pair costs beside the number that its event holds.
    pub const BYTES: usize = size_of::<Pair>() + size_of::<u32>();

    /// The number of a new pair.
    fn insert(&mut self, pair: Pair) -> i64 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.count = self.count.checked_add(1).expect("2^32 pairs do not fit memory");
            self.count - 1
        });
        *self.entries.get_mut(number) = pair;
        i64::from(number)
    }

    /// The pair of a number that is in use.
    #[inline]
    pub fn get(&self, number: i64) -> Pair {
        pair(&self.entries, number)
    }

    fn release(&mut self, number: i64) -> Pair {
        let released = self.get(number);
        self.free.push(index(number));
        released
    }

    /// Heap bytes of the pairs in use.
    fn bytes(&self) -> usize {
        (self.count as usize - self.free.len()) * Self::BYTES
    }
}

pub(super) fn pair(entries: &PagedPairs, number: i64) -> Pair {
    *entries.get(index(number)).expect("a number that was given has a page")
}

fn index(number: i64) -> u32 {
    u32::try_from(number).expect("numbers of pairs count from 0")
}

/// What the keys of events stand for, in lanes where they are not values themselves.
#[derive(Debug)]
pub struct Interned {
    kinds: [Kind; 2],
    symbols: Symbols,
    pairs: Pairs,
}

impl Default for Interned {
    fn default() -> Self {
        Self::new([Kind::Nothing; 2])
    }
}

impl Interned {
    /// For values of such kinds, the second one that of the column beside.
    pub fn new(kinds: [Kind; 2]) -> Self {
        Self { kinds, symbols: Symbols::default(), pairs: Pairs::default() }
    }

    /// How the keys of the two columns are to be read.
    pub fn kinds(&self) -> [Kind; 2] {
        self.kinds
    }

    /// The texts.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The pairs.
    pub fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    /// The key of a text, for one more event or pair that holds it.
    pub fn text(&mut self, text: &str) -> i64 {
        self.symbols.intern(text)
    }

    /// The key of a pair, for the event that will hold it.
    pub fn pair(&mut self, pair: Pair) -> i64 {
        self.pairs.insert(pair)
    }

    /// Takes back an event's hold on a key of its lane, whose keys are of `kind`.
    pub fn release(&mut self, kind: Kind, key: i64) {
        match kind {
            Kind::Text => self.symbols.release(key),
            Kind::Pair => {
                let Pair { first, second } = self.pairs.release(key);
                for (kind, key) in self.kinds.into_iter().zip([first, second]) {
                    if kind == Kind::Text {
                        self.symbols.release(key);
                    }
                }
            }
            _ => {}
        }
    }

    /// Heap bytes of what is in use.
    pub fn bytes(&self) -> usize {
        self.symbols.bytes() + self.pairs.bytes()
    }

    /// The pairs by number, as they are now.
    pub(super) fn capture_pairs(&self) -> PagedPairs {
        self.pairs.entries.clone()
    }

    /// For what a snapshot holds.
    pub(super) fn symbols_mut(&mut self) -> &mut Symbols {
        &mut self.symbols
    }

    /// True if one of the columns holds texts.
    pub(super) fn has_texts(&self, kind: Kind) -> bool {
        has_texts(kind, self.kinds)
    }
}

/// True if events whose keys are of `kind`, and their pairs of `kinds`, hold texts.
pub(super) fn has_texts(kind: Kind, kinds: [Kind; 2]) -> bool {
    kind == Kind::Text || kind == Kind::Pair && kinds.contains(&Kind::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_lives_as_long_as_its_event_and_holds_its_texts() {
        let mut interned = Interned::new([Kind::Integer, Kind::Text]);
        let mut pair = |first: i64, text: &str| {
            let second = interned.text(text);
            (interned.pair(Pair { first, second }), second)
        };
        let ((one, a), (two, again)) = (pair(1, "a"), pair(2, "a"));
        assert_eq!(a, again);
        assert_eq!(interned.bytes(), interned.symbols().bytes() + 2 * Pairs::BYTES);
        interned.release(Kind::Pair, one);
        assert_eq!(interned.symbols().text(a), "a");
        let three = interned.pair(Pair { first: 3, second: two });
        assert_eq!(three, one, "the number is used again");
        assert_eq!(interned.pairs().get(two), Pair { first: 2, second: a });
        interned.release(Kind::Pair, two);
        assert_eq!(interned.symbols().bytes(), 0);
    }
}
