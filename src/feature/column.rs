//! A column as it is.

use super::{Failed, Feature, Input, find_column};
use crate::registry::{Position, Problem};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::FieldRef,
};
use std::sync::Arc;

/// Builds the feature that is a column.
pub(super) fn build(
    name: &str,
    at: Position,
    input: &Input<'_>,
) -> Result<Box<dyn Feature>, Problem> {
    let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    let index = find_column(name, input.schema, at).map_err(|problem| {
        if is_name { problem } else { problem.expected("a column, or `name: SQL expression`") }
    })?;
    Ok(Box::new(Column { index, field: Arc::clone(&input.schema.fields()[index]) }))
}

#[derive(Debug)]
struct Column {
    index: usize,
    field: FieldRef,
}

impl Feature for Column {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        out.push(Arc::clone(rows.column(self.index)));
    }
}
