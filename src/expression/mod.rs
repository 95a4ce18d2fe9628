//! Placeholder with the agreed signatures: knows boolean columns only.

use crate::registry::{Position, Problem};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, SchemaRef},
};

/// An expression.
#[derive(Debug)]
pub struct Expression {
    columns: Vec<usize>,
    data_type: DataType,
}

/// What is wrong with an expression.
#[derive(Debug)]
pub struct ExpressionError {
    message: String,
}

impl ExpressionError {
    /// As a problem.
    pub fn into_problem(self, at: Position) -> Problem {
        Problem::new(at, self.message)
    }
}

/// Values of an expression.
#[derive(Debug)]
pub struct Evaluated {
    /// Values.
    pub values: ArrayRef,
    /// Failed rows.
    pub failed: Vec<(usize, String)>,
}

impl Expression {
    /// Compiles.
    pub fn compile(sql: &str, schema: &SchemaRef) -> Result<Self, ExpressionError> {
        let (index, field) = schema
            .column_with_name(sql)
            .ok_or_else(|| ExpressionError { message: format!("cannot compile `{sql}`") })?;
        Ok(Self { columns: vec![index], data_type: field.data_type().clone() })
    }
    /// Type.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }
    /// Evaluates.
    pub fn evaluate(&self, rows: &RecordBatch) -> Evaluated {
        Evaluated { values: rows.column(self.columns[0]).clone(), failed: Vec::new() }
    }
}
