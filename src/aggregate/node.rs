//! Leaves below a node, and what a node knows of them.

use super::{
    leaf::{LEAF_EVENTS, Leaf},
    moments::Moments,
    pauses::Pauses,
    pool::Pool,
};
use std::sync::Arc;

/// Leaves in a full node.
pub(super) const NODE_LEAVES: usize = 32;

/// Events another leaf must have room for, so that moving some there is worth the while.
const ROOM_TO_MOVE: usize = 8;

/// Bytes before what an [`Arc`] holds.
pub(super) const COUNTS: usize = 2 * size_of::<usize>();

/// Heap bytes of a branch, without the events of its leaf.
pub(super) const BRANCH_BYTES: usize = size_of::<Branch>() + COUNTS + size_of::<Leaf>();

/// Heap bytes of a node without its branches.
const NODE_BYTES: usize = size_of::<Node>() + COUNTS + size_of::<Vec<Branch>>();

/// A leaf in its node. Moments are those of all events in the leaf as long as none has expired.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    /// At most the time of the first live event.
    pub(super) first_time: i64,
    /// Of the leaf.
    pub(super) moments: Moments,
    /// Of the leaf and those behind it in its node: where a window begins in the middle of a node,
    /// the rest of the node is one part.
    pub(super) rest: Moments,
    /// Number of the same events.
    pub(super) rest_len: usize,
    /// Of the leaf, where sessions ask for them.
    pub(super) pauses: Pauses,
    pub(super) leaf: Arc<Leaf>,
}

impl Branch {
    pub(super) fn new(leaf: Arc<Leaf>, pool: &mut Pool) -> Self {
        pool.account(0, BRANCH_BYTES);
        let rest = Moments::default();
        let (first_time, pauses) = (i64::MIN, Pauses::NONE);
        let mut branch = Self { first_time, moments: rest, rest, rest_len: 0, pauses, leaf };
        branch.summarise(pool);
        branch
    }

    /// Computes anew, from a compact leaf, what is known of it.
    pub(super) fn summarise(&mut self, pool: &Pool) {
        self.moments = pool.summarise(&self.leaf);
        if pool.needs_pauses() {
            self.pauses = Pauses::of(&self.leaf);
        }
        self.first_time = self.leaf.first_time().unwrap_or(i64::MIN);
    }

    /// Its leaf, for writing.
    pub(super) fn leaf_mut(&mut self) -> &mut Leaf {
        Arc::make_mut(&mut self.leaf)
    }

    /// Gives all memory back.
    pub(super) fn dissolve(self, pool: &mut Pool) {
        pool.account(BRANCH_BYTES, 0);
        pool.recycle(self.leaf);
    }
}

/// Leaves that follow each other.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// At most the time of the first live event.
    pub(super) first_time: i64,
    /// Number of live events.
    pub(super) len: usize,
    /// Of all its leaves.
    pub(super) all: Moments,
    /// Of the node and those behind it in its run.
    pub(super) rest: Moments,
    /// Number of live events of the node and those behind it in its run; of the first node it does
    /// not follow what expires.
    pub(super) rest_len: usize,
    /// Of all its leaves, where sessions ask for them.
    pub(super) pauses: Pauses,
    #[expect(clippy::rc_buffer, reason = "branches come and go")]
    pub(super) branches: Arc<Vec<Branch>>,
}

impl Node {
    pub(super) fn new(branches: Vec<Branch>, pool: &mut Pool) -> Self {
        pool.account(0, NODE_BYTES);
        let len = branches.iter().map(|b| b.leaf.len()).sum();
        let all = Moments::default();
        let first_time = branches[0].first_time;
        let branches = Arc::new(branches);
        let pauses = Pauses::NONE;
        let mut node = Self { first_time, len, all, rest: all, rest_len: 0, pauses, branches };
        node.summarise(node.branches.len() - 1, pool);
        node
    }

    /// Heap bytes, those of the leaves included, by looking at them all.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> usize {
        let branch = |branch: &Branch| BRANCH_BYTES + branch.leaf.bytes();
        NODE_BYTES + self.branches.iter().map(branch).sum::<usize>()
    }

    /// Its branches, for writing.
    pub(super) fn branches_mut(&mut self) -> &mut Vec<Branch> {
        Arc::make_mut(&mut self.branches)
    }

    /// Gives all memory back.
    pub(super) fn dissolve(self, pool: &mut Pool) {
        pool.account(NODE_BYTES, 0);
        let branches = Arc::unwrap_or_clone(self.branches);
        for branch in branches {
            branch.dissolve(pool);
        }
    }

    /// Moves events of a full leaf to the next or the previous one, if there is room, so that
    /// leaves stay fuller than splitting alone would leave them.
    pub(super) fn relieve(&mut self, full: usize, pool: &mut Pool) -> bool {
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
        self.summarise(lower + 1, pool);
        true
    }

    /// Joins anew what has changed with the leaf at `last`, of which those behind know nothing.
    pub(super) fn summarise(&mut self, last: usize, pool: &Pool) {
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
        self.link_pauses(pool);
    }

    /// Joins anew the pauses of all leaves.
    pub(super) fn link_pauses(&mut self, pool: &Pool) {
        if pool.needs_pauses() {
            let of_leaves = self.branches.iter().map(|branch| branch.pauses);
            self.pauses = of_leaves.fold(Pauses::NONE, Pauses::joined);
        }
    }
}
