//! SQL expressions over the columns of a record: text in, a checked and typed evaluator out.
//!
//! [DataFusion] plans and evaluates them. This module decides what an expression may be: it sees
//! one record, so aggregate and window functions, subqueries and placeholders are refused by name;
//! it must give the same value whenever it is evaluated, so only functions of immutable volatility
//! exist and `now`, `random` or `uuid` are refused before anything is simplified.
//!
//! Semantics beyond DataFusion's own:
//!
//! * Column names are case-sensitive and never folded. The dotted column of a nested object is
//!   written `a.b` or `"a.b"`.
//! * Integers divide as integers: `1 / 2` is 0. Write `1.0 / 2` or cast for a fraction.
//! * Integer `+ - *` beyond 64 bits fails the row instead of wrapping around.
//! * A result has one of the engine's types: Boolean, Int64, Float64, Utf8, Date32, Timestamp in
//!   microseconds UTC, or a list of these. Narrower results are widened, others refused.
//! * **One row alone is the definition.** See [`evaluate`] for how batches keep to it.
//!
//! [DataFusion]: https://datafusion.apache.org

mod cannot_fail;
mod compile;
mod error;
mod evaluate;
mod functions;
mod parse;
#[cfg(test)]
mod tests;

pub use error::ExpressionError;
pub use evaluate::Evaluated;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion_physical_expr::PhysicalExpr;
use std::sync::Arc;

/// A compiled SQL expression.
#[derive(Debug)]
pub struct Expression {
    /// Refers to the columns of `projected`.
    physical: Arc<dyn PhysicalExpr>,
    /// The used columns of the input schema, ascending.
    columns: Vec<usize>,
    /// The schema of those columns alone.
    projected: SchemaRef,
    data_type: DataType,
    nullable: bool,
}

impl Expression {
    /// Compiles SQL text against the columns of `schema`.
    pub fn compile(sql: &str, schema: &SchemaRef) -> Result<Self, ExpressionError> {
        compile::compile(sql, schema)
    }

    /// Compiles a condition: an expression whose value is a boolean.
    pub fn condition(sql: &str, schema: &SchemaRef) -> Result<Self, ExpressionError> {
        let expression = Self::compile(sql, schema)?;
        match expression.data_type {
            DataType::Boolean => Ok(expression),
            ref other => Err(ExpressionError::new(format!("the expression is of type {other}"))
                .expected("a condition, true or false")),
        }
    }

    /// Type of the values.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// True if a value can be null, be it because the row fails.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// Indices of the columns it reads, ascending.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }
}

/// The names of all functions an expression may call, sorted.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    functions::names()
}
