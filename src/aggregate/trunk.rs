//! Full leaves below nodes: what an event buffer keeps besides its open leaf.
//!
//! Three fixed levels: a leaf holds up to 64 events, a node up to 32 leaves, the trunk a list of
//! nodes. Every leaf and node knows the moments of its events, so that a window visits the events
//! of at most two leaves, the leaves of at most two nodes and the nodes between: some 20 parts for
//! 10,000 events. A list of nodes instead of more levels, because a million events of one key in
//! one window make only some 500 nodes.

use super::{
    leaf::{Event, LEAF_EVENTS, Leaf},
    moments::Moments,
    place::Place,
    pool::Pool,
};

/// Leaves in a full node.
const NODE_LEAVES: usize = 32;

/// A leaf in its node. Its moments are those of all its events as long as none has expired.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    /// At most the time of the first live event.
    first_time: i64,
    pub(super) moments: Moments,
    pub(super) leaf: Leaf,
}

impl Branch {
    fn new(leaf: Leaf, pool: &Pool) -> Self {
        let moments = pool.summarise(&leaf);
        Self { first_time: leaf.first_time().unwrap_or(i64::MIN), moments, leaf }
    }
}

/// A run of leaves.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// At most the time of the first live event.
    first_time: i64,
    /// Number of live events.
    pub(super) len: usize,
    /// True while `moments` cover exactly the live events.
    pub(super) whole: bool,
    pub(super) moments: Moments,
    pub(super) branches: Vec<Branch>,
}

impl Node {
    fn new(branches: Vec<Branch>) -> Self {
        let (first_time, moments) = (branches[0].first_time, Moments::default());
        let mut node = Self { first_time, len: 0, whole: true, moments, branches };
        node.summarise();
        node
    }

    fn bytes(&self) -> usize {
        self.branches.capacity() * size_of::<Branch>()
    }

    /// Computes anew, from the leaves, what the node says about them.
    fn summarise(&mut self) {
        let centre = self.branches.iter().find(|b| b.moments.n > 0);
        let mut moments = Moments::around(centre.map_or(0.0, |b| b.moments.centre));
        self.len = 0;
        for branch in &self.branches {
            moments.merge(&branch.moments);
            self.len += branch.leaf.len();
        }
        moments.recentre();
        self.moments = moments;
        self.first_time = self.branches[0].first_time;
        self.whole = self.branches[0].leaf.start() == 0;
    }
}

/// The full leaves of a buffer, and the moments of its open leaf while there are full ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Trunk {
    pub(super) nodes: Vec<Node>,
    pub(super) open: Moments,
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
            node.branches.push(branch);
            node.summarise();
            pool.account(bytes, node.bytes());
        } else {
            let node = Node::new(vec![branch]);
            pool.account(0, node.bytes());
            self.nodes.push(node);
        }
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
                self.split(n, l, pool);
                continue;
            }
            let index = branch.leaf.seek(event.time.saturating_add(1));
            pool.grow(&mut branch.leaf);
            branch.leaf.insert(index, event, pool.values());
            branch.first_time = branch.leaf.time(0);
            branch.moments = pool.summarise(&branch.leaf);
            node.summarise();
            return Place::new(n, l, index);
        }
    }

    /// Halves a full leaf, and its node if that gets too many.
    fn split(&mut self, n: usize, l: usize, pool: &mut Pool) {
        let node = &mut self.nodes[n];
        let mut before = node.bytes();
        let mut upper = pool.take();
        node.branches[l].leaf.split_into(&mut upper);
        node.branches[l].moments = pool.summarise(&node.branches[l].leaf);
        node.branches.insert(l + 1, Branch::new(upper, pool));
        let mut after = node.bytes();
        if node.branches.len() > NODE_LEAVES {
            let upper = Node::new(node.branches.split_off(NODE_LEAVES / 2));
            after += upper.bytes();
            before += self.own_bytes();
            self.nodes.insert(n + 1, upper);
            after += self.own_bytes();
        }
        self.nodes[n].summarise();
        pool.account(before, after);
    }

    /// Lets everything before `place` expire.
    pub(super) fn expire(&mut self, place: Place, pool: &mut Pool) {
        for node in self.nodes.drain(..place.node()) {
            pool.account(node.bytes(), 0);
            node.branches.into_iter().for_each(|b| pool.recycle(b.leaf));
        }
        let Some(node) = self.nodes.first_mut() else { return };
        for branch in node.branches.drain(..place.leaf()) {
            node.len -= branch.leaf.len();
            node.whole = false;
            pool.recycle(branch.leaf);
        }
        let leaf = &mut node.branches[0].leaf;
        if leaf.start() < place.index() {
            node.len -= place.index() - leaf.start();
            node.whole = false;
            pool.expire(leaf, place.index());
        }
    }

    /// Gives all memory back.
    pub(super) fn dissolve(self, pool: &mut Pool) {
        pool.account(self.own_bytes(), 0);
        for node in self.nodes {
            pool.account(node.bytes(), 0);
            node.branches.into_iter().for_each(|b| pool.recycle(b.leaf));
        }
    }
}
