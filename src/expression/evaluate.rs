//! Evaluates a batch so that every row gets the value it would get alone.
//!
//! DataFusion evaluates the right side of AND and OR and the branches of CASE for more or fewer
//! rows depending on how the other rows of the batch fall: `a <> 0 AND 10 / a > 1` can divide by
//! zero in a batch although no row alone would. It never evaluates fewer: what a row alone
//! evaluates, a batch that holds the row evaluates too. Hence a batch that succeeds gives each row
//! the value it has alone, and only a batch that fails needs a closer look: it is halved until the
//! rows that fail alone are found. They are reported and null, their neighbours have their values.

use super::Expression;
use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array, new_null_array},
    compute::concat,
    error::ArrowError,
};
use datafusion_common::DataFusionError;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// The values of an expression over a batch.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// One value per row; null where the row fails.
    pub values: ArrayRef,
    /// The rows that fail, ascending, and why. The reason never quotes a value.
    pub failed: Vec<(usize, String)>,
}

impl Expression {
    /// Evaluates all rows of a batch of the schema it was compiled against.
    pub fn evaluate(&self, rows: &RecordBatch) -> Evaluated {
        let mut failed = Vec::new();
        let input = self.project(rows);
        if rows.num_rows() == 0 {
            return Evaluated { values: new_empty_array(&self.data_type), failed };
        }
        let mut pieces = Vec::new();
        self.halve(&input, 0, &mut pieces, &mut failed);
        let values = if pieces.len() == 1 {
            pieces.remove(0)
        } else {
            let pieces: Vec<&dyn Array> = pieces.iter().map(|p| &**p).collect();
            concat(&pieces).expect("all pieces have the expression's type")
        };
        Evaluated { values, failed }
    }

    /// Only the columns that are read: evaluating a CASE would filter the others too.
    fn project(&self, rows: &RecordBatch) -> RecordBatch {
        let columns = self.columns.iter().map(|c| Arc::clone(rows.column(*c))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.projected), columns, &options)
            .expect("the batch has the schema the expression was compiled against")
    }

    /// Evaluates `rows`, which begin at row `first`, whole if that works and in halves if not.
    fn halve(
        &self,
        rows: &RecordBatch,
        first: usize,
        pieces: &mut Vec<ArrayRef>,
        failed: &mut Vec<(usize, String)>,
    ) {
        let count = rows.num_rows();
        match self.whole(rows) {
            Ok(values) => pieces.push(values),
            Err(reason) if count == 1 => {
                pieces.push(new_null_array(&self.data_type, 1));
                failed.push((first, reason.to_owned()));
            }
            Err(_) => {
                let half = count / 2;
                self.halve(&rows.slice(0, half), first, pieces, failed);
                self.halve(&rows.slice(half, count - half), first + half, pieces, failed);
            }
        }
    }

    /// Evaluates all `rows` or says why it cannot. A panic of a library function on some odd value
    /// is a failure of that row too: it must not stop the partition for ever.
    fn whole(&self, rows: &RecordBatch) -> Result<ArrayRef, &'static str> {
        let evaluate = || self.physical.evaluate(rows)?.into_array(rows.num_rows());
        match catch_unwind(AssertUnwindSafe(evaluate)) {
            Ok(Ok(values)) => Ok(values),
            Ok(Err(error)) => Err(reason(&error)),
            Err(_) => Err("a function cannot handle a value"),
        }
    }
}

/// The reason in fixed words: the libraries' own messages quote values, which may be secret.
fn reason(error: &DataFusionError) -> &'static str {
    match error.find_root() {
        DataFusionError::ArrowError(error, _) => match **error {
            ArrowError::DivideByZero => "division by zero",
            ArrowError::ArithmeticOverflow(_) => "arithmetic overflow",
            ArrowError::CastError(_) | ArrowError::ParseError(_) => {
                "a value cannot be cast to the type asked for"
            }
            _ => "a value cannot be computed",
        },
        _ => "a function refuses a value",
    }
}
