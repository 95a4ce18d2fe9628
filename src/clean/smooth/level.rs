//! A level per key that each value moves: exponential smoothing and the Kalman filter.

use super::Place;
use crate::{
    batch::Slot,
    clean::history::Per,
    state::{
        Horizon, Paged,
        snapshot::{Cell, Column, Saved, Saver, Section, SnapshotError, Type},
    },
};
use std::io;

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
    per: Per,
    within_us: Option<i64>,
    by_slot: Paged<Level, 64>,
    /// Slots with a level.
    count: usize,
}

impl Levels {
    /// None yet; after a pause of more than `within_us` they begin anew.
    pub(super) fn new(step: Step, per: Per, within_us: Option<i64>) -> Self {
        Self { step, per, within_us, by_slot: Paged::default(), count: 0 }
    }

    /// Moves the level by a finite value, and gives it.
    pub(super) fn fold(&mut self, place: Place, x: f64) -> f64 {
        let level = self.by_slot.get_mut(self.per.home(place.slot));
        self.count += usize::from(level.spread == 0.0);
        let is_over = self.within_us.is_some_and(|within_us| {
            place.time.max(place.watermark) > level.newest.saturating_add(within_us)
        });
        if level.spread == 0.0 || is_over {
            *level = self.step.first(place.time, x);
        } else {
            self.step.next(level, place.time, x);
        }
        // Beyond the range of floats there is no distance to go by.
        if !(level.value.is_finite() && level.spread.is_finite() && level.spread > 0.0) {
            *level = self.step.first(level.newest, x);
        }
        level.value
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        match self.per {
            Per::Key => self.within_us.map_or(Horizon::Forever, Horizon::For),
            Per::Partition => Horizon::Stateless,
        }
    }

    /// Forgets a key; a partition is never forgotten.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.per == Per::Key && self.by_slot.get(slot).is_some_and(|level| level.spread > 0.0) {
            *self.by_slot.get_mut(slot) = Level::default();
            self.count -= 1;
        }
    }

    /// Bytes of the levels.
    pub(super) fn bytes(&self) -> usize {
        self.count * size_of::<Level>()
    }

    /// Of these, bytes that become less with keys.
    pub(super) fn key_bytes(&self) -> usize {
        if self.per == Per::Key { self.bytes() } else { 0 }
    }

    /// Holds on to the levels as they are.
    pub(super) fn capture(&self) -> impl Saved + 'static {
        SavedLevels(self.by_slot.clone())
    }

    /// Takes over the levels that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        (self.by_slot, self.count) = (Paged::default(), 0);
        let mut rows = section.table("levels", LEVELS)?;
        let mut next = 0;
        while rows.next_row() {
            let slot: Slot = rows.word(0)?;
            let is_new = next <= slot && slot < self.per.homes(slots);
            rows.check(is_new, "levels out of order or without a key")?;
            next = slot + 1;
            let level =
                Level { newest: rows.int(1)?, value: rows.float(2)?, spread: rows.float(3)? };
            let is_level =
                level.value.is_finite() && level.spread.is_finite() && level.spread > 0.0;
            rows.check(is_level, "no value makes such a level")?;
            *self.by_slot.get_mut(slot) = level;
            self.count += 1;
        }
        Ok(())
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

const LEVELS: &[Column] =
    &[("slot", Type::Word), ("newest", Type::Int), ("level", Type::Float), ("spread", Type::Float)];

/// Levels by slot, as they were.
struct SavedLevels(Paged<Level, 64>);

impl Saved for SavedLevels {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut rows = out.table("levels", LEVELS);
        for (slot, level) in (0..).zip(self.0.iter()).filter(|(_, level)| level.spread > 0.0) {
            rows.row(&[
                Cell::Word(slot),
                Cell::Int(level.newest),
                Cell::Float(level.value),
                Cell::Float(level.spread),
            ])?;
        }
        rows.finish()
    }
}
