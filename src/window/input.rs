//! What a lane reads of each row.

use super::condition::holds;
use crate::{
    aggregate::{Kind, key_range},
    batch::Rows,
};
use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray},
    compute::{and, prep_null_mask_filter},
    datatypes::DataType,
};
use std::{ops::RangeInclusive, sync::Arc};

/// Where the values of a lane's events come from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// Events alone are counted.
    None,
    /// A column, by index.
    Column(usize, DataType),
    /// Whether a condition holds, by index; null is false.
    Holds(usize),
}

/// What the events of a lane are. Windows that ask for the same share a lane.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Input {
    pub(super) values: Values,
    /// Index and type of a second column; then events have values of both.
    pub(super) beside: Option<(usize, DataType)>,
    /// Indices of the conditions that all hold for a record that counts.
    pub(super) conditions: Vec<usize>,
    /// Length of the tiles that are kept instead of events, microseconds.
    pub(super) resolution_us: Option<i64>,
}

impl Input {
    /// Type of the values.
    pub(super) fn data_type(&self) -> Option<&DataType> {
        match &self.values {
            Values::None => None,
            Values::Column(_, data_type) => Some(data_type),
            Values::Holds(_) => Some(&DataType::Boolean),
        }
    }

    /// How the keys of the values are to be read, and of those beside them.
    pub(super) fn kinds(&self) -> [Kind; 2] {
        [self.data_type(), self.beside.as_ref().map(|(_, data_type)| data_type)].map(|data_type| {
            data_type.map_or(Kind::Nothing, |t| Kind::of(t).expect("an aggregate takes the type"))
        })
    }

    /// The keys that they can have.
    pub(super) fn ranges(&self) -> [RangeInclusive<i64>; 2] {
        [self.data_type(), self.beside.as_ref().map(|(_, data_type)| data_type)]
            .map(|data_type| data_type.map_or(i64::MIN..=i64::MAX, key_range))
    }

    /// The columns of a batch whose conditions have been judged.
    pub(super) fn read(&self, rows: &Rows, judged: &[ArrayRef]) -> Read {
        let values = match &self.values {
            Values::None => None,
            Values::Column(index, _) => Some(Arc::clone(rows.columns.column(*index))),
            Values::Holds(index) => {
                let held = judged[*index].as_boolean();
                let held = match held.null_count() {
                    0 => held.clone(),
                    _ => prep_null_mask_filter(held),
                };
                Some(Arc::new(held) as ArrayRef)
            }
        };
        let beside = self.beside.as_ref().map(|(index, _)| Arc::clone(rows.columns.column(*index)));
        let condition = match &self.conditions[..] {
            [] => None,
            [one] => Some(Arc::clone(&judged[*one])),
            [first, rest @ ..] => Some(all(judged, *first, rest)),
        };
        Read { values, beside, condition }
    }
}

/// Where all of the conditions hold.
fn all(judged: &[ArrayRef], first: usize, rest: &[usize]) -> ArrayRef {
    let both = |held: BooleanArray, index: &usize| {
        and(&held, judged[*index].as_boolean()).expect("a flag per row")
    };
    Arc::new(rest.iter().fold(judged[first].as_boolean().clone(), both))
}

/// What a lane reads of a batch.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) values: Option<ArrayRef>,
    pub(super) beside: Option<ArrayRef>,
    condition: Option<ArrayRef>,
}

impl Read {
    /// True if the row counts.
    #[inline]
    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.values.as_ref().is_none_or(|values| values.is_valid(row))
            && self.condition.as_ref().is_none_or(|condition| holds(condition, row))
            && self.beside.as_ref().is_none_or(|beside| beside.is_valid(row))
    }
}
