//! What the events of a key amount to by spans of time, kept in the place of the events.
//!
//! Time is cut into tiles of equal length, from 1970-01-01T00:00 on; of each that has events their
//! moments, extremes, first and last value are kept. Up to 32 neighbours lie in a block and up to 16
//! blocks in a run, by their numbers, so that nothing ever moves when a late event comes to a tile
//! that had none. A window is a range of whole tiles: the tiles of the block it begins in, what is
//! known of the blocks behind up to the newest one, and the tiles of that one.
//!
//! What is known of blocks follows from their tiles alone, by one function, however they came to
//! be: a restored buffer sums up to the same bits.

mod block;
mod saved;

pub use saved::{SavedTiles, restore_tiles};

use super::{
    leaf::Event,
    moments::Moments,
    node::COUNTS,
    pool::Pool,
    summary::{Needs, Summary},
};
use block::{BLOCK_BYTES, Block, block_of, run_of};
use std::sync::Arc;

/// Heap bytes of a key with tiles, without them.
const HEAD_BYTES: usize = COUNTS + size_of::<Vec<Block>>();

/// The most bytes that so many tiles of a key can take.
pub fn tiles_bytes(tiles: usize) -> usize {
    let blocks = tiles.div_ceil(block::BLOCK_TILES as usize).saturating_add(1);
    let of_blocks = blocks.saturating_mul(BLOCK_BYTES);
    tiles.saturating_mul(size_of::<Tile>()).saturating_add(of_blocks).saturating_add(HEAD_BYTES)
}

/// The events of one tile.
#[derive(Debug, Clone, Copy)]
struct Tile {
    number: i64,
    moments: Moments,
    /// Keys of the first and the last value in (event time, arrival) order, and their times.
    first: i64,
    last: i64,
    first_time: i64,
    last_time: i64,
}

/// Moments of so many values and more are centred anew whenever their number has doubled.
const RECENTRED: u64 = 64;

impl Tile {
    fn new(number: i64, event: Event) -> Self {
        let Event { time, key, .. } = event;
        let moments = Moments::default();
        Self { number, moments, first: key, last: key, first_time: time, last_time: time }
    }

    fn take(&mut self, event: Event, pool: &Pool) {
        if event.time < self.first_time {
            (self.first, self.first_time) = (event.key, event.time);
        }
        if self.last_time <= event.time {
            (self.last, self.last_time) = (event.key, event.time);
        }
        pool.note(event, &mut self.moments);
        if self.moments.n >= RECENTRED && self.moments.n.is_power_of_two() {
            self.moments.recentre();
        }
    }
}

/// Tiles of one key.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    /// In order of time; the newest one is not summed up.
    #[expect(clippy::rc_buffer, reason = "blocks come and go")]
    blocks: Option<Arc<Vec<Block>>>,
}

impl Tiles {
    /// Bytes of a tile.
    pub const TILE_BYTES: usize = size_of::<Tile>();

    /// True if it holds no memory.
    pub fn is_vacant(&self) -> bool {
        self.blocks.is_none()
    }

    /// Reads where the next record of the key will; what is read means nothing.
    #[inline]
    pub fn touch(&self) -> i64 {
        self.blocks().last().and_then(|block| block.tiles.last()).map_or(0, |tile| tile.number)
    }

    fn blocks(&self) -> &[Block] {
        self.blocks.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The blocks, for writing.
    fn blocks_mut(&mut self, pool: &mut Pool) -> &mut Vec<Block> {
        let blocks = self.blocks.get_or_insert_with(|| {
            pool.account(0, HEAD_BYTES);
            Arc::default()
        });
        Arc::make_mut(blocks)
    }

    /// Takes an event into the tile of that number.
    pub fn insert(&mut self, number: i64, event: Event, pool: &mut Pool) {
        pool.count_in();
        let blocks = self.blocks_mut(pool);
        let at = match blocks.last() {
            Some(newest) if newest.number == block_of(number) => blocks.len() - 1,
            _ => blocks.partition_point(|block| block.number < block_of(number)),
        };
        let is_new = blocks.get(at).is_none_or(|block| block.number != block_of(number));
        if is_new {
            blocks.insert(at, Block::new(block_of(number), pool));
        }
        blocks[at].insert(number, event, pool);
        if at + 1 < blocks.len() {
            blocks[at].summarise();
            link(blocks, at);
        } else if is_new && at > 0 {
            // The one before is not the newest any more.
            blocks[at - 1].summarise();
            link(blocks, at - 1);
        }
    }

    /// Drops the tiles before that number.
    pub fn expire(&mut self, first: i64, pool: &mut Pool) {
        let is_past = |tile: &Tile| tile.number < first;
        if !self.blocks().first().is_some_and(|block| is_past(&block.tiles[0])) {
            return;
        }
        let blocks = self.blocks_mut(pool);
        let gone = blocks.partition_point(|block| block.tiles.last().is_some_and(is_past));
        blocks.drain(..gone).for_each(|block| block.dissolve(pool));
        if blocks.is_empty() {
            self.clear(pool);
        } else if blocks[0].expire(first, pool) && blocks.len() > 1 {
            blocks[0].summarise();
            link(blocks, 0);
        }
    }

    /// Drops all tiles and gives all memory back.
    pub fn clear(&mut self, pool: &mut Pool) {
        let Some(blocks) = self.blocks.take() else { return };
        pool.account(HEAD_BYTES, 0);
        for block in Arc::unwrap_or_clone(blocks) {
            block.dissolve(pool);
        }
    }

    /// What the events in the tiles `from..=to` amount to, as far as `needs` asks.
    pub fn summary(&self, [from, to]: [i64; 2], needs: Needs, pool: &Pool) -> Summary {
        let Some(range) = self.range(from, to) else { return Summary::default() };
        let [(a, i), (b, j)] = range;
        let (first, last) = (&self.blocks()[a].tiles[i], &self.blocks()[b].tiles[j]);
        let mut summary = Summary {
            first: first.first,
            first_time: first.first_time,
            last: last.last,
            last_time: last.last_time,
            ..Summary::default()
        };
        let centre = if needs.moments { first.moments.centre } else { 0.0 };
        let mut moments = self.fold(range, centre);
        if needs.moments && moments.off_centre() && moments.mean().is_finite() {
            moments = self.fold(range, moments.mean());
        }
        summary.set_moments(&moments);
        debug_assert!(pool.values() || !needs.values(), "values are kept where they are asked for");
        summary
    }

    /// The first tile and the last one of the range, each by block and place, if there are some.
    fn range(&self, from: i64, to: i64) -> Option<[(usize, usize); 2]> {
        let blocks = self.blocks();
        let a = blocks.partition_point(|b| b.tiles.last().is_some_and(|t| t.number < from));
        let i = blocks.get(a)?.tiles.partition_point(|tile| tile.number < from);
        let b = match blocks.last() {
            Some(newest) if newest.tiles[0].number <= to => blocks.len() - 1,
            _ => blocks.partition_point(|b| b.tiles[0].number <= to).checked_sub(1)?,
        };
        let j = blocks[b].tiles.partition_point(|tile| tile.number <= to).checked_sub(1)?;
        ((a, i) <= (b, j)).then_some([(a, i), (b, j)])
    }

    /// Adds up whole tiles: those of the first and the last block one by one, what lies between by
    /// what is known of blocks and runs.
    fn fold(&self, [(a, i), (b, j)]: [(usize, usize); 2], centre: f64) -> Moments {
        let blocks = self.blocks();
        let mut moments = Moments::around(centre);
        let mut merge = |tiles: &[Tile]| tiles.iter().for_each(|t| moments.merge(&t.moments));
        if a == b {
            merge(&blocks[a].tiles[i..=j]);
            return moments;
        }
        merge(&blocks[a].tiles[i..]);
        let mut at = a + 1;
        while at < b {
            let end = run_end(blocks, at);
            if end <= b {
                moments.merge(&blocks[at].rest);
                at = end;
            } else {
                moments.merge(&blocks[at].all);
                at += 1;
            }
        }
        blocks[b].tiles[..=j].iter().for_each(|tile| moments.merge(&tile.moments));
        moments
    }
}

/// The first block behind the one at `at` that is of another run, or the newest one.
fn run_end(blocks: &[Block], at: usize) -> usize {
    let run = run_of(blocks[at].number);
    let newest = blocks.len() - 1;
    let same = blocks[at..newest].iter().take_while(|block| run_of(block.number) == run).count();
    at + same
}

/// Joins anew what has changed with the block at `at` in its run, of which those behind know
/// nothing.
fn link(blocks: &mut [Block], at: usize) {
    let run = run_of(blocks[at].number);
    let newest = blocks.len() - 1;
    let behind = blocks[..newest].get(at + 1).filter(|block| run_of(block.number) == run);
    let mut rest = behind.map_or_else(Moments::default, |block| block.rest);
    let before = blocks[..=at].iter_mut().rev();
    for block in before.take_while(|block| run_of(block.number) == run) {
        rest = block.all.joined(&rest);
        block.rest = rest;
    }
}

#[cfg(test)]
mod tests;
