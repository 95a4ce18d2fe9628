//! The keys in a snapshot: names and times by slot, free slots in their order. The table that finds
//! a name is built again.

use super::{Freed, Hashed, Kept, Keys, Oldest, VACANT, hash, name};
use crate::{
    batch::Slot,
    state::snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
};
use hashbrown::HashTable;
use std::{collections::VecDeque, io};

const PROGRESS: &[Column] = &[("slots", Type::Word), ("rows", Type::Word), ("cursor", Type::Word)];

/// By slot; without a name it belongs to no key.
const SLOTS: &[Column] = &[("name", Type::Bytes), ("last", Type::Int)];

/// In the order in which they are used again.
const FREE: &[Column] = &[("slot", Type::Word), ("at", Type::Word)];

impl Saved for Kept {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut progress = out.table("progress", PROGRESS);
        let [slots, cursor] = [self.slots, self.cursor].map(|slot| Cell::Word(slot.into()));
        progress.row(&[slots, Cell::Word(self.rows), cursor])?;
        progress.finish()?;
        let mut rows = out.table("slots", SLOTS);
        let count = self.slots as usize;
        for (name, last) in self.names.iter().zip(self.last.iter()).take(count) {
            if *last == VACANT {
                rows.row(&[Cell::Null, Cell::Null])?;
            } else {
                rows.row(&[Cell::Bytes(name), Cell::Int(*last)])?;
            }
        }
        rows.finish()?;
        let mut rows = out.table("free", FREE);
        for freed in &self.free {
            rows.row(&[Cell::Word(freed.slot.into()), Cell::Word(freed.at)])?;
        }
        rows.finish()
    }
}

impl Keys {
    /// Holds on to the state as it is.
    pub fn capture(&self) -> impl Saved + 'static {
        self.kept.clone()
    }

    /// Takes over the state that a snapshot holds. After an error, what is there is of no use.
    pub fn restore(&mut self, section: &Section<'_>) -> Result<(), SnapshotError> {
        let progress = section.single("progress", PROGRESS)?;
        self.kept = Kept {
            slots: progress.word(0)?,
            rows: progress.word(1)?,
            cursor: progress.word(2)?,
            ..Kept::default()
        };
        let is_swept = self.kept.cursor < self.kept.slots.max(1);
        progress.check(is_swept, "the sweep stands behind the last slot")?;
        progress.check(self.kept.rows <= u64::MAX / 2, "more rows than a log has")?;
        self.restore_slots(section)?;
        self.kept.free = self.free_slots(section)?;
        Ok(())
    }

    /// Slots the keys have, free ones among them: those of all components are below.
    pub fn slots(&self) -> Slot {
        self.kept.slots
    }

    fn restore_slots(&mut self, section: &Section<'_>) -> Result<(), SnapshotError> {
        let mut rows = section.table("slots", SLOTS)?;
        let slots = self.kept.slots;
        rows.check(rows.len() == slots as usize, "there are other slots than it says")?;
        self.table = HashTable::with_capacity(slots as usize);
        self.name_bytes = 0;
        if let Some(eviction) = &mut self.eviction {
            eviction.oldest = Oldest::default();
        }
        for slot in 0..slots {
            rows.next_row();
            let Some(last) = rows.optional_int(1) else {
                *self.kept.last.get_mut(slot) = VACANT;
                // Both columns grow alike.
                self.kept.names.get_mut(slot);
                continue;
            };
            let key = rows.bytes(0)?;
            let hash_of_key = hash(key);
            let names = &self.kept.names;
            let known = self.table.find(hash_of_key, |slot| name(names, *slot) == key);
            rows.check(known.is_none() && last != VACANT, "a key has two slots")?;
            self.begin(slot, last);
            self.put(Hashed { bytes: key, hash: hash_of_key }, slot);
        }
        Ok(())
    }

    /// The free slots: each slot without a key once, in the order in which they were freed.
    fn free_slots(&self, section: &Section<'_>) -> Result<VecDeque<Freed>, SnapshotError> {
        let mut rows = section.table("free", FREE)?;
        let mut is_free = vec![false; self.kept.slots as usize];
        let mut free = VecDeque::with_capacity(rows.len());
        let mut before = 0;
        while rows.next_row() {
            let freed = Freed { slot: rows.word(0)?, at: rows.word(1)? };
            let listed = is_free.get_mut(freed.slot as usize);
            let is_new = listed.is_some_and(|listed| !std::mem::replace(listed, true));
            let is_vacant = self.kept.last.get(freed.slot).is_some_and(|last| *last == VACANT);
            rows.check(is_new && is_vacant, "a slot that is not free")?;
            let in_order = before <= freed.at && freed.at <= self.kept.rows;
            rows.check(in_order, "slots out of order")?;
            before = freed.at;
            free.push_back(freed);
        }
        let vacant = self.kept.slots as usize - self.table.len();
        rows.check(free.len() == vacant, "a slot without key is missing")?;
        Ok(free)
    }
}
