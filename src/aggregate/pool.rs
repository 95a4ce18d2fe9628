//! What the buffers of one lane have in common: layout, spare leaves, bytes held.

use super::{
    Needs,
    leaf::{Event, LEAF_EVENTS, Leaf},
    moments::Moments,
    node::BRANCH_BYTES,
    value::Kind,
};
use std::{mem, ops::Range, sync::Arc};

/// Events that a small leaf has room for.
const SMALL_LEAF: usize = 16;

/// Spare leaves kept for reuse; those beyond are freed.
const SPARE_LEAVES_MAX: usize = 256;

/// Shared by all event buffers of a lane, so that a record costs no allocation once leaves go
/// round and the bytes held are known at any time.
#[derive(Debug)]
pub struct Pool {
    kind: Kind,
    needs: Needs,
    /// Empty leaves that nobody else holds.
    spare: Vec<Arc<Leaf>>,
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

    /// Heap bytes of all buffers. Spare leaves do not count: how many there are depends on where
    /// batches end.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of events in all buffers.
    pub fn events(&self) -> usize {
        self.events
    }

    /// Bytes of an event in a full leaf, rounded up.
    pub fn event_bytes(&self) -> usize {
        (Leaf::full_size(self.values()).bytes() + BRANCH_BYTES).div_ceil(LEAF_EVENTS)
    }

    /// Keys of texts and pairs whose events have left since the last call, once per event.
    pub fn released(&mut self) -> impl Iterator<Item = i64> + '_ {
        self.released.drain(..)
    }

    /// True if sessions are looked for.
    pub(super) fn needs_pauses(&self) -> bool {
        self.needs.pauses
    }

    pub(super) fn values(&self) -> bool {
        self.kind != Kind::Nothing
    }

    /// Counts an event that has entered a buffer.
    pub(super) fn count_in(&mut self) {
        self.events += 1;
    }

    /// Counts events out that nothing is kept of by itself.
    pub(super) fn count_out(&mut self, events: u64) {
        self.events -= usize::try_from(events).expect("they were counted in");
    }

    /// Accounts for memory that grew or shrank from `before` to `after` bytes.
    pub(super) fn account(&mut self, before: usize, after: usize) {
        self.bytes = self.bytes + after - before;
    }

    /// An empty leaf with room for all its events, held by nobody else.
    pub(super) fn take(&mut self) -> Arc<Leaf> {
        let new = || Arc::new(Leaf::full_size(self.kind != Kind::Nothing));
        let leaf = self.spare.pop().unwrap_or_else(new);
        self.bytes += leaf.bytes();
        leaf
    }

    /// Puts an empty leaf with little room into the place of a full one, which comes out.
    pub(super) fn replace_by_small(&mut self, full: &mut Leaf) -> Arc<Leaf> {
        let small = Leaf::of_size(SMALL_LEAF, self.values()).expect("leaves come in that size");
        self.bytes += small.bytes();
        Arc::new(mem::replace(full, small))
    }

    /// Puts an empty leaf into the place of a full one, which comes out.
    pub(super) fn replace(&mut self, full: &mut Leaf) -> Arc<Leaf> {
        let mut taken = self.take();
        mem::swap(Arc::get_mut(&mut taken).expect("nobody else holds it"), full);
        taken
    }

    /// Takes back a leaf that is not needed any more, with whatever events it has left.
    pub(super) fn recycle(&mut self, mut leaf: Arc<Leaf>) {
        self.let_go(&leaf, leaf.start()..leaf.end());
        self.bytes -= leaf.bytes();
        // A leaf that a snapshot holds is the snapshot's from now on.
        if self.spare.len() < SPARE_LEAVES_MAX
            && let Some(own) = Arc::get_mut(&mut leaf)
        {
            own.clear();
            self.spare.push(leaf);
        }
    }

    /// Takes back an open leaf, which may be a small one.
    pub(super) fn recycle_open(&mut self, leaf: Leaf) {
        if leaf.capacity() == LEAF_EVENTS {
            return self.recycle(Arc::new(leaf));
        }
        self.let_go(&leaf, leaf.start()..leaf.end());
        self.bytes -= leaf.bytes();
    }

    /// Lets the events of `leaf` before `index` expire.
    pub(super) fn expire(&mut self, leaf: &mut Leaf, index: usize) {
        let index = index.min(leaf.end());
        self.let_go(leaf, leaf.start()..index);
        leaf.expire(index);
    }

    /// Counts out events of `leaf` that expire.
    pub(super) fn let_go(&mut self, leaf: &Leaf, gone: Range<usize>) {
        self.events -= gone.len();
        if self.kind.is_interned() {
            self.released.extend(leaf.valid_keys(&gone));
        }
    }

    /// Counts in a leaf that comes from a snapshot.
    pub(super) fn count_in_restored(&mut self, events: usize, bytes: usize) {
        self.events += events;
        self.bytes += bytes;
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
