//! A small entry of each key, or one of the partition, for operators that fold by recursion.

use crate::{
    aggregate::Per,
    batch::Slot,
    state::{
        Paged,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Table},
    },
};
use std::{fmt::Debug, io};

/// What is kept of a key. The default is that there is nothing.
pub(super) trait Entry: Copy + Default + Debug + Send + Sync + 'static {
    /// The slot, then what is kept.
    type Row: AsRef<[Cell<'static>]>;

    /// Name of its table in a snapshot.
    const TABLE: &'static str;

    /// The columns of that table: the slot, then what is kept.
    const COLUMNS: &'static [Column];

    /// True unless there is nothing.
    fn is_there(&self) -> bool;

    /// As a row of the table.
    fn row(&self, slot: Cell<'static>) -> Self::Row;

    /// From the current row of the table.
    fn load(rows: &Table<'_>) -> Result<Self, SnapshotError>;
}

/// The entries of all keys, or of the partition as one.
#[derive(Debug)]
pub(super) struct BySlot<T> {
    per: Per,
    entries: Paged<T, 64>,
    /// Slots with an entry.
    count: usize,
}

impl<T: Entry> BySlot<T> {
    /// Nothing yet.
    pub(super) fn new(per: Per) -> Self {
        Self { per, entries: Paged::default(), count: 0 }
    }

    /// Whose entries they are.
    pub(super) fn per(&self) -> Per {
        self.per
    }

    /// Number of entries.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// What there is of a key.
    pub(super) fn get(&self, slot: Slot) -> Option<T> {
        self.entries.get(self.per.home(slot)).copied().filter(T::is_there)
    }

    /// Keeps `entry` in the place of what there was.
    pub(super) fn put(&mut self, slot: Slot, entry: T) {
        let place = self.entries.get_mut(self.per.home(slot));
        self.count = self.count + usize::from(entry.is_there()) - usize::from(place.is_there());
        *place = entry;
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.per == Per::Key && self.get(slot).is_some() {
            self.put(slot, T::default());
        }
    }

    /// Bytes of the entries.
    pub(super) fn bytes(&self) -> usize {
        self.count * size_of::<T>()
    }

    /// Of these, bytes that become less with keys.
    pub(super) fn key_bytes(&self) -> usize {
        if self.per == Per::Key { self.bytes() } else { 0 }
    }

    /// Holds on to the entries as they are.
    pub(super) fn capture(&self) -> SavedBySlot<T> {
        SavedBySlot(self.entries.clone())
    }

    /// Takes over the entries that a snapshot holds, each of which `check` has to approve of. The
    /// table has been read to its end.
    pub(super) fn restore<'s>(
        &mut self,
        section: &Section<'s>,
        slots: Slot,
        mut check: impl FnMut(Slot, &T, &Table<'s>) -> Result<(), SnapshotError>,
    ) -> Result<Table<'s>, SnapshotError> {
        *self = Self::new(self.per);
        let mut rows = section.table(T::TABLE, T::COLUMNS)?;
        let mut next = 0;
        while rows.next_row() {
            let slot: Slot = rows.word(0)?;
            let is_new = next <= slot && slot < self.per.homes(slots);
            rows.check(is_new, "rows out of order or without a key")?;
            next = slot + 1;
            let entry = T::load(&rows)?;
            check(slot, &entry, &rows)?;
            rows.check(entry.is_there(), "a row of nothing")?;
            self.put(slot, entry);
        }
        Ok(rows)
    }
}

/// Entries by slot, as they were.
pub(super) struct SavedBySlot<T>(Paged<T, 64>);

impl<T: Entry> Saved for SavedBySlot<T> {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table(T::TABLE, T::COLUMNS);
        for (slot, entry) in (0..).zip(self.0.iter()).filter(|(_, entry)| entry.is_there()) {
            rows.row(entry.row(Cell::Word(slot)).as_ref())?;
        }
        rows.finish()
    }
}
