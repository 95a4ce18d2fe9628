//! Judges a value by the one before it, in offset order.
//!
//! What is kept of a key, or of the partition, is its value before and how often that came in a
//! row. Every value enters, outlier or not. NaN is no value to compare with: behind it nothing is
//! judged, and a row of equal values is over.

use super::judge::{Place, Value};
use crate::{
    batch::Slot,
    clean::{clip::Range, history::Per},
    state::{
        Horizon, Paged,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
    },
};
use std::io;

/// A value that was seen.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    time: i64,
    key: i64,
    /// How often it came in a row, up to what is asked for; 0 if there is none.
    run: u32,
}

/// The newest value of each key, by offset.
#[derive(Debug)]
pub(super) struct Previous {
    per: Per,
    within_us: Option<i64>,
    rule: Rule,
    by_slot: Paged<Seen, 64>,
    /// Slots with a value.
    count: usize,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// It lies too far from the one before for the time between them.
    Rate {
        /// Difference a second.
        max: f64,
    },
    /// It came too often in a row.
    Stuck {
        /// How often.
        count: u32,
    },
}

impl Rule {
    /// The highest run that is kept.
    fn run_max(self) -> u32 {
        match self {
            Self::Rate { .. } => 1,
            Self::Stuck { count } => count,
        }
    }
}

impl Previous {
    /// No values yet. A value before is looked at if it is at most `within_us` away.
    pub(super) fn new(rule: Rule, per: Per, within_us: Option<i64>) -> Self {
        Self { per, within_us, rule, by_slot: Paged::default(), count: 0 }
    }

    /// The range that `value` would have had to lie in, if it is an outlier; then it enters.
    pub(super) fn judge(&mut self, place: Place, value: Value) -> Option<Range> {
        let before = self.before(place);
        if value.number.is_nan() {
            self.put(place.slot, Seen::default());
            return None;
        }
        let same = before.filter(|seen| seen.key == value.key);
        let run = same.map_or(1, |seen| (seen.run + 1).min(self.rule.run_max()));
        self.put(place.slot, Seen { time: place.time, key: value.key, run });
        match self.rule {
            Rule::Rate { max } => too_fast(before?, place.time, value, max),
            Rule::Stuck { count } => {
                (run >= count).then(|| Range::new(f64::NEG_INFINITY, f64::INFINITY))
            }
        }
    }

    /// The value before, if it is near enough. The watermark decides as expiry does.
    fn before(&self, place: Place) -> Option<Seen> {
        let seen = self.by_slot.get(self.per.home(place.slot)).filter(|seen| seen.run > 0)?;
        let is_near = self.within_us.is_none_or(|within_us| {
            let oldest = place.time.max(place.watermark).saturating_sub(within_us);
            seen.time >= oldest && seen.time.saturating_sub(place.time) <= within_us
        });
        is_near.then_some(*seen)
    }

    fn put(&mut self, slot: Slot, seen: Seen) {
        let place = self.by_slot.get_mut(self.per.home(slot));
        self.count = self.count + usize::from(seen.run > 0) - usize::from(place.run > 0);
        *place = seen;
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        match self.per {
            Per::Key => self.within_us.map_or(Horizon::Forever, Horizon::For),
            Per::Partition => Horizon::Stateless,
        }
    }

    /// How far before a record others may lie that its judgement depends on.
    pub(super) fn reach(&self) -> Horizon {
        let steps = i64::from(self.rule.run_max()).max(2) - 1;
        let reach = |within_us: i64| Horizon::For(within_us.saturating_mul(steps));
        self.within_us.map_or(Horizon::Forever, reach)
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.per == Per::Key && self.by_slot.get(slot).is_some_and(|seen| seen.run > 0) {
            self.put(slot, Seen::default());
        }
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> usize {
        self.count * size_of::<Seen>()
    }

    /// Of these, bytes that become less with keys.
    pub(super) fn key_bytes(&self) -> usize {
        if self.per == Per::Key { self.bytes() } else { 0 }
    }

    /// Holds on to the values as they are.
    pub(super) fn capture(&self) -> impl Saved + 'static {
        SavedPrevious(self.by_slot.clone())
    }

    /// Takes over the values that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        (self.by_slot, self.count) = (Paged::default(), 0);
        let mut rows = section.table("previous", PREVIOUS)?;
        let mut next = 0;
        while rows.next_row() {
            let slot: Slot = rows.word(0)?;
            let is_new = next <= slot && slot < self.per.homes(slots);
            rows.check(is_new, "values out of order or without a key")?;
            next = slot + 1;
            let seen = Seen { time: rows.int(1)?, key: rows.int(2)?, run: rows.word(3)? };
            let is_run = (1..=self.rule.run_max()).contains(&seen.run);
            rows.check(is_run, "a value that came so often is not kept")?;
            self.put(slot, seen);
        }
        Ok(())
    }
}

/// The range around the value before, if `value` has left it.
fn too_fast(before: Seen, time: i64, value: Value, max: f64) -> Option<Range> {
    let seconds = time.abs_diff(before.time) as f64 / 1e6;
    let center = value.kind.number(before.key);
    let is_judged = seconds > 0.0 && center.is_finite();
    let is_outlier =
        is_judged && value.kind.difference(value.key, before.key).abs() / seconds > max;
    let reach = max * seconds;
    is_outlier.then(|| Range::new(center - reach, center + reach))
}

const PREVIOUS: &[Column] =
    &[("slot", Type::Word), ("time", Type::Int), ("value", Type::Int), ("run", Type::Word)];

/// Values by slot, as they were.
struct SavedPrevious(Paged<Seen, 64>);

impl Saved for SavedPrevious {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("previous", PREVIOUS);
        for (slot, seen) in (0..).zip(self.0.iter()).filter(|(_, seen)| seen.run > 0) {
            let run = Cell::Word(seen.run.into());
            rows.row(&[Cell::Word(slot), Cell::Int(seen.time), Cell::Int(seen.key), run])?;
        }
        rows.finish()
    }
}
