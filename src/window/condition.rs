//! `where`: which records a window counts.

use crate::{
    expression::Expression,
    registry::{Node, Problem},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::SchemaRef,
};

/// A boolean SQL expression; null counts as false.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) sql: String,
    expression: Expression,
}

impl Condition {
    /// Compiles the string of `node`.
    pub(super) fn build(node: &Node, schema: &SchemaRef) -> Result<Self, Problem> {
        let sql = node.as_str().ok_or_else(|| {
            Problem::new(node.at, format!("wrong type: {}", node.kind()))
                .expected("an SQL expression in quotes, such as \"amount > 0\"")
        })?;
        let expression =
            Expression::condition(sql, schema).map_err(|error| error.into_problem(node.at))?;
        Ok(Self { sql: sql.to_owned(), expression })
    }

    /// Judges each row, and says which cannot be judged and why.
    pub(super) fn evaluate(&self, rows: &RecordBatch) -> (ArrayRef, Vec<(usize, String)>) {
        let evaluated = self.expression.evaluate(rows);
        (evaluated.values, evaluated.failed)
    }
}

/// True where the condition holds.
pub(super) fn holds(condition: &dyn Array, row: usize) -> bool {
    condition.is_valid(row) && condition.as_boolean().value(row)
}
