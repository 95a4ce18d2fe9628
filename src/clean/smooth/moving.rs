//! Means and medians of a window that ends with the record.
//!
//! By time it lies at event time, as any window. By rows it holds the last values by offset: they
//! are numbered as they come, and the number takes the place of the time.

use super::Place;
use crate::{
    aggregate::{Interpolation, Kind, Needs, float_key, quantile},
    batch::Slot,
    clean::history::{Histories, MOMENTS, Per},
    state::{
        Horizon, Paged,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
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
    per: Per,
    values: Histories,
    /// Of windows by rows.
    arrived: Paged<Arrived, 64>,
    /// Slots with an arrival.
    count: usize,
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
            per,
            values: Histories::new(per, reach, &DataType::Float64, needs),
            arrived: Paged::default(),
            count: 0,
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
        let arrived = self.arrived.get_mut(self.per.home(place.slot));
        let is_first = arrived.count == 0;
        self.count += usize::from(is_first);
        let is_over = within_us.is_some_and(|within_us| {
            place.time.max(place.watermark) > arrived.newest.saturating_add(within_us)
        });
        if is_over && !is_first {
            self.values.clear(place.slot);
        }
        *arrived = if is_first || is_over {
            Arrived { count: 1, newest: place.time }
        } else {
            Arrived { count: arrived.count + 1, newest: arrived.newest.max(place.time) }
        };
        arrived.count
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        match (self.per, self.extent) {
            (Per::Partition, _) => Horizon::Stateless,
            (Per::Key, Extent::Time(over_us)) => Horizon::For(over_us),
            (Per::Key, Extent::Rows(_, within_us)) => {
                within_us.map_or(Horizon::Forever, Horizon::For)
            }
        }
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
        if self.per == Per::Key && self.arrived.get(slot).is_some_and(|arrived| arrived.count > 0) {
            *self.arrived.get_mut(slot) = Arrived::default();
            self.count -= 1;
        }
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> usize {
        self.values.bytes() + self.count * size_of::<Arrived>()
    }

    /// Of these, bytes of so many keys.
    pub(super) fn key_bytes(&self, keys: usize) -> usize {
        match self.per {
            Per::Key => self.values.key_bytes(keys) + self.count * size_of::<Arrived>(),
            Per::Partition => 0,
        }
    }

    /// Holds on to the values as they are.
    pub(super) fn capture(&self) -> impl Saved + 'static {
        SavedMoving { values: self.values.capture(), arrived: self.arrived.clone() }
    }

    /// Takes over the values that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        self.values.restore(section, slots)?;
        (self.arrived, self.count) = (Paged::default(), 0);
        let mut rows = section.table("arrived", ARRIVED)?;
        let mut next = 0;
        while rows.next_row() {
            let slot: Slot = rows.word(0)?;
            let may_be = next <= slot && slot < self.per.homes(slots) && self.order_sensitive();
            rows.check(may_be, "counts out of order or without a key")?;
            next = slot + 1;
            let arrived = Arrived { count: rows.int(1)?, newest: rows.int(2)? };
            let is_newest = self.values.newest(slot) == Some(arrived.count);
            rows.check(is_newest, "it is not the number of the newest value")?;
            *self.arrived.get_mut(slot) = arrived;
            self.count += 1;
        }
        let counted = !self.order_sensitive() || self.values.slots() == self.count;
        rows.check(counted, "values that were not counted")
    }
}

const ARRIVED: &[Column] = &[("slot", Type::Word), ("count", Type::Int), ("newest", Type::Int)];

/// Values and counts by slot, as they were.
struct SavedMoving<V> {
    values: V,
    arrived: Paged<Arrived, 64>,
}

impl<V: Saved> Saved for SavedMoving<V> {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        self.values.save(out)?;
        let mut rows = out.table("arrived", ARRIVED);
        for (slot, arrived) in (0..).zip(self.arrived.iter()).filter(|(_, a)| a.count > 0) {
            rows.row(&[Cell::Word(slot), Cell::Int(arrived.count), Cell::Int(arrived.newest)])?;
        }
        rows.finish()
    }
}
