//! A lane in a snapshot.

use super::{super::tiled::Tiled, Lane};
use crate::{
    aggregate::{Interned, SavedBuffers, SavedTiles, restore_buffers, restore_tiles},
    batch::Slot,
    state::snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
};
use std::io;

const PROGRESS: &[Column] = &[("slots", Type::Word)];

/// A lane as it was.
pub(in crate::window) struct SavedLane {
    slots: usize,
    kept: Box<dyn Saved>,
}

impl Saved for SavedLane {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut progress = out.table("progress", PROGRESS);
        progress.row(&[Cell::Word(self.slots as u64)])?;
        progress.finish()?;
        self.kept.save(out)
    }
}

impl Lane {
    /// Holds on to what it keeps as it is.
    pub(in crate::window) fn capture(&self) -> SavedLane {
        let kept: Box<dyn Saved> = match &self.tiled {
            Some(tiled) => Box::new(SavedTiles::capture(&tiled.by_slot)),
            None => Box::new(SavedBuffers::capture(&self.buffers, &self.pool, &self.interned)),
        };
        SavedLane { slots: self.slots, kept }
    }

    /// Takes over the buffers that a snapshot holds; keys have `slots` slots.
    pub(in crate::window) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        self.pool = self.new_pool();
        self.interned = Interned::new(self.input.kinds());
        let progress = section.single("progress", PROGRESS)?;
        let seen: Slot = progress.word(0)?;
        progress.check(seen <= slots, "slots without a key")?;
        self.slots = seen as usize;
        let (pool, interned) = (&mut self.pool, &mut self.interned);
        let ranges = self.input.ranges();
        if let Some(Tiled { resolution_us, by_slot }) = &mut self.tiled {
            *by_slot = restore_tiles(section, seen, *resolution_us, &ranges[0], pool)?;
        } else {
            self.buffers = restore_buffers(section, seen, ranges, pool, interned)?;
        }
        Ok(())
    }
}
