//! `vector`: columns and features side by side in one list, as models take them.

use super::{Build, Elements, Failed, Feature, Input, Nulls, find_column, floats};
use crate::{
    batch::Reason,
    registry::{self, Component, Node, Problem},
};
use arrow::{
    array::{ArrayRef, FixedSizeListArray, Float64Array, RecordBatch},
    buffer::NullBuffer,
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::{Deserialize, de::IgnoredAny};
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "vector",
    summary: "Puts columns and features side by side in one list of floats of a declared type.",
    example: "{ columns: [amount, count], type: float32, nulls: 0.0 }",
    details: "A fixed-size list, which Arrow writes as such and JSON as an array, in the order of `columns`. Each \
              number is the nearest of its type, a boolean 0 or 1; a null becomes what `nulls` says. \
              `output.hide` keeps the parts out of the message.",
    state: "none",
    schema: registry::schema_of::<Options>,
    build,
};

/// Options of `vector`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns of numbers or booleans, or features that stand before this one.
    columns: Vec<String>,
    /// `float64` (the default) or `float32`.
    #[serde(default, rename = "type")]
    elements: Elements,
    /// What stands for a null: `null` (the default), `nan`, a number, or `reject`, which rejects the
    /// record as `null_policy`.
    #[schemars(with = "Option<NullsText>")]
    #[expect(dead_code, reason = "read as `output.nulls` is")]
    nulls: Option<IgnoredAny>,
    /// Name of the output; `features` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// How a policy may be written.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the JSON Schema of the options")]
enum NullsText {
    Number(f64),
    Word(NullsWord),
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "for the JSON Schema of the options")]
enum NullsWord {
    Null,
    Nan,
    Reject,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let Options { columns, elements, name, nulls: _ } = registry::options(node)?;
    let nulls = node.get("nulls").map_or(Ok(Nulls::Null), Nulls::read)?;
    let places = node.get("columns").and_then(Node::as_list).unwrap_or_default();
    if columns.is_empty() {
        return Err(Problem::new(node.at("columns"), "no columns").expected("at least one"));
    }
    let find = |(name, place): (&String, &Node)| {
        let index = find_column(name, input.schema, place.at)?;
        let data_type = input.schema.field(index).data_type();
        if data_type.is_numeric() || *data_type == DataType::Boolean {
            return Ok(index);
        }
        let what = format!("column `{name}` is of type {data_type}");
        Err(Problem::new(place.at, what).expected("numbers or booleans"))
    };
    let indices = columns.iter().zip(places).map(find).collect::<Result<Vec<_>, _>>()?;
    let nullable = indices.iter().any(|index| input.schema.field(*index).is_nullable());
    let nullable = nullable && nulls == Nulls::Null;
    let element = Arc::new(Field::new_list_field(elements.data_type(), nullable));
    let size = i32::try_from(indices.len()).expect("columns fit memory");
    let list = DataType::FixedSizeList(Arc::clone(&element), size);
    let field = Arc::new(Field::new(name.unwrap_or_else(|| "features".to_owned()), list, false));
    Ok(Box::new(Vector { columns: indices, names: columns, elements, nulls, element, field }))
}

#[derive(Debug)]
struct Vector {
    columns: Vec<usize>,
    names: Vec<String>,
    elements: Elements,
    nulls: Nulls,
    element: FieldRef,
    field: FieldRef,
}

impl Feature for Vector {
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
        let width = self.columns.len();
        let fill = match self.nulls {
            Nulls::Nan => f64::NAN,
            Nulls::Constant(number) => number,
            // Behind a null, or of a record that leaves.
            Nulls::Null | Nulls::Reject => 0.0,
        };
        let mut numbers = vec![fill; width * rows.num_rows()];
        let mut is_valid = vec![true; numbers.len()];
        for (place, (index, name)) in self.columns.iter().zip(&self.names).enumerate() {
            for (row, number) in floats(rows, *index).iter().enumerate() {
                match number {
                    Some(number) => numbers[row * width + place] = number,
                    None if self.nulls == Nulls::Null => is_valid[row * width + place] = false,
                    None if self.nulls == Nulls::Reject => failed.push(Failed {
                        row,
                        reason: Reason::NullPolicy,
                        detail: format!("feature `{name}` is null"),
                    }),
                    None => {}
                }
            }
        }
        let nulls = Some(NullBuffer::from(is_valid)).filter(|nulls| nulls.null_count() > 0);
        let items = self.elements.array(Float64Array::new(numbers.into(), nulls));
        let size = i32::try_from(width).expect("columns fit memory");
        let element = Arc::clone(&self.element);
        // The length is said: there are none of its own to count without columns.
        let list =
            FixedSizeListArray::try_new_with_length(element, size, items, None, rows.num_rows());
        out.push(Arc::new(list.expect("a number per row and column")) as ArrayRef);
    }
}
