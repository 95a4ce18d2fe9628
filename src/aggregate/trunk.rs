//! Full leaves below nodes: what an event buffer keeps besides its open leaf.
//!
//! Fixed levels: a leaf holds up to 64 events, a node up to 32 leaves, a run is 16 nodes, the trunk
//! a list of nodes. Every leaf knows the moments of its events and those of the rest of its node,
//! every node those of the rest of its run, so that a window visits the events of the leaf it begins
//! in, the rest of that node and of its run, and the runs behind: some 4 parts beside those events
//! for 10,000 of them, some 40 for a million. Only a window that ends in the middle, that of a late
//! record, visits nodes and leaves of its last run too. Runs are made by counting: where a node
//! comes or goes, those behind are summed up anew, one step per 2,000 events for each of 1,000.
//!
//! Whatever a snapshot may hold is shared and copied on write, level by level: a write while it is
//! held copies the list of nodes, the branches of a node and one leaf, a few KiB however many
//! events there are.

use super::{
    leaf::{Event, LEAF_EVENTS, Leaf},
    moments::Moments,
    node::{Branch, COUNTS, NODE_LEAVES, Node},
    place::Place,
    pool::Pool,
};
use std::sync::Arc;

/// Nodes in a run.
pub(super) const RUN_NODES: usize = 16;

/// Leaves of a short trunk: a full empty one is a KiB, two bytes an event for each of so many.
const SHORT_LEAVES: usize = 8;

/// Entries of a list up to which it grows by one: keys of a few hundred events are many, and a list
/// that doubles begins with room for four.
const GROWN_BY_ONE: usize = 8;

/// Appends to a list of which a short one has no room to spare.
fn push_sparingly<T>(list: &mut Vec<T>, entry: T) {
    if list.len() < GROWN_BY_ONE {
        list.reserve_exact(1);
    }
    list.push(entry);
}

/// Heap bytes of a trunk without its nodes.
pub(super) const TRUNK_BYTES: usize = size_of::<Trunk>() + COUNTS + size_of::<Vec<Node>>();

/// The leaves of a buffer but the open one, and the moments of its open leaf while there are full
/// ones.
///
/// What nearly every record writes lies here and not in nodes, so that it costs no look at who else
/// holds them.
#[derive(Debug, Clone, Default)]
pub(super) struct Trunk {
    #[expect(clippy::rc_buffer, reason = "nodes come and go")]
    pub(super) nodes: Arc<Vec<Node>>,
    pub(super) open: Moments,
    /// Number of events of the first leaf that have expired. Leaf and node know of them once
    /// something else is written there.
    expired: usize,
}

impl Trunk {
    /// A trunk of these leaves by node, each with the number of its events that have expired.
    pub(super) fn restored(nodes: Vec<Vec<(Leaf, usize)>>, open: Moments, pool: &mut Pool) -> Self {
        pool.account(0, TRUNK_BYTES);
        let mut restored = Vec::with_capacity(nodes.len());
        for leaves in nodes {
            let branch = |(leaf, start): (Leaf, usize)| {
                // Of what it is known by, what has expired since is a part.
                let mut branch = Branch::new(Arc::new(leaf), pool);
                branch.leaf_mut().start_at(start);
                branch
            };
            let branches = leaves.into_iter().map(branch).collect();
            restored.push(Node::new(branches, pool));
        }
        let mut trunk = Self { nodes: Arc::new(restored), open, expired: 0 };
        trunk.follow();
        trunk.link_from(0);
        trunk
    }

    /// The nodes, for writing.
    fn nodes_mut(&mut self) -> &mut Vec<Node> {
        Arc::make_mut(&mut self.nodes)
    }

    /// Tells the first leaf and its node what has expired of them.
    fn settle(&mut self) {
        let expired = self.expired;
        let Some(first) = self.nodes.first().map(|node| &node.branches[0].leaf) else { return };
        if first.start() < expired {
            let lag = expired - first.start();
            let node = &mut self.nodes_mut()[0];
            node.len -= lag;
            node.branches_mut()[0].leaf_mut().start_at(expired);
        }
    }

    /// Takes over what the first leaf, which was written to, knows of what has expired.
    fn follow(&mut self) {
        self.expired = self.nodes.first().map_or(0, |node| node.branches[0].leaf.start());
    }

    /// True while there are so few leaves that an empty one beside them would weigh.
    pub(super) fn is_short(&self) -> bool {
        match self.nodes.as_slice() {
            [] => true,
            [node] => node.branches.len() < SHORT_LEAVES,
            _ => false,
        }
    }

    /// Number of live events.
    pub(super) fn len(&self) -> usize {
        let lag = self.nodes.first().map_or(0, |n| self.expired - n.branches[0].leaf.start());
        self.nodes.iter().map(|node| node.len).sum::<usize>() - lag
    }

    /// Time of the last event.
    pub(super) fn last_time(&self) -> Option<i64> {
        self.nodes.last()?.branches.last()?.leaf.last_time()
    }

    /// Time of the first live event.
    pub(super) fn first_time(&self) -> Option<i64> {
        Some(self.nodes.first()?.branches.first()?.leaf.time(self.expired))
    }

    /// Number of events of the first leaf that have expired.
    pub(super) fn start(&self) -> usize {
        self.expired
    }

    /// The last leaf that begins before `time`, or the first.
    pub(super) fn leaf_before(&self, time: i64) -> (usize, usize) {
        // Where the oldest events lie is where the longest window begins.
        if self.nodes[0].branches.get(1).is_some_and(|b| time <= b.first_time) {
            return (0, 0);
        }
        let node = self.nodes.partition_point(|n| n.first_time < time).saturating_sub(1);
        let branches = &self.nodes[node].branches;
        let leaf = branches.partition_point(|b| b.first_time < time).saturating_sub(1);
        (node, leaf)
    }

    /// Appends a full leaf.
    pub(super) fn push(&mut self, leaf: Arc<Leaf>, pool: &mut Pool) {
        let branch = Branch::new(leaf, pool);
        let nodes = self.nodes_mut();
        if let Some(node) = nodes.last_mut().filter(|n| n.branches.len() < NODE_LEAVES) {
            node.len += branch.leaf.len();
            push_sparingly(node.branches_mut(), branch);
            node.summarise(node.branches.len() - 1, pool);
        } else {
            push_sparingly(nodes, Node::new(vec![branch], pool));
        }
        self.link(self.nodes.len() - 1);
        self.open = Moments::default();
    }

    /// Inserts an event behind all that are not after it. Touches one leaf and its node; a full
    /// leaf is split first.
    pub(super) fn insert(&mut self, event: Event, pool: &mut Pool) -> Place {
        loop {
            let (n, l) = self.leaf_before(event.time.saturating_add(1));
            // The first leaf is written to as the place, or as the neighbour that has room.
            let reaches_first = n == 0 && l <= 1;
            if reaches_first {
                self.settle();
            }
            let node = &mut self.nodes_mut()[n];
            let branch = &mut node.branches_mut()[l];
            let leaf = branch.leaf_mut();
            leaf.compact();
            if leaf.end() == LEAF_EVENTS {
                if !node.relieve(l, pool) {
                    self.split(n, l, pool);
                }
                if reaches_first {
                    self.follow();
                }
                continue;
            }
            let index = leaf.seek(event.time.saturating_add(1));
            pool.grow(leaf);
            leaf.insert(index, event, pool.values());
            branch.summarise(pool);
            node.len += 1;
            node.summarise(l, pool);
            self.link(n);
            if reaches_first {
                self.follow();
            }
            return Place::new(n, l, index);
        }
    }

    /// Halves a full leaf, and before that its node if that is full too.
    fn split(&mut self, mut n: usize, mut l: usize, pool: &mut Pool) {
        if self.nodes[n].branches.len() == NODE_LEAVES {
            self.split_node(n, pool);
            if l >= NODE_LEAVES / 2 {
                (n, l) = (n + 1, l - NODE_LEAVES / 2);
            }
        }
        let node = &mut self.nodes_mut()[n];
        let branches = node.branches_mut();
        let mut upper = pool.take();
        let above = Arc::get_mut(&mut upper).expect("nobody else holds it");
        branches[l].leaf_mut().move_last(LEAF_EVENTS / 2, above);
        branches[l].summarise(pool);
        branches.insert(l + 1, Branch::new(upper, pool));
        node.summarise(l + 1, pool);
    }

    fn split_node(&mut self, n: usize, pool: &mut Pool) {
        let nodes = self.nodes_mut();
        let node = &mut nodes[n];
        let upper = Node::new(node.branches_mut().split_off(NODE_LEAVES / 2), pool);
        node.len -= upper.len;
        node.summarise(NODE_LEAVES / 2 - 1, pool);
        nodes.insert(n + 1, upper);
        self.link_from(n);
    }

    /// Joins anew what has changed with the node at `last` in its run, of which those behind know
    /// nothing.
    fn link(&mut self, last: usize) {
        let first = last / RUN_NODES * RUN_NODES;
        let end = self.nodes.len().min(first + RUN_NODES);
        let behind = self.nodes[..end].get(last + 1);
        let (mut rest, mut len) =
            behind.map_or_else(|| (Moments::default(), 0), |node| (node.rest, node.rest_len));
        for node in self.nodes_mut()[first..=last].iter_mut().rev() {
            rest = node.all.joined(&rest);
            len += node.len;
            (node.rest, node.rest_len) = (rest, len);
        }
    }

    /// Joins anew the run of the node at `n` and all behind it.
    fn link_from(&mut self, n: usize) {
        let mut end = n / RUN_NODES * RUN_NODES;
        while end < self.nodes.len() {
            end = self.nodes.len().min(end + RUN_NODES);
            self.link(end - 1);
        }
    }

    /// Lets everything before `place` expire.
    pub(super) fn expire(&mut self, place: Place, pool: &mut Pool) {
        // Most often it is the first event only that goes.
        if (place.node(), place.leaf()) == (0, 0) {
            if let Some(node) = self.nodes.first() {
                pool.let_go(&node.branches[0].leaf, self.expired..place.index());
                self.expired = place.index();
            }
            return;
        }
        self.settle();
        if place.node() > 0 {
            self.drop_nodes(place.node(), pool);
        }
        self.expire_leaves(place, pool);
        self.follow();
        if place.node() > 0 {
            self.link_from(0);
        } else {
            self.link(0);
        }
    }

    /// Lets everything before the leaf of `place` in the first node, and its first events, expire.
    fn expire_leaves(&mut self, place: Place, pool: &mut Pool) {
        let Some(node) = self.nodes_mut().first_mut() else { return };
        if place.leaf() > 0 {
            let mut gone = 0;
            for branch in node.branches_mut().drain(..place.leaf()) {
                gone += branch.leaf.len();
                branch.dissolve(pool);
            }
            node.len -= gone;
            node.all = node.branches[0].rest;
            node.link_pauses(pool);
        }
        let start = node.branches[0].leaf.start();
        if start < place.index() {
            node.len -= place.index() - start;
            pool.expire(node.branches_mut()[0].leaf_mut(), place.index());
        }
    }

    fn drop_nodes(&mut self, count: usize, pool: &mut Pool) {
        self.nodes_mut().drain(..count).for_each(|node| node.dissolve(pool));
    }

    /// Gives all memory back.
    pub(super) fn dissolve(mut self, pool: &mut Pool) {
        self.settle();
        self.drop_nodes(self.nodes.len(), pool);
        pool.account(TRUNK_BYTES, 0);
    }
}
