//! Which records a window counts.

use crate::{
    expression::Expression,
    registry::{Node, Problem},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, Scalar},
    compute::{is_not_null, is_null, kernels::cmp::eq},
    datatypes::{Schema, SchemaRef},
};
use std::{fmt, sync::Arc};

/// What is asked of a record, told from other questions by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// Whether an SQL text holds.
    Sql(String),
    /// Whether the column of that name is null.
    Null(String),
    /// Whether it is not null.
    Present(String),
    /// Whether it holds a value, written so.
    Is(String, String),
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(sql) => f.write_str(sql),
            Self::Null(column) => write!(f, "{column} is null"),
            Self::Present(column) => write!(f, "{column} is not null"),
            Self::Is(column, value) => write!(f, "{column} is {value}"),
        }
    }
}

/// A boolean of each record; null counts as false.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) test: Test,
    how: How,
}

#[derive(Debug)]
enum How {
    Expression(Box<Expression>),
    Null(usize),
    Present(usize),
    Is(usize, Scalar<ArrayRef>),
}

impl Condition {
    /// Compiles the SQL string of `node`.
    pub(super) fn sql(node: &Node, schema: &SchemaRef) -> Result<Self, Problem> {
        let sql = text(node)?;
        let expression =
            Expression::condition(sql, schema).map_err(|error| error.into_problem(node.at))?;
        Ok(Self { test: Test::Sql(sql.to_owned()), how: How::Expression(Box::new(expression)) })
    }

    /// True where a column is null.
    pub(super) fn null(column: usize, schema: &Schema) -> Self {
        let name = schema.field(column).name().clone();
        Self { test: Test::Null(name), how: How::Null(column) }
    }

    /// True where a column is not null.
    pub(super) fn present(column: usize, schema: &Schema) -> Self {
        let name = schema.field(column).name().clone();
        Self { test: Test::Present(name), how: How::Present(column) }
    }

    /// True where a column holds the one value of `value`, which is of its type and written so.
    pub(super) fn is(column: usize, name: &str, value: ArrayRef, written: &str) -> Self {
        let test = Test::Is(name.to_owned(), written.to_owned());
        Self { test, how: How::Is(column, Scalar::new(value)) }
    }

    /// Judges each row, and says which cannot be judged and why.
    pub(super) fn evaluate(&self, rows: &RecordBatch) -> (ArrayRef, Vec<(usize, String)>) {
        let judged = match &self.how {
            How::Expression(expression) => {
                let evaluated = expression.evaluate(rows);
                return (evaluated.values, evaluated.failed);
            }
            How::Null(column) => is_null(rows.column(*column)),
            How::Present(column) => is_not_null(rows.column(*column)),
            How::Is(column, value) => eq(rows.column(*column), value),
        };
        (Arc::new(judged.expect("a column of that type")), Vec::new())
    }
}

/// The SQL text of a node.
pub(super) fn text(node: &Node) -> Result<&str, Problem> {
    node.as_str().ok_or_else(|| {
        Problem::new(node.at, format!("wrong type: {}", node.kind()))
            .expected("an SQL expression in quotes, such as \"amount > 0\"")
    })
}

/// True where the condition holds.
pub(super) fn holds(condition: &dyn Array, row: usize) -> bool {
    condition.is_valid(row) && condition.as_boolean().value(row)
}
