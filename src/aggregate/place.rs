//! A place between the events of a buffer, and how to find one.

use super::{buffer::EventBuffer, leaf::Leaf, node::Branch, trunk::RUN_NODES};
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
        let start = self.start_of(Place::new(node, leaf, 0));
        let index = nodes[node].branches[leaf].leaf.seek(time).max(start);
        let place = Place::new(node, leaf, index);
        if index == self.leaf_at(place).end() { self.next_leaf(place) } else { place }
    }

    /// The place `rows` events before `place`, or the first.
    pub fn back(&self, place: Place, mut rows: usize) -> Place {
        let before = place.index() - self.start_of(place);
        if rows <= before {
            return Place::new(place.node(), place.leaf(), place.index() - rows);
        }
        rows -= before;
        if let Some(node) = self.nodes().get(place.node()) {
            let behind = node.branches[place.leaf()].rest_len;
            let before = node.branches[0].rest_len - behind;
            if rows <= before {
                return self.back_from_end(place.node(), behind + rows);
            }
            rows -= before;
        }
        match self.skip_nodes(place.node(), &mut rows) {
            0 => Place::new(0, 0, self.start_of(Place::new(0, 0, 0))),
            node => self.back_from_end(node - 1, rows),
        }
    }

    /// The place `rows` events before the end of a node that has so many, or its first.
    fn back_from_end(&self, node: usize, rows: usize) -> Place {
        let branches = &self.nodes()[node].branches;
        let leaf = branches.partition_point(|b| b.rest_len >= rows).saturating_sub(1);
        let behind = branches.get(leaf + 1).map_or(0, |b| b.rest_len);
        let Branch { leaf: events, .. } = &branches[leaf];
        // What has expired of a leaf is still counted by its branch.
        let start = self.start_of(Place::new(node, leaf, 0));
        let index = (events.end() + behind).saturating_sub(rows).max(start);
        Place::new(node, leaf, index)
    }

    /// Goes back from the beginning of `node` over whole nodes without looking at their leaves,
    /// as long as more rows are asked for than they have.
    fn skip_nodes(&self, mut node: usize, rows: &mut usize) -> usize {
        let nodes = self.nodes();
        while node > 0 {
            let run = node.saturating_sub(RUN_NODES);
            // What the first run has of live events, only its nodes know.
            if run > 0 && node.is_multiple_of(RUN_NODES) && nodes[run].rest_len < *rows {
                node = run;
                *rows -= nodes[run].rest_len;
            } else if nodes[node - 1].len < *rows {
                node -= 1;
                *rows -= nodes[node].len;
            } else {
                break;
            }
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
            at = self.skip_invalid(self.next_leaf(at), to);
        }
        None
    }

    /// Goes on from the beginning of a leaf over all that is known to have no valid event.
    fn skip_invalid(&self, mut at: Place, to: Place) -> Place {
        while at.node() < to.node() {
            let (part, end) = self.part(at, to);
            at = if part.n == 0 {
                end
            } else if at.leaf() == 0 && self.nodes()[at.node()].all.n == 0 {
                Place::new(at.node() + 1, 0, 0)
            } else {
                break;
            };
        }
        at
    }

    /// The last valid event in the range.
    pub(super) fn last_valid(&self, from: Place, to: Place) -> Option<Place> {
        let mut end = to;
        while from < end {
            let leaf = self.leaf_at(end);
            let start = if end.same_leaf(from) { from.index() } else { self.start_of(end) };
            let valid = leaf.valid_in(&(start..end.index()));
            if valid != 0 {
                return Some(Place::new(end.node(), end.leaf(), valid.ilog2() as usize));
            }
            if end.same_leaf(from) {
                break;
            }
            if end.leaf() == 0 {
                end = Place::new(self.skip_invalid_back(end.node(), from.node()), 0, 0);
            }
            end = self.previous_leaf(end)?;
        }
        None
    }

    /// Goes back from the beginning of `node` over whole nodes behind `first`, as long as they have
    /// no valid event.
    fn skip_invalid_back(&self, mut node: usize, first: usize) -> usize {
        let nodes = self.nodes();
        while node > first + 1 {
            let run = (node - 1) / RUN_NODES * RUN_NODES;
            if run > first && nodes[run].rest.n == 0 {
                node = run;
            } else if nodes[node - 1].all.n == 0 {
                node -= 1;
            } else {
                break;
            }
        }
        node
    }

    /// The time of the last valid event in the range.
    pub fn last_time_before(&self, from: Place, to: Place) -> Option<i64> {
        self.last_valid(from, to).map(|place| self.time_at(place))
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
    pub(super) fn previous_leaf(&self, place: Place) -> Option<Place> {
        let (node, leaf) = match (place.node(), place.leaf()) {
            (0, 0) => return None,
            (node, 0) => (node - 1, self.nodes()[node - 1].branches.len() - 1),
            (node, leaf) => (node, leaf - 1),
        };
        Some(Place::new(node, leaf, self.nodes()[node].branches[leaf].leaf.end()))
    }
}
