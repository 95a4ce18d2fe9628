//! `limits.state_bytes`: keys give way until what is kept by key is small enough.
//!
//! How many bytes there are is known once rows have been through all steps, so the limit is looked
//! at between rows, after every [`CHECKED_ROWS`] that ever got a slot: a batch is taken in pieces
//! that end there, wherever it was cut itself. What is counted follows from what is kept, by the
//! sizes of types and the room that buffers ask for: not what the allocator makes of it, not free
//! slots, not what of the last batch lies around. So a fold that was restored counts the same.

use super::{Batch, Fold, Part};
use crate::batch::Rows;

/// Rows between two looks at the limit.
const CHECKED_ROWS: u64 = 4_096;

impl Fold {
    /// Takes the rows in; where the limit is looked at, keys give way until at most `most` bytes
    /// are kept by key, or no key is left.
    pub(super) fn in_pieces(
        &mut self,
        mut rows: Rows,
        most: usize,
        batch: &mut Batch<'_>,
        done: &mut dyn FnMut(Part),
    ) -> Rows {
        let mut pieces = Vec::new();
        while let Some((piece, rest)) = self.until_look(&rows) {
            let last = *piece.records.last().expect("a piece has rows");
            // Tombstones behind the last row come after the look, as in a batch that ends here.
            let until = batch.tombstones.partition_point(|tombstone| *tombstone < last);
            let (before, behind) = batch.tombstones.split_at(until);
            let watermark = *piece.watermarks.last().expect("a piece has rows");
            batch.tombstones = before;
            pieces.push(self.by_key(piece, batch, done));
            batch.tombstones = behind;
            if batch.judged.halt.is_some() {
                return Rows::concat(&pieces);
            }
            self.evict(most, watermark);
            done(Part::Window);
            rows = rest;
        }
        let last = self.by_key(rows, batch, done);
        if pieces.is_empty() {
            return last;
        }
        pieces.push(last);
        Rows::concat(&pieces)
    }

    /// The rows up to the next look and those behind, if there are so many. Peers stay together.
    fn until_look(&self, rows: &Rows) -> Option<(Rows, Rows)> {
        let missing = CHECKED_ROWS - self.keys.rows() % CHECKED_ROWS;
        let mut until = usize::try_from(missing).expect("a small number");
        if rows.len() < until {
            return None;
        }
        while self.windows.sees_next(rows, until - 1) {
            until += 1;
        }
        Some((rows.slice(0..until), rows.slice(until..rows.len())))
    }

    fn evict(&mut self, most: usize, watermark: i64) {
        while self.key_bytes() > most
            && let Some(slot) = self.keys.evict(watermark)
        {
            self.forget(slot);
        }
    }

    /// Bytes that are kept by key: what `limits.state_bytes` is about. What a step keeps of the
    /// partition as a whole would not become less with fewer keys.
    pub fn key_bytes(&self) -> usize {
        let keys = self.keys.len();
        let clean: usize = self.clean.iter().map(|step| step.key_bytes(keys)).sum();
        self.keys.live_bytes() + clean + self.windows.key_bytes(keys)
    }
}
