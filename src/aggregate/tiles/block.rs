//! Up to 32 neighbouring tiles: the unit in which tiles are shared with snapshots and summed up.

use super::{
    super::{leaf::Event, moments::Moments, node::COUNTS, pool::Pool},
    Tile,
};
use std::sync::Arc;

/// Tiles in a full block.
pub(super) const BLOCK_TILES: u32 = 32;

/// Blocks in a full run.
const RUN_BLOCKS: i64 = 16;

/// Heap bytes of a block without its tiles.
pub(super) const BLOCK_BYTES: usize = size_of::<Block>() + COUNTS + size_of::<Vec<Tile>>();

/// The block that a tile lies in.
pub(super) fn block_of(tile: i64) -> i64 {
    tile.div_euclid(BLOCK_TILES.into())
}

/// The run that a block lies in.
pub(super) fn run_of(block: i64) -> i64 {
    block.div_euclid(RUN_BLOCKS)
}

/// The tiles with events of one stretch of time.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) number: i64,
    /// Of all tiles.
    pub(super) all: Moments,
    /// Of the block and those behind it in its run, but the newest one of the key.
    pub(super) rest: Moments,
    /// In order; never none but for a moment.
    #[expect(clippy::rc_buffer, reason = "tiles come and go")]
    pub(super) tiles: Arc<Vec<Tile>>,
}

impl Block {
    pub(super) fn new(number: i64, pool: &mut Pool) -> Self {
        pool.account(0, BLOCK_BYTES);
        let none = Moments::default();
        Self { number, all: none, rest: none, tiles: Arc::default() }
    }

    /// Takes an event into the tile of that number.
    pub(super) fn insert(&mut self, number: i64, event: Event, pool: &mut Pool) {
        let tiles = Arc::make_mut(&mut self.tiles);
        let at = match tiles.last() {
            Some(newest) if newest.number == number => tiles.len() - 1,
            _ => tiles.partition_point(|tile| tile.number < number),
        };
        if tiles.get(at).is_none_or(|tile| tile.number != number) {
            if tiles.len() == tiles.capacity() {
                tiles.reserve_exact(tiles.len().max(1));
            }
            tiles.insert(at, Tile::new(number, event));
            pool.account(0, size_of::<Tile>());
        }
        tiles[at].take(event, pool);
    }

    /// A block of these tiles of a snapshot, in order.
    pub(super) fn restored(number: i64, tiles: Vec<Tile>, pool: &mut Pool) -> Self {
        let block = Self { tiles: Arc::new(tiles), ..Self::new(number, pool) };
        pool.account(0, block.tiles.len() * size_of::<Tile>());
        block
    }

    /// Drops the tiles before that number; true if there were some.
    pub(super) fn expire(&mut self, first: i64, pool: &mut Pool) -> bool {
        let gone = self.tiles.partition_point(|tile| tile.number < first);
        if gone > 0 {
            let tiles = Arc::make_mut(&mut self.tiles);
            tiles.drain(..gone).for_each(|tile| count_out(&tile, pool));
        }
        gone > 0
    }

    /// Gives all memory back.
    pub(super) fn dissolve(self, pool: &mut Pool) {
        pool.account(BLOCK_BYTES, 0);
        self.tiles.iter().for_each(|tile| count_out(tile, pool));
    }

    /// Computes anew what is known of all tiles.
    pub(super) fn summarise(&mut self) {
        let join = |all: Moments, tile: &Tile| all.joined(&tile.moments);
        self.all = self.tiles.iter().fold(Moments::default(), join);
    }
}

fn count_out(tile: &Tile, pool: &mut Pool) {
    pool.account(size_of::<Tile>(), 0);
    pool.count_out(tile.moments.n);
}
