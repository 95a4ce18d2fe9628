//! Means and medians of a window that ends with the record.
//!
//! By time it lies at event time, as any window. By rows it holds the last values by offset: they
//! are numbered as they come, and the number takes the place of the time.

use super::Place;
use crate::{
    aggregate::{Interpolation, Kind, Needs, Per, float_key, quantile},
    batch::Slot,
    clean::{
        by_slot::{BySlot, Entry, SavedBySlot},
        history::{Histories, MOMENTS},
    },
    state::{
        Horizon,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Table, Type},
    },
};
use arrow::datatypes::DataType;
use std::io;

/// What is made of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Center {
    /// The arithmetic mean.
    Mean,
    /// The value in the middle, of an even number the mean of both.
    Median,
}

/// How far a window reaches back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent {
    /// So many microseconds of event time.
    Time(i64),
    /// So many values, until a pause of more than so many microseconds.
    Rows(i64, Option<i64>),
}

/// How many values came so far, and when.
#[derive(Debug, Clone, Copy, Default)]
struct Arrived {
    count: i64,
    /// Greatest event time.
    newest: i64,
}

/// A moving mean or median.
#[derive(Debug)]
pub(super) struct Moving {
    center: Center,
    extent: Extent,
    values: Histories,
    /// Of windows by rows.
    arrived: BySlot<Arrived>,
    /// Those in the window of the current record.
    keys: Vec<i64>,
}

impl Moving {
    /// No values yet.
    pub(super) fn new(center: Center, extent: Extent, per: Per) -> Self {
        let (Extent::Time(reach) | Extent::Rows(reach, _)) = extent;
        let needs = if center == Center::Mean { MOMENTS } else { Needs::NONE };
        Self {
            center,
            extent,
            values: Histories::new(per, reach, &DataType::Float64, needs),
            arrived: BySlot::new(per),
            keys: Vec::new(),
        }
    }

    /// Takes a finite value in, and gives the centre of the window that it ends.
    pub(super) fn fold(&mut self, place: Place, x: f64) -> f64 {
        let slot = place.slot;
        let (after, until) = match self.extent {
            Extent::Time(over_us) => {
                self.values.expire(slot, place.watermark);
                (place.time.saturating_sub(over_us), place.time)
            }
            Extent::Rows(rows, within_us) => {
                let number = self.number(place, within_us);
                self.values.expire(slot, number);
                (number - rows, number)
            }
        };
        self.values.insert(slot, until, float_key(x));
        match self.center {
            Center::Mean => self.values.statistics(slot, after, until).mean,
            Center::Median => {
                self.values.keys_in(slot, after, until, &mut self.keys);
                quantile(&mut self.keys, Kind::Float, 0.5, Interpolation::Midpoint).unwrap_or(x)
            }
        }
    }

    /// The number of a value; after a pause counting begins anew.
    fn number(&mut self, place: Place, within_us: Option<i64>) -> i64 {
        let before = self.arrived.get(place.slot);
        let goes_on = before.filter(|arrived| {
            within_us.is_none_or(|within_us| {
                place.time.max(place.watermark) <= arrived.newest.saturating_add(within_us)
            })
        });
        if before.is_some() && goes_on.is_none() {
            self.values.clear(place.slot);
        }
        let (count, newest) = goes_on.map_or((0, place.time), |a| (a.count, a.newest));
        let arrived = Arrived { count: count + 1, newest: newest.max(place.time) };
        self.arrived.put(place.slot, arrived);
        arrived.count
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        self.arrived.per().horizon(match self.extent {
            Extent::Time(over_us) => Horizon::For(over_us),
            Extent::Rows(_, within_us) => within_us.map_or(Horizon::Forever, Horizon::For),
        })
    }

    /// How far before a record others may lie that its value depends on.
    pub(super) fn reach(&self) -> Horizon {
        match self.extent {
            Extent::Time(over_us) => Horizon::For(over_us),
            Extent::Rows(rows, Some(within_us)) => Horizon::For(within_us.saturating_mul(rows)),
            Extent::Rows(_, None) => Horizon::Forever,
        }
    }

    /// True for windows by rows.
    pub(super) fn order_sensitive(&self) -> bool {
        matches!(self.extent, Extent::Rows(..))
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.values.forget(slot);
        self.arrived.forget(slot);
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> usize {
        self.values.bytes() + self.arrived.bytes()
    }

    /// Of these, bytes of so many keys.
    pub(super) fn key_bytes(&self, keys: usize) -> usize {
        self.values.key_bytes(keys) + self.arrived.key_bytes()
    }

    /// Holds on to the values as they are.
    pub(super) fn capture(&self) -> impl Saved + 'static {
        SavedMoving { values: self.values.capture(), arrived: self.arrived.capture() }
    }

    /// Takes over the values that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        self.values.restore(section, slots)?;
        let (values, counts) = (&self.values, self.order_sensitive());
        let check = |slot, arrived: &Arrived, rows: &Table<'_>| {
            rows.check(counts, "counts in a window by time")?;
            let is_newest = values.newest(slot) == Some(arrived.count);
            rows.check(is_newest, "it is not the number of the newest value")
        };
        let rows = self.arrived.restore(section, slots, check)?;
        let counted = !counts || self.values.slots() == self.arrived.len();
        rows.check(counted, "values that were not counted")
    }
}

impl Entry for Arrived {
    type Row = [Cell<'static>; 3];

    const TABLE: &'static str = "arrived";

    const COLUMNS: &'static [Column] =
        &[("slot", Type::Word), ("count", Type::Int), ("newest", Type::Int)];

    fn is_there(&self) -> bool {
        self.count > 0
    }

    fn row(&self, slot: Cell<'static>) -> Self::Row {
        [slot, Cell::Int(self.count), Cell::Int(self.newest)]
    }

    fn load(rows: &Table<'_>) -> Result<Self, SnapshotError> {
        Ok(Self { count: rows.int(1)?, newest: rows.int(2)? })
    }
}

/// Values and counts by slot, as they were.
struct SavedMoving<V> {
    values: V,
    arrived: SavedBySlot<Arrived>,
}

impl<V: Saved> Saved for SavedMoving<V> {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        self.values.save(out)?;
        self.arrived.save(out)
    }
}
