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
    place::Place,
    pool::Pool,
};
use std::sync::Arc;

/// Leaves in a full node.
pub(super) const NODE_LEAVES: usize = 32;

/// Nodes in a run.
pub(super) const RUN_NODES: usize = 16;

/// Events another leaf must have room for, so that moving some there is worth the while.
const ROOM_TO_MOVE: usize = 8;

/// Bytes before what an [`Arc`] holds.
const COUNTS: usize = 2 * size_of::<usize>();

/// Heap bytes of a branch, without the events of its leaf.
pub(super) const BRANCH_BYTES: usize = size_of::<Branch>() + COUNTS + size_of::<Leaf>();

/// Heap bytes of a node without its branches.
const NODE_BYTES: usize = size_of::<Node>() + COUNTS + size_of::<Vec<Branch>>();

/// Heap bytes of a trunk without its nodes.
pub(super) const TRUNK_BYTES: usize = COUNTS + size_of::<Trunk>();

/// A leaf in its node. Moments are those of all events in the leaf as long as none has expired.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    /// At most the time of the first live event.
    first_time: i64,
    /// Of the leaf.
    pub(super) moments: Moments,
    /// Of the leaf and those behind it in its node: where a window begins in the middle of a node,
    /// the rest of the node is one part.
    pub(super) rest: Moments,
    /// Number of the same events.
    pub(super) rest_len: usize,
    pub(super) leaf: Arc<Leaf>,
}

impl Branch {
    fn new(leaf: Arc<Leaf>, pool: &mut Pool) -> Self {
        pool.account(0, BRANCH_BYTES);
        let rest = Moments::default();
        let mut branch = Self { first_time: i64::MIN, moments: rest, rest, rest_len: 0, leaf };
        branch.summarise(pool);
        branch
    }

    /// Computes anew, from a compact leaf, what is known of it.
    fn summarise(&mut self, pool: &Pool) {
        self.moments = pool.summarise(&self.leaf);
        self.first_time = self.leaf.first_time().unwrap_or(i64::MIN);
    }

    /// Its leaf, for writing.
    fn leaf_mut(&mut self) -> &mut Leaf {
        Arc::make_mut(&mut self.leaf)
    }

    /// Gives all memory back.
    fn dissolve(self, pool: &mut Pool) {
        pool.account(BRANCH_BYTES, 0);
        pool.recycle(self.leaf);
    }
}

/// Leaves that follow each other.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// At most the time of the first live event.
    first_time: i64,
    /// Number of live events.
    pub(super) len: usize,
    /// Of all its leaves.
    pub(super) all: Moments,
    /// Of the node and those behind it in its run.
    pub(super) rest: Moments,
    /// Number of live events of the node and those behind it in its run; of the first node it does
    /// not follow what expires.
    pub(super) rest_len: usize,
    #[expect(clippy::rc_buffer, reason = "branches come and go")]
    pub(super) branches: Arc<Vec<Branch>>,
}

impl Node {
    fn new(branches: Vec<Branch>, pool: &mut Pool) -> Self {
        pool.account(0, NODE_BYTES);
        let len = branches.iter().map(|b| b.leaf.len()).sum();
        let all = Moments::default();
        let first_time = branches[0].first_time;
        let branches = Arc::new(branches);
        let mut node = Self { first_time, len, all, rest: all, rest_len: 0, branches };
        node.summarise(node.branches.len() - 1);
        node
    }

    /// Heap bytes, those of the leaves included, by looking at them all.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> usize {
        let branch = |branch: &Branch| BRANCH_BYTES + branch.leaf.bytes();
        NODE_BYTES + self.branches.iter().map(branch).sum::<usize>()
    }

    /// Its branches, for writing.
    fn branches_mut(&mut self) -> &mut Vec<Branch> {
        Arc::make_mut(&mut self.branches)
    }

    /// Gives all memory back.
    fn dissolve(self, pool: &mut Pool) {
        pool.account(NODE_BYTES, 0);
        let branches = Arc::unwrap_or_clone(self.branches);
        branches.into_iter().for_each(|branch| branch.dissolve(pool));
    }

    /// Moves events of a full leaf to the next or the previous one, if there is room, so that
    /// leaves stay fuller than splitting alone would leave them.
    fn relieve(&mut self, full: usize, pool: &mut Pool) -> bool {
        let room = |branch: &Branch| LEAF_EVENTS - branch.leaf.len() >= ROOM_TO_MOVE;
        let next = self.branches.get(full + 1).is_some_and(room);
        let previous = full > 0 && room(&self.branches[full - 1]);
        let lower = match (next, previous) {
            (true, _) => full,
            (false, true) => full - 1,
            (false, false) => return false,
        };
        let branches = self.branches_mut();
        let [a, b] = branches.get_disjoint_mut([lower, lower + 1]).expect("two leaves");
        let (first, second) = (a.leaf_mut(), b.leaf_mut());
        first.compact();
        second.compact();
        pool.fill_up(first);
        pool.fill_up(second);
        let half = first.len().abs_diff(second.len()) / 2;
        if lower == full {
            first.move_last(half, second);
        } else {
            second.move_first(half, first);
        }
        a.summarise(pool);
        b.summarise(pool);
        self.summarise(lower + 1);
        true
    }

    /// Joins anew what has changed with the leaf at `last`, of which those behind know nothing.
    fn summarise(&mut self, last: usize) {
        let (changed, behind) = self.branches_mut().split_at_mut(last + 1);
        let (mut rest, mut len) =
            behind.first().map_or_else(|| (Moments::default(), 0), |b| (b.rest, b.rest_len));
        for branch in changed.iter_mut().rev() {
            rest = branch.moments.joined(&rest);
            len += branch.leaf.end();
            (branch.rest, branch.rest_len) = (rest, len);
        }
        self.first_time = self.branches[0].first_time;
        self.all = self.branches[0].rest;
    }
}

/// The leaves of a buffer but the open one, and the moments of its open leaf while there are full
/// ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Trunk {
    pub(super) nodes: Vec<Node>,
    pub(super) open: Moments,
}

impl Trunk {
    /// A trunk of these leaves by node, each with the number of its events that have expired.
    pub(super) fn restored(nodes: Vec<Vec<(Leaf, usize)>>, open: Moments, pool: &mut Pool) -> Self {
        pool.account(0, TRUNK_BYTES);
        let mut trunk = Self { nodes: Vec::with_capacity(nodes.len()), open };
        for leaves in nodes {
            let branch = |(leaf, start): (Leaf, usize)| {
                // Of what it is known by, what has expired since is a part.
                let mut branch = Branch::new(Arc::new(leaf), pool);
                branch.leaf_mut().start_at(start);
                branch
            };
            let branches = leaves.into_iter().map(branch).collect();
            trunk.nodes.push(Node::new(branches, pool));
        }
        trunk.link_from(0);
        trunk
    }

    /// Time of the last event.
    pub(super) fn last_time(&self) -> Option<i64> {
        self.nodes.last()?.branches.last()?.leaf.last_time()
    }

    /// Time of the first live event.
    pub(super) fn first_time(&self) -> Option<i64> {
        self.nodes.first()?.branches.first()?.leaf.first_time()
    }

    /// Number of events of the first leaf that have expired.
    pub(super) fn start(&self) -> usize {
        self.nodes[0].branches[0].leaf.start()
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
        if let Some(node) = self.nodes.last_mut().filter(|n| n.branches.len() < NODE_LEAVES) {
            node.len += branch.leaf.len();
            node.branches_mut().push(branch);
            node.summarise(node.branches.len() - 1);
        } else {
            self.nodes.push(Node::new(vec![branch], pool));
        }
        self.link(self.nodes.len() - 1);
        self.open = Moments::default();
    }

    /// Inserts an event behind all that are not after it. Touches one leaf and its node; a full
    /// leaf is split first.
    pub(super) fn insert(&mut self, event: Event, pool: &mut Pool) -> Place {
        loop {
            let (n, l) = self.leaf_before(event.time.saturating_add(1));
            let node = &mut self.nodes[n];
            let branch = &mut node.branches_mut()[l];
            let leaf = branch.leaf_mut();
            leaf.compact();
            if leaf.end() == LEAF_EVENTS {
                if !node.relieve(l, pool) {
                    self.split(n, l, pool);
                }
                continue;
            }
            let index = leaf.seek(event.time.saturating_add(1));
            pool.grow(leaf);
            leaf.insert(index, event, pool.values());
            branch.summarise(pool);
            node.len += 1;
            node.summarise(l);
            self.link(n);
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
        let node = &mut self.nodes[n];
        let branches = node.branches_mut();
        let mut upper = pool.take();
        let above = Arc::get_mut(&mut upper).expect("nobody else holds it");
        branches[l].leaf_mut().move_last(LEAF_EVENTS / 2, above);
        branches[l].summarise(pool);
        branches.insert(l + 1, Branch::new(upper, pool));
        node.summarise(l + 1);
    }

    fn split_node(&mut self, n: usize, pool: &mut Pool) {
        let node = &mut self.nodes[n];
        let upper = Node::new(node.branches_mut().split_off(NODE_LEAVES / 2), pool);
        node.len -= upper.len;
        node.summarise(NODE_LEAVES / 2 - 1);
        self.nodes.insert(n + 1, upper);
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
        for node in self.nodes[first..=last].iter_mut().rev() {
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
        // Most often it is the first event only that goes: draining nothing has its price too.
        if place.node() > 0 {
            self.drop_nodes(place.node(), pool);
        }
        let Some(node) = self.nodes.first_mut() else { return };
        if place.leaf() > 0 {
            let mut gone = 0;
            for branch in node.branches_mut().drain(..place.leaf()) {
                gone += branch.leaf.len();
                branch.dissolve(pool);
            }
            node.len -= gone;
            node.all = node.branches[0].rest;
        }
        let start = node.branches[0].leaf.start();
        if start < place.index() {
            node.len -= place.index() - start;
            pool.expire(node.branches_mut()[0].leaf_mut(), place.index());
        }
        if place.node() > 0 {
            self.link_from(0);
        } else if place.leaf() > 0 {
            self.link(0);
        }
    }

    fn drop_nodes(&mut self, count: usize, pool: &mut Pool) {
        self.nodes.drain(..count).for_each(|node| node.dissolve(pool));
    }

    /// Gives all memory back.
    pub(super) fn dissolve(mut self, pool: &mut Pool) {
        self.drop_nodes(self.nodes.len(), pool);
        pool.account(TRUNK_BYTES, 0);
    }
}
