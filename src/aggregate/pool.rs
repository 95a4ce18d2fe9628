//! What the buffers of one lane have in common: layout, spare leaves, bytes held.

use super::{
    Needs,
    leaf::{Event, LEAF_EVENTS, Leaf},
    moments::Moments,
    trunk::Branch,
    value::Kind,
};

/// Spare leaves kept for reuse; those beyond are freed.
const SPARE_LEAVES_MAX: usize = 256;

/// Shared by all event buffers of a lane, so that a record costs no allocation once leaves go
/// round and the bytes held are known at any time.
#[derive(Debug, Clone)]
pub struct Pool {
    kind: Kind,
    needs: Needs,
    spare: Vec<Leaf>,
    bytes: usize,
    events: usize,
    released: Vec<i64>,
}

impl Pool {
    /// For buffers of values of `kind`; `needs` is what any window over them needs.
    pub fn new(kind: Kind, needs: Needs) -> Self {
        Self { kind, needs, spare: Vec::new(), bytes: 0, events: 0, released: Vec::new() }
    }

    /// How values are to be read.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Heap bytes of all buffers and of the spare leaves.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of events in all buffers.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Bytes of an event in a full leaf, rounded up.
    pub fn event_bytes(&self) -> usize {
        (Leaf::full_size(self.values()).bytes() + size_of::<Branch>()).div_ceil(LEAF_EVENTS)
    }

    /// Keys of texts whose events have left since the last call, once per event.
    pub fn released(&mut self) -> impl Iterator<Item = i64> + '_ {
        self.released.drain(..)
    }

    #[cfg(test)]
    pub(super) fn spare_bytes(&self) -> usize {
        self.spare.iter().map(Leaf::bytes).sum()
    }

    pub(super) fn values(&self) -> bool {
        self.kind != Kind::Nothing
    }

    /// Counts an event that has entered a buffer.
    pub(super) fn count_in(&mut self) {
        self.events += 1;
    }

    /// Accounts for memory that grew or shrank from `before` to `after` bytes.
    pub(super) fn account(&mut self, before: usize, after: usize) {
        self.bytes = self.bytes + after - before;
    }

    /// An empty leaf with room for all its events.
    pub(super) fn take(&mut self) -> Leaf {
        if let Some(leaf) = self.spare.pop() {
            return leaf;
        }
        let leaf = Leaf::full_size(self.values());
        self.bytes += leaf.bytes();
        leaf
    }

    /// Takes back a leaf that is not needed any more, with whatever events it has left.
    pub(super) fn recycle(&mut self, mut leaf: Leaf) {
        self.expire(&mut leaf, LEAF_EVENTS);
        if self.spare.len() < SPARE_LEAVES_MAX && leaf.capacity() == LEAF_EVENTS {
            self.spare.push(leaf);
        } else {
            self.bytes -= leaf.bytes();
        }
    }

    /// Lets the events of `leaf` before `index` expire.
    pub(super) fn expire(&mut self, leaf: &mut Leaf, index: usize) {
        let index = index.min(leaf.end());
        self.events -= index - leaf.start();
        if self.kind == Kind::Text {
            self.released.extend(leaf.valid_keys(&(leaf.start()..index)));
        }
        leaf.expire(index);
    }

    /// Makes room for one more event in a leaf below full size.
    pub(super) fn grow(&mut self, leaf: &mut Leaf) {
        let before = leaf.bytes();
        leaf.grow(self.values());
        self.account(before, leaf.bytes());
    }

    /// Makes room for all events a leaf can hold.
    pub(super) fn fill_up(&mut self, leaf: &mut Leaf) {
        let before = leaf.bytes();
        leaf.reserve(LEAF_EVENTS, self.values());
        self.account(before, leaf.bytes());
    }

    /// The moments of all live events of `leaf`, centred.
    pub(super) fn summarise(&self, leaf: &Leaf) -> Moments {
        let live = leaf.start()..leaf.end();
        let centre = leaf.valid_keys(&live).next().map_or(0.0, |key| self.kind.number(key));
        let mut moments = Moments::around(centre);
        leaf.fold(&live, self.kind, self.needs, &mut moments);
        moments.recentre();
        moments
    }

    /// Adds one event to the moments of the leaf it was appended to.
    #[inline]
    pub(super) fn note(&self, event: Event, moments: &mut Moments) {
        if !event.valid {
            return;
        }
        if moments.n == 0 {
            *moments = Moments::around(self.kind.number(event.key));
        }
        moments.n += 1;
        if self.needs.moments {
            moments.add(self.kind.number(event.key));
        }
        if self.needs.extremes {
            moments.widen(event.key);
        }
    }
}
