//! A level per key that each value moves: exponential smoothing and the Kalman filter.

use super::Place;
use crate::{
    aggregate::Per,
    batch::Slot,
    clean::by_slot::{BySlot, Entry},
    state::{
        Horizon,
        snapshot::{Cell, Column, Saved, Section, SnapshotError, Table, Type},
    },
};

/// How a value moves the level.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// By a share of the distance.
    Exponential {
        /// The share.
        alpha: f64,
        /// True if the first values have no more weight than later ones.
        adjust: bool,
    },
    /// By weights that halve with event time.
    Aged {
        /// Microseconds.
        half_life_us: i64,
    },
    /// By what the level and the value are known to.
    Kalman {
        /// Variance that the level gains with each value.
        process: f64,
        /// Variance of a value around the level.
        measurement: f64,
    },
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Greatest event time of the values in it.
    newest: i64,
    value: f64,
    /// Sum of weights, or variance of the level; 0 if there is no level.
    spread: f64,
}

/// The levels of all keys, or of the partition as one.
#[derive(Debug)]
pub(super) struct Levels {
    step: Step,
    within_us: Option<i64>,
    by_slot: BySlot<Level>,
}

impl Levels {
    /// None yet; after a pause of more than `within_us` they begin anew.
    pub(super) fn new(step: Step, per: Per, within_us: Option<i64>) -> Self {
        Self { step, within_us, by_slot: BySlot::new(per) }
    }

    /// Moves the level by a finite value, and gives it.
    pub(super) fn fold(&mut self, place: Place, x: f64) -> f64 {
        let known = self.by_slot.get(place.slot).filter(|level| {
            self.within_us.is_none_or(|within_us| {
                place.time.max(place.watermark) <= level.newest.saturating_add(within_us)
            })
        });
        let mut level = known.unwrap_or_else(|| self.step.first(place.time, x));
        if known.is_some() {
            self.step.next(&mut level, place.time, x);
        }
        // Beyond the range of floats there is no distance to go by.
        if !level.is_sound() {
            level = self.step.first(level.newest, x);
        }
        self.by_slot.put(place.slot, level);
        level.value
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        self.by_slot.per().horizon(self.within_us.map_or(Horizon::Forever, Horizon::For))
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.by_slot.forget(slot);
    }

    /// Bytes of the levels.
    pub(super) fn bytes(&self) -> usize {
        self.by_slot.bytes()
    }

    /// Of these, bytes that become less with keys.
    pub(super) fn key_bytes(&self) -> usize {
        self.by_slot.key_bytes()
    }

    /// Holds on to the levels as they are.
    pub(super) fn capture(&self) -> impl Saved + 'static {
        self.by_slot.capture()
    }

    /// Takes over the levels that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        let check = |_, level: &Level, rows: &Table<'_>| {
            rows.check(level.is_sound(), "no value makes such a level")
        };
        self.by_slot.restore(section, slots, check).map(drop)
    }
}

impl Step {
    fn first(self, time: i64, x: f64) -> Level {
        let spread = match self {
            Self::Exponential { .. } | Self::Aged { .. } => 1.0,
            Self::Kalman { measurement, .. } => measurement,
        };
        Level { newest: time, value: x, spread }
    }

    fn next(self, level: &mut Level, time: i64, x: f64) {
        let newest = level.newest.max(time);
        let share = match self {
            Self::Exponential { alpha, adjust: false } => alpha,
            Self::Exponential { alpha, adjust: true } => {
                level.spread = level.spread * (1.0 - alpha) + 1.0;
                1.0 / level.spread
            }
            Self::Aged { half_life_us } => {
                // Of two ages one is 0: that of what was known, or that of a value that comes late.
                let left = |us: u64| (-(us as f64) / half_life_us as f64).exp2();
                let own = left(newest.abs_diff(time));
                level.spread = level.spread * left(newest.abs_diff(level.newest)) + own;
                own / level.spread
            }
            Self::Kalman { process, measurement } => {
                let before = level.spread + process;
                let gain = before / (before + measurement);
                level.spread = (1.0 - gain) * before;
                gain
            }
        };
        level.value += share * (x - level.value);
        level.newest = newest;
    }
}

impl Level {
    /// True of what values make.
    fn is_sound(&self) -> bool {
        self.value.is_finite() && self.spread.is_finite() && self.spread > 0.0
    }
}

impl Entry for Level {
    type Row = [Cell<'static>; 4];

    const TABLE: &'static str = "levels";

    const COLUMNS: &'static [Column] = &[
        ("slot", Type::Word),
        ("newest", Type::Int),
        ("level", Type::Float),
        ("spread", Type::Float),
    ];

    fn is_there(&self) -> bool {
        self.spread > 0.0
    }

    fn row(&self, slot: Cell<'static>) -> Self::Row {
        [slot, Cell::Int(self.newest), Cell::Float(self.value), Cell::Float(self.spread)]
    }

    fn load(rows: &Table<'_>) -> Result<Self, SnapshotError> {
        Ok(Self { newest: rows.int(1)?, value: rows.float(2)?, spread: rows.float(3)? })
    }
}
