//! The values of one key from which a record at or after the watermark can still take its last.

use std::{collections::VecDeque, fmt::Debug};

/// A value that is kept, and how it is written over an old one.
pub(super) trait Kept: Clone + Default + Debug + Send + Sync {
    /// The value as read from a column.
    type Read<'a>: Copy;

    /// Takes the value over, reusing memory.
    fn store(&mut self, read: Self::Read<'_>);

    /// The value as a column takes it.
    fn read(&self) -> Self::Read<'_>;

    /// Bytes of an entry that holds it.
    fn bytes(&self) -> usize;
}

/// Anything of 64 bits.
impl Kept for i64 {
    type Read<'a> = Self;

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

    fn store(&mut self, read: &str) {
        self.clear();
        self.push_str(read);
    }

    fn read(&self) -> &str {
        self
    }

    fn bytes(&self) -> usize {
        size_of::<(i64, Self)>() + self.capacity()
    }
}

/// Values of one key by (event time, offset), oldest first.
#[derive(Debug, Clone)]
pub(super) struct Trail<V>(VecDeque<(i64, V)>);

impl<V> Default for Trail<V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<V: Kept> Trail<V> {
    /// Inserts the value of a record behind those of the same time.
    pub(super) fn insert(&mut self, time: i64, value: V) {
        // Nearly every record is the newest of its key.
        if self.0.back().is_none_or(|(newest, _)| *newest <= time) {
            self.0.push_back((time, value));
        } else {
            let place = self.0.partition_point(|(earlier, _)| *earlier <= time);
            self.0.insert(place, (time, value));
        }
    }

    /// The newest value at or before `time`, at most `within_us` older.
    pub(super) fn last(&self, time: i64, within_us: i64) -> Option<&V> {
        let place = match self.0.back() {
            Some((newest, _)) if *newest <= time => self.0.len(),
            _ => self.0.partition_point(|(earlier, _)| *earlier <= time),
        };
        let (found, value) = self.0.get(place.checked_sub(1)?)?;
        (*found >= time.saturating_sub(within_us)).then_some(value)
    }

    /// Hands the values to `freed` that no record at or after the watermark can take: those with
    /// a newer one at or before it, and those too old.
    pub(super) fn prune(&mut self, watermark: i64, within_us: i64, mut freed: impl FnMut(V)) {
        while let Some((oldest, _)) = self.0.front() {
            let covered = self.0.get(1).is_some_and(|(next, _)| *next <= watermark);
            if !covered && *oldest >= watermark.saturating_sub(within_us) {
                break;
            }
            let (_, value) = self.0.pop_front().expect("there is an oldest");
            freed(value);
        }
    }

    /// Hands all values to `freed`.
    pub(super) fn clear(&mut self, freed: impl FnMut(V)) {
        self.0.drain(..).map(|(_, value)| value).for_each(freed);
    }
}
