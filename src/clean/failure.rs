//! What becomes of records with a value that cannot be converted.

use super::column::Output;
use crate::batch::{Reason, Rejections, Rows};
use arrow::{
    array::{Array, ArrayRef, BooleanArray},
    compute::filter,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// What happens to a record whose value does not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnFailure {
    /// The record is rejected.
    #[default]
    Reject,
    /// The value becomes null.
    Null,
}

impl OnFailure {
    /// In YAML a plain `null` is nothing and not a text.
    pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(Self::Null))
    }
}

/// A conversion of values, some of which fail.
#[derive(Debug)]
pub(super) struct Converted {
    /// Where the values go.
    pub(super) output: Output,
    pub(super) on_failure: OnFailure,
    /// What a record whose value does not fit is told.
    pub(super) detail: String,
}

impl Converted {
    /// Puts `after` into the rows, where a value that is null now and was not `before` has failed.
    pub(super) fn put(
        &self,
        rows: Rows,
        before: &ArrayRef,
        after: ArrayRef,
        rejected: &mut Rejections,
    ) -> Rows {
        let failed = after.null_count() > before.null_count();
        if !failed || self.on_failure == OnFailure::Null {
            return self.output.put(rows, after);
        }
        let keep: Vec<bool> =
            (0..rows.len()).map(|row| after.is_valid(row) || before.is_null(row)).collect();
        for (record, _) in rows.records.iter().zip(&keep).filter(|(_, keep)| !**keep) {
            rejected.push(*record, Reason::Cast, self.detail.as_str());
        }
        // Failed values leave before the column takes its type: it may not allow nulls.
        let mask = BooleanArray::from(keep.clone());
        let after = filter(&after, &mask).expect("mask has a flag per row");
        self.output.put(rows.filter(&keep), after)
    }
}
