//! `output.nulls`: what becomes of a feature that is null.

use super::Failed;
use crate::{
    batch::Reason,
    registry::{Node, Problem, Value},
};
use arrow::{
    array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, Scalar},
    compute::{is_null, kernels::zip::zip},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use std::sync::Arc;

/// What becomes of a feature that is null. Carried columns keep their nulls.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Nulls {
    /// It stays null.
    #[default]
    Null,
    /// NaN, in a column of floats.
    Nan,
    /// This number, in a column of numbers.
    Constant(f64),
    /// The record is rejected as `null_policy`.
    Reject,
}

impl Nulls {
    /// Reads `null`, `nan`, a number or `reject`.
    pub fn read(node: &Node) -> Result<Self, Problem> {
        match &node.value {
            Value::Null => Ok(Self::Null),
            Value::Float(x) if x.is_nan() => Ok(Self::Nan),
            Value::Float(x) if x.is_finite() => Ok(Self::Constant(*x)),
            Value::Int(i) => Ok(Self::Constant(*i as f64)),
            Value::String(name) => match name.as_str() {
                "null" => Ok(Self::Null),
                "nan" => Ok(Self::Nan),
                "reject" => Ok(Self::Reject),
                other => Err(Problem::new(node.at, format!("unknown value `{other}`"))
                    .expected_one_of(other, ["null", "nan", "reject", "a number"])),
            },
            _ => Err(Problem::new(node.at, node.kind()).expected("null, nan, reject or a number")),
        }
    }
}

/// The policy, worked out for each column of the vector.
#[derive(Debug, Default)]
pub(super) struct Policy {
    reject: bool,
    /// What replaces nulls, by column; empty if nothing does.
    fills: Vec<Option<Scalar<ArrayRef>>>,
}

impl Policy {
    pub(super) fn build(nulls: Nulls, schema: &Schema) -> Result<Self, Problem> {
        let number = match nulls {
            Nulls::Null => return Ok(Self::default()),
            Nulls::Reject => return Ok(Self { reject: true, fills: Vec::new() }),
            Nulls::Nan => f64::NAN,
            Nulls::Constant(number) => number,
        };
        let fill =
            |field: &Arc<Field>| field.is_nullable().then(|| scalar(number, field)).transpose();
        let fills = schema.fields().iter().map(fill).collect::<Result<_, _>>()?;
        Ok(Self { reject: false, fills })
    }

    /// The schema after nulls are replaced.
    pub(super) fn schema(&self, schema: &SchemaRef) -> SchemaRef {
        if self.fills.is_empty() {
            return Arc::clone(schema);
        }
        let filled = |f: &Arc<Field>| Arc::new(f.as_ref().clone().with_nullable(false));
        Arc::new(Schema::new(schema.fields().iter().map(filled).collect::<Vec<_>>()))
    }

    /// Replaces the nulls of all columns, or notes the rows that have one.
    pub(super) fn apply(
        &self,
        schema: &Schema,
        columns: &mut [ArrayRef],
        failed: &mut Vec<Failed>,
    ) {
        for (column, fill) in columns.iter_mut().zip(&self.fills) {
            if let Some(fill) = fill.as_ref().filter(|_| column.null_count() > 0) {
                let mask = is_null(column).expect("any array has a mask");
                *column = zip(&mask, fill, column).expect("the fill has the column's type");
            }
        }
        if !self.reject {
            return;
        }
        for (column, field) in columns.iter().zip(schema.fields()) {
            if column.null_count() == 0 {
                continue;
            }
            let null = (0..column.len()).filter(|row| column.is_null(*row));
            failed.extend(null.map(|row| Failed {
                row,
                reason: Reason::NullPolicy,
                detail: format!("feature `{}` is null", field.name()),
            }));
        }
    }
}

/// The number in the column's type.
#[expect(clippy::cast_possible_truncation, reason = "compared with the number afterwards")]
#[expect(clippy::float_cmp, reason = "the number is an integer or it is not")]
fn scalar(number: f64, field: &Field) -> Result<Scalar<ArrayRef>, Problem> {
    let (int64, int32) = (number as i64, number as i32);
    let array: ArrayRef = match field.data_type() {
        DataType::Float64 => Arc::new(Float64Array::from(vec![number])),
        // Beyond 2^63 the cast saturates, and the comparison would still hold.
        DataType::Int64 if int64 as f64 == number && int64 != i64::MAX => {
            Arc::new(Int64Array::from(vec![int64]))
        }
        DataType::Int32 if f64::from(int32) == number => Arc::new(Int32Array::from(vec![int32])),
        other => {
            let what = format!("`{number}` cannot replace nulls of feature `{}`", field.name());
            return Err(Problem::nowhere(what)
                .expected(format!("a value of type {other}; or cast or coalesce the feature")));
        }
    };
    Ok(Scalar::new(array))
}
