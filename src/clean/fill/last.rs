//! The last value of each key, as of each record's own event time.
//!
//! Per key the newest value at or before the watermark is kept, and those behind the watermark:
//! one value, and what came within the lateness.

use super::trail::{Kept, Trail};
use crate::{
    batch::{Rows, Slot},
    clean::column::wrong_type,
    registry::{Position, Problem, Span},
    state::{
        Horizon, Paged,
        snapshot::{Cell, Saved, Saver, Section, SnapshotError},
    },
};
use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, Int64Array, Int64Builder, StringArray,
        StringBuilder,
    },
    compute::cast,
    datatypes::{DataType, Field, Float64Type, Int64Type},
};
use std::{io, sync::Arc};

/// The last values of a column by key.
#[derive(Debug)]
pub(super) struct Last {
    within: Option<Span>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// Numbers, times and booleans, as 64 bits.
    Bits(Store<i64>),
    Text(Store<String>),
}

impl Last {
    pub(super) fn build(
        field: &Field,
        within: Option<Span>,
        at: Position,
    ) -> Result<Self, Problem> {
        let values = match field.data_type() {
            DataType::Utf8 => Values::Text(Store::default()),
            DataType::Boolean
            | DataType::Int32
            | DataType::Int64
            | DataType::Float64
            | DataType::Date32
            | DataType::Timestamp(..) => Values::Bits(Store::default()),
            _ => return Err(wrong_type(field, at, "a column of single values")),
        };
        Ok(Self { within, values })
    }

    /// The column with each null replaced by the last value, if there is one.
    pub(super) fn advance(&mut self, column: &ArrayRef, rows: &Rows) -> ArrayRef {
        let within_us = self.within_us();
        match &mut self.values {
            Values::Bits(store) => {
                let values = to_bits(column);
                let mut filled = Int64Builder::with_capacity(values.len());
                let read = |row| values.is_valid(row).then(|| values.value(row));
                store.advance(rows, within_us, read, |value| filled.append_option(value));
                from_bits(&filled.finish(), column.data_type())
            }
            Values::Text(store) => {
                let values: &StringArray = column.as_string();
                let mut filled = StringBuilder::with_capacity(values.len(), values.values().len());
                let read = |row| values.is_valid(row).then(|| values.value(row));
                store.advance(rows, within_us, read, |value| filled.append_option(value));
                Arc::new(filled.finish())
            }
        }
    }

    pub(super) fn horizon(&self) -> Horizon {
        self.within.map_or(Horizon::Forever, |within| Horizon::For(within.us))
    }

    pub(super) fn forget(&mut self, slot: Slot) {
        match &mut self.values {
            Values::Bits(store) => store.forget(slot),
            Values::Text(store) => store.forget(slot),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.values {
            Values::Bits(store) => store.bytes,
            Values::Text(store) => store.bytes,
        }
    }

    pub(super) fn capture(&self) -> Box<dyn Saved> {
        match &self.values {
            Values::Bits(store) => Box::new(SavedTrails(store.trails.clone())),
            Values::Text(store) => Box::new(SavedTrails(store.trails.clone())),
        }
    }

    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        match &mut self.values {
            Values::Bits(store) => store.restore(section, slots),
            Values::Text(store) => store.restore(section, slots),
        }
    }

    fn within_us(&self) -> i64 {
        self.within.map_or(i64::MAX, |within| within.us)
    }
}

/// Trails by slot, as they were.
struct SavedTrails<V>(Paged<Trail<V>>);

impl<V: Kept> Saved for SavedTrails<V> {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("values", V::COLUMNS);
        for (slot, trail) in (0..).zip(self.0.iter()) {
            for (time, value) in trail.iter() {
                rows.row(&[Cell::Word(slot), Cell::Int(*time), value.cell()])?;
            }
        }
        rows.finish()
    }
}

/// Trails by slot.
#[derive(Debug)]
struct Store<V> {
    trails: Paged<Trail<V>>,
    /// Values that are out of use, to be written over.
    spare: Vec<V>,
    bytes: usize,
}

impl<V: Kept> Default for Store<V> {
    fn default() -> Self {
        Self { trails: Paged::default(), spare: Vec::new(), bytes: 0 }
    }
}

impl<V: Kept> Store<V> {
    /// Emits each row's own value, or the last one, or none.
    fn advance<'a>(
        &mut self,
        rows: &Rows,
        within_us: i64,
        read: impl Fn(usize) -> Option<V::Read<'a>>,
        mut emit: impl FnMut(Option<V::Read<'_>>),
    ) {
        for row in 0..rows.len() {
            let (slot, time) = (rows.slots[row], rows.event_times[row]);
            let own = read(row);
            if let Some(own) = own {
                self.keep(slot, time, own);
            }
            // Also for a row that adds nothing: what a late one finds is what the watermark
            // leaves, not what happens to be there.
            self.prune(slot, rows.watermarks[row], within_us);
            if own.is_some() {
                emit(own);
            } else {
                let trail = self.trails.get(slot);
                emit(trail.and_then(|trail| trail.last(time, within_us)).map(V::read));
            }
        }
    }

    fn keep(&mut self, slot: Slot, time: i64, own: V::Read<'_>) {
        let mut value = self.spare.pop().unwrap_or_default();
        value.store(own);
        self.bytes += value.bytes();
        self.trails.get_mut(slot).insert(time, value);
    }

    fn prune(&mut self, slot: Slot, watermark: i64, within_us: i64) {
        let Self { trails, spare, bytes } = self;
        trails.get_mut(slot).prune(watermark, within_us, |value| {
            *bytes -= value.bytes();
            spare.push(value);
        });
    }

    /// Takes over the values that a snapshot holds.
    fn restore(&mut self, section: &Section<'_>, slots: Slot) -> Result<(), SnapshotError> {
        *self = Self::default();
        let mut rows = section.table("values", V::COLUMNS)?;
        let mut before = None;
        while rows.next_row() {
            let (slot, time) = (rows.word::<Slot>(0)?, rows.int(1)?);
            let follows = slot < slots && before.is_none_or(|before| before <= (slot, time));
            rows.check(follows, "values out of order or without a key")?;
            before = Some((slot, time));
            let value = V::load(&rows, 2)?;
            self.bytes += value.bytes();
            self.trails.get_mut(slot).insert(time, value);
        }
        Ok(())
    }

    fn forget(&mut self, slot: Slot) {
        let Self { trails, spare, bytes } = self;
        if trails.get(slot).is_some() {
            trails.get_mut(slot).clear(|value| {
                *bytes -= value.bytes();
                spare.push(value);
            });
        }
    }
}

/// The column's values as 64 bits.
fn to_bits(column: &ArrayRef) -> Int64Array {
    if column.data_type() == &DataType::Float64 {
        let floats = column.as_primitive::<Float64Type>();
        return floats.unary::<_, Int64Type>(|x| x.to_bits().cast_signed());
    }
    let bits = cast(column, &DataType::Int64).expect("each of these types casts to integers");
    bits.as_primitive::<Int64Type>().clone()
}

/// The inverse of [`to_bits`].
fn from_bits(bits: &Int64Array, data_type: &DataType) -> ArrayRef {
    if data_type == &DataType::Float64 {
        let floats: Float64Array =
            bits.unary::<_, Float64Type>(|bits| f64::from_bits(bits.cast_unsigned()));
        return Arc::new(floats);
    }
    cast(bits, data_type).expect("what came from a type casts back to it")
}
