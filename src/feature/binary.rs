//! `binary`: the place of a value in a list, as binary digits.

use super::{
    Build, Failed, Feature, Input,
    categories::{Categories, Listed, UNLISTED},
};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "binary",
    summary: "Writes the place of the column's value in a list, counted from 1, as binary digits.",
    example: "{ column: category, values: [grocery, fuel, travel] }",
    details: "Code 0 for a null and for a value that is not listed, so that `n` values take the \
              digits of `n`.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `binary`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of text, integers or booleans.
    column: String,
    /// The values in the order of their codes. One that is not listed has code 0, like a null.
    values: Vec<Listed>,
    /// What the outputs' names begin with instead of the column: `{as}_0` has the highest digit.
    #[serde(rename = "as")]
    prefix: Option<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { column, values, prefix } = registry::options(node)?;
    let values = Categories::listed(node, input, &column, &values)?;
    let digits = usize::BITS - values.len().leading_zeros();
    let prefix = prefix.unwrap_or(column);
    let field = |digit| Arc::new(Field::new(format!("{prefix}_{digit}"), DataType::Int64, false));
    Ok(Box::new(Binary { values, fields: (0..digits).map(field).collect() }))
}

#[derive(Debug)]
struct Binary {
    values: Categories,
    fields: Vec<FieldRef>,
}

impl Feature for Binary {
    fn fields(&self) -> Vec<FieldRef> {
        self.fields.clone()
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let places = self.values.places(rows);
        let code = |place: u32| if place == UNLISTED { 0 } else { u64::from(place) + 1 };
        for shift in (0..self.fields.len()).rev() {
            let digits = places.iter().map(|place| ((code(*place) >> shift) & 1).cast_signed());
            out.push(Arc::new(Int64Array::from_iter_values(digits)));
        }
    }
}
