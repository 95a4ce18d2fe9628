//! Judges a value by the one before it, in offset order.
//!
//! What is kept of a key, or of the partition, is its value before and how often that came in a
//! row. Every value enters, outlier or not. NaN is no value to compare with: behind it nothing is
//! judged, and a row of equal values is over.

use super::judge::{Place, Value};
use crate::{
    aggregate::Per,
    batch::Slot,
    clean::{
        by_slot::{BySlot, Entry},
        clip::Range,
    },
    state::{
        Horizon,
        snapshot::{Cell, Column, Saved, Section, SnapshotError, Table, Type},
    },
};

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
    within_us: Option<i64>,
    rule: Rule,
    by_slot: BySlot<Seen>,
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
        Self { within_us, rule, by_slot: BySlot::new(per) }
    }

    /// The range that `value` would have had to lie in, if it is an outlier; then it enters.
    pub(super) fn judge(&mut self, place: Place, value: Value) -> Option<Range> {
        let before = self.before(place);
        if value.number.is_nan() {
            self.by_slot.put(place.slot, Seen::default());
            return None;
        }
        let same = before.filter(|seen| seen.key == value.key);
        let run = same.map_or(1, |seen| (seen.run + 1).min(self.rule.run_max()));
        self.by_slot.put(place.slot, Seen { time: place.time, key: value.key, run });
        match self.rule {
            Rule::Rate { max } => too_fast(before?, place.time, value, max),
            Rule::Stuck { count } => {
                (run >= count).then(|| Range::new(f64::NEG_INFINITY, f64::INFINITY))
            }
        }
    }

    /// The value before, if it is near enough. The watermark decides as expiry does.
    fn before(&self, place: Place) -> Option<Seen> {
        let seen = self.by_slot.get(place.slot)?;
        let is_near = self.within_us.is_none_or(|within_us| {
            let oldest = place.time.max(place.watermark).saturating_sub(within_us);
            seen.time >= oldest && seen.time.saturating_sub(place.time) <= within_us
        });
        is_near.then_some(seen)
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        self.by_slot.per().horizon(self.within_us.map_or(Horizon::Forever, Horizon::For))
    }

    /// How far before a record others may lie that its judgement depends on.
    pub(super) fn reach(&self) -> Horizon {
        let steps = i64::from(self.rule.run_max()).max(2) - 1;
        let reach = |within_us: i64| Horizon::For(within_us.saturating_mul(steps));
        self.within_us.map_or(Horizon::Forever, reach)
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.by_slot.forget(slot);
    }

    /// Bytes of the values.
    pub(super) fn bytes(&self) -> usize {
        self.by_slot.bytes()
    }

    /// Of these, bytes that become less with keys.
    pub(super) fn key_bytes(&self) -> usize {
        self.by_slot.key_bytes()
    }

    /// Holds on to the values as they are.
    pub(super) fn capture(&self) -> impl Saved + 'static {
        self.by_slot.capture()
    }

    /// Takes over the values that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        let runs = 1..=self.rule.run_max();
        let check = |_, seen: &Seen, rows: &Table<'_>| {
            rows.check(runs.contains(&seen.run), "a value that came so often is not kept")
        };
        self.by_slot.restore(section, slots, check).map(drop)
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

impl Entry for Seen {
    type Row = [Cell<'static>; 4];

    const TABLE: &'static str = "previous";

    const COLUMNS: &'static [Column] =
        &[("slot", Type::Word), ("time", Type::Int), ("value", Type::Int), ("run", Type::Word)];

    fn is_there(&self) -> bool {
        self.run > 0
    }

    fn row(&self, slot: Cell<'static>) -> Self::Row {
        [slot, Cell::Int(self.time), Cell::Int(self.key), Cell::Word(self.run.into())]
    }

    fn load(rows: &Table<'_>) -> Result<Self, SnapshotError> {
        Ok(Self { time: rows.int(1)?, key: rows.int(2)?, run: rows.word(3)? })
    }
}
