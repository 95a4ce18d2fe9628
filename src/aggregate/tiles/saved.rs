//! The tiles of a lane in a snapshot. What blocks know of them is computed again.

use super::{
    super::{moments::Moments, pool::Pool, value::Kind},
    Tile, Tiles,
    block::{Block, block_of},
    link,
};
use crate::{
    batch::Slot,
    state::{
        Paged,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Table, Type},
    },
};
use std::{io, ops::RangeInclusive, sync::Arc};

/// By slot, then in order of time. Where no values are kept, what they amount to is nothing.
const TILES: &[Column] = &[
    ("slot", Type::Word),
    ("number", Type::Int),
    ("n", Type::Word),
    ("centre", Type::Float),
    ("d1", Type::Float),
    ("d2", Type::Float),
    ("sum", Type::Float),
    ("min", Type::Int),
    ("max", Type::Int),
    ("first", Type::Int),
    ("last", Type::Int),
    ("first_time", Type::Int),
    ("last_time", Type::Int),
];

/// More events than any tile has seen: so that their number over all tiles is one.
const EVENTS_MAX: u64 = 1 << 40;

/// Tiles by slot, as they were.
#[derive(Debug)]
pub struct SavedTiles(Paged<Tiles>);

impl SavedTiles {
    /// Holds on to the tiles.
    pub fn capture(tiles: &Paged<Tiles>) -> Self {
        Self(tiles.clone())
    }
}

impl Saved for SavedTiles {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("tiles", TILES);
        for (slot, tiles) in (0..).zip(self.0.iter()) {
            for tile in tiles.blocks().iter().flat_map(|block| block.tiles.iter()) {
                let Moments { n, centre, d1, d2, sum, min, max } = tile.moments;
                rows.row(&[
                    Cell::Word(slot),
                    Cell::Int(tile.number),
                    Cell::Word(n),
                    Cell::Float(centre),
                    Cell::Float(d1),
                    Cell::Float(d2),
                    Cell::Float(sum),
                    Cell::Int(min),
                    Cell::Int(max),
                    Cell::Int(tile.first),
                    Cell::Int(tile.last),
                    Cell::Int(tile.first_time),
                    Cell::Int(tile.last_time),
                ])?;
            }
        }
        rows.finish()
    }
}

/// Reads what [`SavedTiles`] has written into an empty lane: tiles of `resolution_us`, slots below
/// `slots`, keys of values in `range`. After an error, what is there is of no use.
pub fn restore_tiles(
    section: &Section<'_>,
    slots: Slot,
    resolution_us: i64,
    range: &RangeInclusive<i64>,
    pool: &mut Pool,
) -> Result<Paged<Tiles>, SnapshotError> {
    let mut rows = section.table("tiles", TILES)?;
    let mut tiles = Paged::<Tiles>::default();
    let mut before: Option<(Slot, i64)> = None;
    while rows.next_row() {
        let slot: Slot = rows.word(0)?;
        let tile = read(&rows, resolution_us, range, pool.kind())?;
        let at = (slot, tile.number);
        let follows = slot < slots && before.is_none_or(|before| before < at);
        rows.check(follows, "tiles out of order or without a key")?;
        before = Some(at);
        pool.count_in_restored(usize::try_from(tile.moments.n).unwrap_or(usize::MAX), 0);
        tiles.get_mut(slot).push(tile, pool);
    }
    for slot in 0..slots {
        if tiles.get(slot).is_some_and(|tiles| !tiles.is_vacant()) {
            tiles.get_mut(slot).sum_up();
        }
    }
    Ok(tiles)
}

fn read(
    rows: &Table<'_>,
    resolution_us: i64,
    range: &RangeInclusive<i64>,
    kind: Kind,
) -> Result<Tile, SnapshotError> {
    let moments = Moments {
        n: rows.word(2)?,
        centre: rows.float(3)?,
        d1: rows.float(4)?,
        d2: rows.float(5)?,
        sum: rows.float(6)?,
        min: rows.int(7)?,
        max: rows.int(8)?,
    };
    let tile = Tile {
        number: rows.int(1)?,
        moments,
        first: rows.int(9)?,
        last: rows.int(10)?,
        first_time: rows.int(11)?,
        last_time: rows.int(12)?,
    };
    let inside = |time: i64| time.div_euclid(resolution_us) == tile.number;
    let in_order = tile.first_time <= tile.last_time;
    let is_tile = inside(tile.first_time) && inside(tile.last_time) && in_order;
    rows.check(is_tile && (1..=EVENTS_MAX).contains(&moments.n), "no events make such a tile")?;
    // Extremes that nobody asks for are as far apart as can be, the wrong way round.
    let extremes = [moments.min, moments.max];
    let has_extremes = extremes != [i64::MAX, i64::MIN];
    let fits = |keys: [i64; 2]| keys.iter().all(|key| range.contains(key));
    let are_values = fits([tile.first, tile.last]) && (!has_extremes || fits(extremes));
    rows.check(kind == Kind::Nothing || are_values, "a value that the column cannot have")?;
    Ok(tile)
}

impl Tiles {
    /// Appends the next tile of a snapshot.
    fn push(&mut self, tile: Tile, pool: &mut Pool) {
        let number = block_of(tile.number);
        let blocks = self.blocks_mut(pool);
        match blocks.last_mut().filter(|newest| newest.number == number) {
            Some(newest) => {
                Arc::make_mut(&mut newest.tiles).push(tile);
                pool.account(0, size_of::<Tile>());
            }
            None => blocks.push(Block::restored(number, vec![tile], pool)),
        }
    }

    /// Computes what blocks know of their tiles once all are there.
    fn sum_up(&mut self) {
        let Some(blocks) = &mut self.blocks else { return };
        let blocks = Arc::make_mut(blocks);
        for at in (0..blocks.len() - 1).rev() {
            blocks[at].summarise();
            link(blocks, at);
        }
    }
}
