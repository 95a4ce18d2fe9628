//! The values of one key from which a record at or after the watermark can still take its last.

use crate::state::snapshot::{Cell, Column, SnapshotError, Table, Type};
use std::{collections::VecDeque, fmt::Debug, sync::Arc};

/// A value that is kept, and how it is written over an old one.
pub(super) trait Kept: Clone + Default + Debug + Send + Sync + 'static {
    /// The value as read from a column.
    type Read<'a>: Copy;

    /// Takes the value over, reusing memory.
    fn store(&mut self, read: Self::Read<'_>);

    /// Slot, time and value in a snapshot.
    const COLUMNS: &'static [Column];

    /// The value as it is written to a snapshot.
    fn cell(&self) -> Cell<'_>;

    /// The value in a column of the current row.
    fn load(table: &Table<'_>, column: usize) -> Result<Self, SnapshotError>;

    /// The value as a column takes it.
    fn read(&self) -> Self::Read<'_>;

    /// Bytes of an entry that holds it.
    fn bytes(&self) -> usize;
}

/// Anything of 64 bits.
impl Kept for i64 {
    type Read<'a> = Self;

    const COLUMNS: &'static [Column] =
        &[("slot", Type::Word), ("time", Type::Int), ("value", Type::Int)];

    fn cell(&self) -> Cell<'_> {
        Cell::Int(*self)
    }

    fn load(table: &Table<'_>, column: usize) -> Result<Self, SnapshotError> {
        table.int(column)
    }

    fn store(&mut self, read: Self) {
        *self = read;
    }

    fn read(&self) -> Self {
        *self
    }

    fn bytes(&self) -> usize {
        size_of::<(i64, Self)>()
    }
}

/// Text.
impl Kept for String {
    type Read<'a> = &'a str;

    const COLUMNS: &'static [Column] =
        &[("slot", Type::Word), ("time", Type::Int), ("value", Type::Text)];

    fn cell(&self) -> Cell<'_> {
        Cell::Text(self)
    }

    fn load(table: &Table<'_>, column: usize) -> Result<Self, SnapshotError> {
        table.text(column).map(str::to_owned)
    }

    fn store(&mut self, read: &str) {
        self.clear();
        self.push_str(read);
    }

    fn read(&self) -> &str {
        self
    }

    fn bytes(&self) -> usize {
        size_of::<(i64, Self)>() + self.len()
    }
}

/// Values of one key by (event time, offset), oldest first. Shared with the snapshots that hold
/// them: a copy of a page of trails copies no value.
#[derive(Debug, Clone)]
pub(super) struct Trail<V>(Option<Arc<VecDeque<(i64, V)>>>);

impl<V> Default for Trail<V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<V: Kept> Trail<V> {
    /// The values with their times.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(i64, V)> {
        self.0.as_deref().into_iter().flatten()
    }

    /// Inserts the value of a record behind those of the same time.
    pub(super) fn insert(&mut self, time: i64, value: V) {
        let values = Arc::make_mut(self.0.get_or_insert_default());
        // Nearly every record is the newest of its key.
        if values.back().is_none_or(|(newest, _)| *newest <= time) {
            values.push_back((time, value));
        } else {
            let place = values.partition_point(|(earlier, _)| *earlier <= time);
            values.insert(place, (time, value));
        }
    }

    /// The newest value at or before `time`, at most `within_us` older.
    pub(super) fn last(&self, time: i64, within_us: i64) -> Option<&V> {
        let values = self.0.as_deref()?;
        let place = match values.back() {
            Some((newest, _)) if *newest <= time => values.len(),
            _ => values.partition_point(|(earlier, _)| *earlier <= time),
        };
        let (found, value) = values.get(place.checked_sub(1)?)?;
        (*found >= time.saturating_sub(within_us)).then_some(value)
    }

    /// Hands the values to `freed` that no record at or after the watermark can take: those with
    /// a newer one at or before it, and those too old.
    pub(super) fn prune(&mut self, watermark: i64, within_us: i64, mut freed: impl FnMut(V)) {
        let Some(values) = &mut self.0 else { return };
        while let Some((oldest, _)) = values.front() {
            let covered = values.get(1).is_some_and(|(next, _)| *next <= watermark);
            if !covered && *oldest >= watermark.saturating_sub(within_us) {
                break;
            }
            let (_, value) = Arc::make_mut(values).pop_front().expect("there is an oldest");
            freed(value);
        }
    }

    /// Hands all values to `freed`.
    pub(super) fn clear(&mut self, freed: impl FnMut(V)) {
        let values = self.0.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        values.into_iter().map(|(_, value)| value).for_each(freed);
    }
}
