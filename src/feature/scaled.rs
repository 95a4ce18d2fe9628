//! Features that are a function of one number.

use super::{Failed, Feature, Input, find_number, floats};
use crate::registry::{Node, Problem};
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, Field, FieldRef, Float64Type},
};
use std::{
    fmt::{self, Debug},
    sync::Arc,
};

/// A number that stands under `key` of the options, or a problem there.
pub(super) fn finite(node: &Node, key: &str, value: f64) -> Result<f64, Problem> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Problem::new(node.at(key), format!("`{key}` is {value}")).expected("a finite number"))
}

/// A number of at least 0 that is divided by; 0 is read as 1, as scikit-learn does.
pub(super) fn divisor(node: &Node, key: &str, value: f64) -> Result<f64, Problem> {
    if value >= 0.0 && value.is_finite() {
        return Ok(if value == 0.0 { 1.0 } else { value });
    }
    Err(Problem::new(node.at(key), format!("`{key}` is {value}"))
        .expected("a finite number of at least 0"))
}

/// The feature `scale(x)` of the column that stands under `column` of the options, called `name` or
/// `{column}_{suffix}`. Null of null.
pub(super) fn scaled(
    node: &Node,
    input: &Input<'_>,
    column: &str,
    name: (Option<String>, &str),
    scale: impl Fn(f64) -> f64 + Send + 'static,
) -> Result<Box<dyn Feature>, Problem> {
    let index = find_number(column, input.schema, node.at("column"))?;
    let (name, suffix) = name;
    let name = name.unwrap_or_else(|| format!("{column}_{suffix}"));
    let nullable = input.schema.field(index).is_nullable();
    let field = Arc::new(Field::new(name, DataType::Float64, nullable));
    Ok(Box::new(Scaled { column: index, field, scale }))
}

struct Scaled<F> {
    column: usize,
    field: FieldRef,
    scale: F,
}

impl<F> Debug for Scaled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scaled").field("field", &self.field).finish_non_exhaustive()
    }
}

impl<F: Fn(f64) -> f64 + Send> Feature for Scaled<F> {
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
        out.push(Arc::new(floats(rows, self.column).unary::<_, Float64Type>(&self.scale)));
    }
}
