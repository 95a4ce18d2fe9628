//! Windows with a `resolution`: tiles of a key in the place of its events.

use super::lane::LaneWindow;
use crate::{
    aggregate::{Event, Pool, Tiles, tiles_bytes},
    batch::Slot,
    state::Paged,
};

/// What a lane keeps of its keys by spans of time.
#[derive(Debug)]
pub(super) struct Tiled {
    pub(super) resolution_us: i64,
    pub(super) by_slot: Paged<Tiles>,
}

impl Tiled {
    pub(super) fn new(resolution_us: i64) -> Self {
        Self { resolution_us, by_slot: Paged::default() }
    }

    /// Puts one record in. A window without the record is looked at before that.
    pub(super) fn insert(
        &mut self,
        (slot, event): (Slot, Event),
        oldest: i64,
        windows: &mut [LaneWindow],
        pool: &mut Pool,
    ) {
        let resolution = self.resolution_us;
        let tiles = self.by_slot.get_mut(slot);
        tiles.expire(oldest.div_euclid(resolution), pool);
        look(tiles, event, windows.iter_mut().filter(|w| w.extent.exclude_current), pool);
        if event.valid {
            tiles.insert(event.time.div_euclid(resolution), event, pool);
        }
    }

    /// Adds a summary to each other window of a record that was put in: of whole tiles, from the
    /// one in which the window begins to the record's own.
    pub(super) fn look(
        &self,
        (slot, event): (Slot, Event),
        windows: &mut [LaneWindow],
        pool: &Pool,
    ) {
        let tiles = self.by_slot.get(slot).expect("it was put in");
        look(tiles, event, windows.iter_mut().filter(|w| !w.extent.exclude_current), pool);
    }

    /// Drops what is kept under `slot`.
    pub(super) fn forget(&mut self, slot: Slot, pool: &mut Pool) {
        if self.by_slot.get(slot).is_some_and(|tiles| !tiles.is_vacant()) {
            self.by_slot.get_mut(slot).clear(pool);
        }
    }

    /// The most bytes a key can take whose tiles reach back so far.
    pub(super) fn key_bytes_max(&self, reach_us: i64) -> usize {
        // The first and the last are cut by both ends.
        let tiles = (reach_us / self.resolution_us).saturating_add(2);
        tiles_bytes(usize::try_from(tiles).unwrap_or(usize::MAX)).saturating_add(size_of::<Tiles>())
    }
}

fn look<'w>(
    tiles: &Tiles,
    event: Event,
    windows: impl Iterator<Item = &'w mut LaneWindow>,
    pool: &Pool,
) {
    for LaneWindow { extent, needs, summaries, .. } in windows {
        let mut summary = tiles.summary(extent.tiles(event.time), *needs, pool);
        summary.time = event.time;
        summary.own = event.valid.then_some(event.key);
        summaries.push(summary);
    }
}
