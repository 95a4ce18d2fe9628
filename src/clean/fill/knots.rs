//! Values of a column by entity key, event time and offset: what lines are drawn between.
//!
//! They are needed while their rows wait and for a while behind that, and are forgotten in the order
//! of their event times. Snapshots share them by shards of keys.

use crate::state::snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type};
use std::{collections::BTreeMap, io, sync::Arc};
use xxhash_rust::xxh3::xxh3_64;

/// Keys lie in so many shards; after a snapshot was taken, a shard is copied when it is written to.
const SHARDS: usize = 256;

/// Bytes of a value beside its key: an entry of each of two trees.
const KNOT_BYTES: usize = 96;

/// Bytes of a key beside its own.
const KEY_BYTES: usize = 96;

/// Event time in microseconds, and offset.
pub(super) type Place = (i64, i64);

type Line = BTreeMap<Place, f64>;
type Shard = BTreeMap<Arc<[u8]>, Line>;

/// The values that are not too old yet.
#[derive(Debug)]
pub(super) struct Knots {
    shards: Vec<Arc<Shard>>,
    in_order: BTreeMap<Place, Arc<[u8]>>,
    bytes: usize,
}

impl Default for Knots {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Arc::default()).collect();
        Self { shards, in_order: BTreeMap::new(), bytes: 0 }
    }
}

/// Which shard holds a key.
fn shard_of(key: &[u8]) -> usize {
    usize::try_from(xxh3_64(key) % SHARDS as u64).expect("there are few shards")
}

impl Knots {
    /// Adds the value of a record; no other one has its offset.
    pub(super) fn insert(&mut self, key: &[u8], place: Place, value: f64) {
        let shard = Arc::make_mut(&mut self.shards[shard_of(key)]);
        let key = if let Some((known, _)) = shard.get_key_value(key) {
            Arc::clone(known)
        } else {
            self.bytes += key.len() + KEY_BYTES;
            Arc::from(key)
        };
        shard.entry(Arc::clone(&key)).or_default().insert(place, value);
        self.in_order.insert(place, key);
        self.bytes += KNOT_BYTES;
    }

    /// The value at `place` on the line between the nearest values of the key before and behind it,
    /// none of them further away than `within_us` or of an offset above `seen`.
    pub(super) fn point(&self, key: &[u8], place: Place, within_us: i64, seen: i64) -> Option<f64> {
        let line = self.shards[shard_of(key)].get(key)?;
        let first = place.0.saturating_sub(within_us);
        let last = place.0.saturating_add(within_us);
        let mut before = line.range((first, i64::MIN)..place).rev();
        let mut behind = line.range(place..=(last, i64::MAX));
        let (left, from) = before.find(|((_, offset), _)| *offset <= seen)?;
        let (right, to) = behind.find(|((_, offset), _)| *offset <= seen)?;
        Some(between((left.0, *from), (right.0, *to), place.0))
    }

    /// Forgets the values before an event time.
    pub(super) fn forget_before(&mut self, event_time: i64) {
        while let Some(first) =
            self.in_order.first_entry().filter(|first| first.key().0 < event_time)
        {
            let (place, key) = first.remove_entry();
            let shard = Arc::make_mut(&mut self.shards[shard_of(&key)]);
            let line = shard.get_mut(&key).expect("each value is on a line");
            line.remove(&place);
            self.bytes -= KNOT_BYTES;
            if line.is_empty() {
                shard.remove(&key);
                self.bytes -= key.len() + KEY_BYTES;
            }
        }
    }

    /// Bytes of state.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn capture(&self) -> Box<dyn Saved> {
        Box::new(SavedKnots(self.shards.clone()))
    }

    pub(super) fn restore(&mut self, section: &Section<'_>) -> Result<(), SnapshotError> {
        *self = Self::default();
        let mut rows = section.table("values", COLUMNS)?;
        while rows.next_row() {
            let (place, value) = ((rows.int(1)?, rows.int(2)?), rows.float(3)?);
            let is_new = place.1 >= 0 && value.is_finite() && !self.in_order.contains_key(&place);
            rows.check(is_new, "a value that no record can have")?;
            self.insert(rows.bytes(0)?, place, value);
        }
        Ok(())
    }
}

/// Linear in time; halves, so that a difference of two numbers is one.
fn between((t0, y0): (i64, f64), (t1, y1): (i64, f64), t: i64) -> f64 {
    if t0 == t1 {
        return y0;
    }
    let ratio = (t - t0) as f64 / (t1 - t0) as f64;
    2.0 * (y0 / 2.0 + (y1 / 2.0 - y0 / 2.0) * ratio)
}

const COLUMNS: &[Column] = &[
    ("key", Type::Bytes),
    ("event_time", Type::Int),
    ("offset", Type::Int),
    ("value", Type::Float),
];

/// The values as they were.
struct SavedKnots(Vec<Arc<Shard>>);

impl Saved for SavedKnots {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("values", COLUMNS);
        for (key, line) in self.0.iter().flat_map(|shard| shard.iter()) {
            for ((event_time, offset), value) in line {
                rows.row(&[
                    Cell::Bytes(key),
                    Cell::Int(*event_time),
                    Cell::Int(*offset),
                    Cell::Float(*value),
                ])?;
            }
        }
        rows.finish()
    }
}
