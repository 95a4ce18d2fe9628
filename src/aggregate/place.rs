//! A place between the events of a buffer, and how to find one.

use super::{buffer::EventBuffer, leaf::Leaf};
use std::ops::Range;

/// A place in a buffer: before the event at `index` of a leaf of a node. Places compare in event
/// order. Valid until the buffer changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    node: u32,
    leaf: u32,
    index: u32,
}

impl Place {
    #[expect(clippy::cast_possible_truncation, reason = "a u32 of nodes is 8 TB of events")]
    pub(super) fn new(node: usize, leaf: usize, index: usize) -> Self {
        Self { node: node as u32, leaf: leaf as u32, index: index as u32 }
    }

    /// The place behind the event that follows this one.
    #[must_use]
    pub fn after(self) -> Self {
        Self { index: self.index + 1, ..self }
    }

    pub(super) fn node(self) -> usize {
        self.node as usize
    }

    pub(super) fn leaf(self) -> usize {
        self.leaf as usize
    }

    pub(super) fn index(self) -> usize {
        self.index as usize
    }

    pub(super) fn same_leaf(self, other: Self) -> bool {
        self.node == other.node && self.leaf == other.leaf
    }
}

impl EventBuffer {
    /// The place before the first event at or after `time`.
    pub fn seek(&self, time: i64) -> Place {
        let nodes = self.nodes();
        if nodes.is_empty() || self.open.first_time().is_some_and(|first| first < time) {
            return Place::new(nodes.len(), 0, self.open.seek(time));
        }
        let (node, leaf) = self.trunk_leaf_before(time);
        let index = nodes[node].branches[leaf].leaf.seek(time);
        let place = Place::new(node, leaf, index);
        if index == self.leaf_at(place).end() { self.next_leaf(place) } else { place }
    }

    /// The place `rows` events before `place`, or the first.
    pub fn back(&self, mut place: Place, mut rows: usize) -> Place {
        loop {
            let before = place.index() - self.leaf_at(place).start();
            if rows <= before {
                return Place::new(place.node(), place.leaf(), place.index() - rows);
            }
            rows -= before;
            if place.leaf() == 0 {
                place = Place::new(self.skip_nodes(place.node(), &mut rows), 0, 0);
            }
            match self.previous_leaf(place) {
                Some(end) => place = end,
                None => return Place::new(0, 0, self.leaf_at(Place::new(0, 0, 0)).start()),
            }
        }
    }

    /// Goes back from the beginning of `node` over whole nodes without looking at their leaves,
    /// as long as more rows are asked for than they have.
    fn skip_nodes(&self, mut node: usize, rows: &mut usize) -> usize {
        while node > 0 && self.nodes()[node - 1].len < *rows {
            node -= 1;
            *rows -= self.nodes()[node].len;
        }
        node
    }

    /// The first valid event in the range.
    pub(super) fn first_valid(&self, from: Place, to: Place) -> Option<Place> {
        let mut at = from;
        while at < to {
            let valid = self.leaf_at(at).valid_in(&self.within_leaf(at, to));
            if valid != 0 {
                return Some(Place::new(at.node(), at.leaf(), valid.trailing_zeros() as usize));
            }
            if at.same_leaf(to) {
                break;
            }
            at = self.next_leaf(at);
        }
        None
    }

    /// The last valid event in the range.
    pub(super) fn last_valid(&self, from: Place, to: Place) -> Option<Place> {
        let mut end = to;
        while from < end {
            let leaf = self.leaf_at(end);
            let start = if end.same_leaf(from) { from.index() } else { leaf.start() };
            let valid = leaf.valid_in(&(start..end.index()));
            if valid != 0 {
                return Some(Place::new(end.node(), end.leaf(), valid.ilog2() as usize));
            }
            if end.same_leaf(from) {
                break;
            }
            end = self.previous_leaf(end)?;
        }
        None
    }

    /// The part of the range `from..to` that lies in the leaf of `from`.
    pub(super) fn within_leaf(&self, from: Place, to: Place) -> Range<usize> {
        from.index()..if from.same_leaf(to) { to.index() } else { self.leaf_at(from).end() }
    }

    /// The leaf a place lies in.
    pub(super) fn leaf_at(&self, place: Place) -> &Leaf {
        match self.nodes().get(place.node()) {
            Some(node) => &node.branches[place.leaf()].leaf,
            None => &self.open,
        }
    }

    /// The beginning of the next leaf.
    pub(super) fn next_leaf(&self, place: Place) -> Place {
        if place.leaf() + 1 < self.nodes()[place.node()].branches.len() {
            Place::new(place.node(), place.leaf() + 1, 0)
        } else {
            Place::new(place.node() + 1, 0, 0)
        }
    }

    /// The end of the leaf before.
    fn previous_leaf(&self, place: Place) -> Option<Place> {
        let (node, leaf) = match (place.node(), place.leaf()) {
            (0, 0) => return None,
            (node, 0) => (node - 1, self.nodes()[node - 1].branches.len() - 1),
            (node, leaf) => (node, leaf - 1),
        };
        Some(Place::new(node, leaf, self.nodes()[node].branches[leaf].leaf.end()))
    }
}
