//! Full leaves below nodes: what an event buffer keeps besides its open leaf.
//!
//! Fixed levels: a leaf holds up to 64 events, a node up to 32 leaves, a run is 16 nodes, the trunk
//! a list of nodes. Every leaf knows the moments of its events and those of the rest of its node,
//! every node those of the rest of its run, so that a window visits the events of the leaf it begins
//! in, the rest of that node and of its run, and the runs behind: some 4 parts beside those events
//! for 10,000 of them, some 40 for a million. Only a window that ends in the middle, that of a late
//! record, visits nodes and leaves of its last run too. Runs are made by counting: where a node
//! comes or goes, those behind are summed up anew, one step per 2,000 events for each of 1,000.

use super::{
    leaf::{Event, LEAF_EVENTS, Leaf, same_size},
    moments::Moments,
    place::Place,
    pool::Pool,
};

/// Leaves in a full node.
const NODE_LEAVES: usize = 32;

/// Nodes in a run.
pub(super) const RUN_NODES: usize = 16;

/// Events another leaf must have room for, so that moving some there is worth the while.
const ROOM_TO_MOVE: usize = 8;

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
    pub(super) leaf: Leaf,
}

impl Branch {
    fn new(leaf: Leaf, pool: &Pool) -> Self {
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
}

/// Leaves that follow each other.
#[derive(Debug)]
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
    pub(super) branches: Vec<Branch>,
}

impl Node {
    fn new(branches: Vec<Branch>) -> Self {
        let len = branches.iter().map(|b| b.leaf.len()).sum();
        let all = Moments::default();
        let first_time = branches[0].first_time;
        let mut node = Self { first_time, len, all, rest: all, rest_len: 0, branches };
        node.summarise(node.branches.len() - 1);
        node
    }

    /// Heap bytes, those of the leaves included, by looking at them all.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> usize {
        self.bytes() + self.branches.iter().map(|b| b.leaf.bytes()).sum::<usize>()
    }

    fn bytes(&self) -> usize {
        self.branches.capacity() * size_of::<Branch>()
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
        let [a, b] = self.branches.get_disjoint_mut([lower, lower + 1]).expect("two leaves");
        a.leaf.compact();
        b.leaf.compact();
        pool.fill_up(&mut a.leaf);
        pool.fill_up(&mut b.leaf);
        let half = a.leaf.len().abs_diff(b.leaf.len()) / 2;
        if lower == full {
            a.leaf.move_last(half, &mut b.leaf);
        } else {
            b.leaf.move_first(half, &mut a.leaf);
        }
        a.summarise(pool);
        b.summarise(pool);
        self.summarise(lower + 1);
        true
    }

    /// Joins anew what has changed with the leaf at `last`, of which those behind know nothing.
    fn summarise(&mut self, last: usize) {
        let (changed, behind) = self.branches.split_at_mut(last + 1);
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

impl Clone for Node {
    fn clone(&self) -> Self {
        Self { branches: same_size(&self.branches), ..*self }
    }
}

/// The leaves of a buffer but the open one, and the moments of its open leaf while there are full
/// ones.
#[derive(Debug, Default)]
pub(super) struct Trunk {
    pub(super) nodes: Vec<Node>,
    pub(super) open: Moments,
}

impl Clone for Trunk {
    fn clone(&self) -> Self {
        Self { nodes: same_size(&self.nodes), open: self.open }
    }
}

impl Trunk {
    /// Heap bytes without the leaves, and without what the nodes hold.
    pub(super) fn own_bytes(&self) -> usize {
        size_of::<Self>() + self.nodes.capacity() * size_of::<Node>()
    }

    /// Time of the last event.
    pub(super) fn last_time(&self) -> Option<i64> {
        self.nodes.last()?.branches.last()?.leaf.last_time()
    }

    /// Time of the first live event.
    pub(super) fn first_time(&self) -> Option<i64> {
        self.nodes.first()?.branches.first()?.leaf.first_time()
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
    pub(super) fn push(&mut self, leaf: Leaf, pool: &mut Pool) {
        let before = self.own_bytes();
        let branch = Branch::new(leaf, pool);
        if let Some(node) = self.nodes.last_mut().filter(|n| n.branches.len() < NODE_LEAVES) {
            let bytes = node.bytes();
            node.len += branch.leaf.len();
            node.branches.push(branch);
            node.summarise(node.branches.len() - 1);
            pool.account(bytes, node.bytes());
        } else {
            let node = Node::new(vec![branch]);
            pool.account(0, node.bytes());
            self.nodes.push(node);
        }
        self.link(self.nodes.len() - 1);
        self.open = Moments::default();
        pool.account(before, self.own_bytes());
    }

    /// Inserts an event behind all that are not after it. Touches one leaf and its node; a full
    /// leaf is split first.
    pub(super) fn insert(&mut self, event: Event, pool: &mut Pool) -> Place {
        loop {
            let (n, l) = self.leaf_before(event.time.saturating_add(1));
            let node = &mut self.nodes[n];
            let branch = &mut node.branches[l];
            branch.leaf.compact();
            if branch.leaf.end() == LEAF_EVENTS {
                if !node.relieve(l, pool) {
                    self.split(n, l, pool);
                }
                continue;
            }
            let index = branch.leaf.seek(event.time.saturating_add(1));
            pool.grow(&mut branch.leaf);
            branch.leaf.insert(index, event, pool.values());
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
        let before = node.bytes();
        let mut upper = pool.take();
        node.branches[l].leaf.move_last(LEAF_EVENTS / 2, &mut upper);
        node.branches[l].summarise(pool);
        node.branches.insert(l + 1, Branch::new(upper, pool));
        node.summarise(l + 1);
        pool.account(before, node.bytes());
    }

    fn split_node(&mut self, n: usize, pool: &mut Pool) {
        let before = self.own_bytes() + self.nodes[n].bytes();
        let node = &mut self.nodes[n];
        let upper = Node::new(node.branches.split_off(NODE_LEAVES / 2));
        node.len -= upper.len;
        node.summarise(NODE_LEAVES / 2 - 1);
        let after = node.bytes() + upper.bytes();
        self.nodes.insert(n + 1, upper);
        pool.account(before, after + self.own_bytes());
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
            for branch in node.branches.drain(..place.leaf()) {
                node.len -= branch.leaf.len();
                pool.recycle(branch.leaf);
            }
            node.all = node.branches[0].rest;
        }
        let leaf = &mut node.branches[0].leaf;
        if leaf.start() < place.index() {
            node.len -= place.index() - leaf.start();
            pool.expire(leaf, place.index());
        }
        if place.node() > 0 {
            self.link_from(0);
        } else if place.leaf() > 0 {
            self.link(0);
        }
    }

    fn drop_nodes(&mut self, count: usize, pool: &mut Pool) {
        for node in self.nodes.drain(..count) {
            pool.account(node.bytes(), 0);
            node.branches.into_iter().for_each(|b| pool.recycle(b.leaf));
        }
    }

    /// Gives all memory back.
    pub(super) fn dissolve(mut self, pool: &mut Pool) {
        self.drop_nodes(self.nodes.len(), pool);
        pool.account(self.own_bytes(), 0);
    }
}
