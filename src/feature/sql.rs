//! An SQL expression under a name.

use super::{Failed, Feature, Input};
use crate::{
    batch::Reason,
    expression::Expression,
    registry::{Position, Problem},
};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{Field, FieldRef},
};
use std::sync::Arc;

/// Builds the feature `name: text`.
pub(super) fn build(
    name: &str,
    text: &str,
    at: Position,
    input: &Input<'_>,
) -> Result<Box<dyn Feature>, Problem> {
    let expression =
        Expression::compile(text, input.schema).map_err(|error| error.into_problem(at))?;
    let field = Field::new(name, expression.data_type().clone(), expression.nullable());
    Ok(Box::new(Sql { field: Arc::new(field), expression }))
}

#[derive(Debug)]
struct Sql {
    field: FieldRef,
    expression: Expression,
}

impl Feature for Sql {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        failed: &mut Vec<Failed>,
    ) {
        let evaluated = self.expression.evaluate(rows);
        failed.extend(evaluated.failed.into_iter().map(|(row, reason)| Failed {
            row,
            reason: Reason::Expression,
            detail: format!("feature `{}`: {reason}", self.field.name()),
        }));
        out.push(evaluated.values);
    }
}
