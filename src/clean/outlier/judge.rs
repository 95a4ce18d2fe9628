//! The judges of values, behind one face.

use super::{previous::Previous, rolling::Rolling};
use crate::{
    aggregate::Kind,
    batch::Slot,
    clean::clip::Range,
    state::{
        Horizon,
        snapshot::{Saved, Section, SnapshotError},
    },
};

/// A judge of values.
#[derive(Debug)]
pub(super) enum Judge {
    /// By fixed limits.
    Range(Range),
    /// By statistics of the values before.
    Rolling(Box<Rolling>),
    /// By the value before.
    Previous(Previous),
}

/// Where in time a row stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: Slot,
    pub(super) time: i64,
    pub(super) watermark: i64,
}

/// A value of a numeric column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    /// The value, rounded to a float.
    pub(super) number: f64,
    /// How `key` is to be read.
    pub(super) kind: Kind,
    /// The value itself: equal values have equal keys.
    pub(super) key: i64,
}

impl Judge {
    /// The range that `value` would have had to lie in, if it is an outlier; then it enters.
    pub(super) fn judge(&mut self, place: Place, value: Value) -> Option<Range> {
        match self {
            Self::Range(range) => {
                let is_outlier = value.number < range.min || value.number > range.max;
                is_outlier.then_some(*range)
            }
            Self::Rolling(rolling) => rolling.judge(place, value.number),
            Self::Previous(previous) => previous.judge(place, value),
        }
    }

    /// How long a key is needed.
    pub(super) fn horizon(&self) -> Horizon {
        match self {
            Self::Range(_) => Horizon::Stateless,
            Self::Rolling(rolling) => rolling.horizon(),
            Self::Previous(previous) => previous.horizon(),
        }
    }

    /// How far before a record others may lie that its judgement depends on.
    pub(super) fn reach(&self) -> Horizon {
        match self {
            Self::Range(_) => Horizon::Stateless,
            Self::Rolling(rolling) => Horizon::For(rolling.over_us),
            Self::Previous(previous) => previous.reach(),
        }
    }

    /// True if the order of arrival matters beyond who came before at all.
    pub(super) fn order_sensitive(&self) -> bool {
        matches!(self, Self::Previous(_))
    }

    /// Forgets a key.
    pub(super) fn forget(&mut self, slot: Slot) {
        match self {
            Self::Range(_) => {}
            Self::Rolling(rolling) => rolling.histories.forget(slot),
            Self::Previous(previous) => previous.forget(slot),
        }
    }

    /// Bytes of state.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Range(_) => 0,
            Self::Rolling(rolling) => rolling.histories.bytes(),
            Self::Previous(previous) => previous.bytes(),
        }
    }

    /// Of these, bytes of so many keys.
    pub(super) fn key_bytes(&self, keys: usize) -> usize {
        match self {
            Self::Range(_) => 0,
            Self::Rolling(rolling) => rolling.histories.key_bytes(keys),
            Self::Previous(previous) => previous.key_bytes(),
        }
    }

    /// Holds on to the state as it is.
    pub(super) fn capture(&self) -> Option<Box<dyn Saved>> {
        match self {
            Self::Range(_) => None,
            Self::Rolling(rolling) => Some(Box::new(rolling.histories.capture())),
            Self::Previous(previous) => Some(Box::new(previous.capture())),
        }
    }

    /// Takes over the state that a snapshot holds.
    pub(super) fn restore(
        &mut self,
        section: &Section<'_>,
        slots: Slot,
    ) -> Result<(), SnapshotError> {
        match self {
            Self::Range(_) => Err(section.malformed("a range keeps no state")),
            Self::Rolling(rolling) => rolling.histories.restore(section, slots),
            Self::Previous(previous) => previous.restore(section, slots),
        }
    }
}
