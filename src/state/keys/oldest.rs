//! Which key was seen least lately: the order in which keys give way where their number or their
//! bytes are limited.

use super::VACANT;
use crate::batch::Slot;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    mem,
};

/// Entries of keys that are gone, beside as many as there are keys, before they are taken out.
const SPARE_ENTRIES: usize = 64;

/// Keys by the event time of their last row, the oldest first, of equal ones that in the lowest
/// slot.
///
/// A heap that is put right late: a key lies in it under a last time that it once had, and is
/// moved when that comes to the front. So a row of a known key costs nothing here, and each entry
/// that is moved stands for at least one row since. The order depends on times and slots alone,
/// not on when entries were moved.
#[derive(Debug, Default)]
pub(super) struct Oldest {
    heap: BinaryHeap<Reverse<(i64, Slot)>>,
    /// By slot, the time under which its key lies in the heap; an entry under another is of a key
    /// that is gone.
    under: Vec<i64>,
    keys: usize,
}

impl Oldest {
    /// Bytes for each slot: an entry and the time it lies under.
    pub(super) const SLOT_BYTES: usize = size_of::<(i64, Slot)>() + size_of::<i64>();

    /// Takes in a key with the time of its first row.
    pub(super) fn add(&mut self, slot: Slot, time: i64) {
        let index = slot as usize;
        if index >= self.under.len() {
            self.under.resize(index + 1, VACANT);
        }
        self.under[index] = time;
        self.keys += 1;
        if self.heap.len() > 2 * self.keys + SPARE_ENTRIES {
            self.take_out_gone();
        }
        self.heap.push(Reverse((time, slot)));
    }

    /// Lets go of a key.
    pub(super) fn remove(&mut self, slot: Slot) {
        self.under[slot as usize] = VACANT;
        self.keys -= 1;
    }

    /// The oldest key, by the last times that `last` gives.
    pub(super) fn first(&mut self, last: impl Fn(Slot) -> i64) -> Option<Slot> {
        while let Some(mut entry) = self.heap.peek_mut() {
            let Reverse((time, slot)) = *entry;
            let under = &mut self.under[slot as usize];
            if *under != time {
                PeekMut::pop(entry);
                continue;
            }
            let now = last(slot);
            if now == time {
                return Some(slot);
            }
            *under = now;
            *entry = Reverse((now, slot));
        }
        None
    }

    /// Takes out the entries of keys that are gone: as many as have gone since the last time.
    fn take_out_gone(&mut self) {
        let mut entries = mem::take(&mut self.heap).into_vec();
        entries.retain(|Reverse((time, slot))| self.under[*slot as usize] == *time);
        // A key that was gone may have come again under the same time.
        entries.sort_unstable();
        entries.dedup();
        self.heap = entries.into();
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.heap.len()
    }
}
