//! Element types of floats: `output.type`, and `type` of a vector.

use arrow::{
    array::{ArrayRef, AsArray, Float32Array, Float64Array},
    datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type, Schema, SchemaRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// The type of floats that leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Elements {
    /// 64 bits, as everything is computed.
    #[default]
    Float64,
    /// 32 bits: the nearest, infinite beyond 3.4e38.
    Float32,
}

impl Elements {
    /// The type as Arrow has it.
    pub(super) const fn data_type(self) -> DataType {
        match self {
            Self::Float64 => DataType::Float64,
            Self::Float32 => DataType::Float32,
        }
    }

    /// The schema with floats of this type.
    pub(super) fn schema(self, schema: &SchemaRef) -> SchemaRef {
        let field = |field: &FieldRef| match field.data_type() {
            DataType::Float64 => Arc::new(Field::clone(field).with_data_type(self.data_type())),
            _ => Arc::clone(field),
        };
        Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
    }

    /// Columns of floats in this type, others as they are.
    pub(super) fn apply(self, columns: &mut [ArrayRef]) {
        if self == Self::Float64 {
            return;
        }
        for column in columns.iter_mut().filter(|column| *column.data_type() == DataType::Float64) {
            *column =
                Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float32Type>(single));
        }
    }

    /// An array of this type.
    pub(super) fn array(self, numbers: Float64Array) -> ArrayRef {
        match self {
            Self::Float64 => Arc::new(numbers),
            Self::Float32 => {
                let single: Float32Array = numbers.unary::<_, Float32Type>(single);
                Arc::new(single)
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the nearest is asked for")]
fn single(x: f64) -> f32 {
    x as f32
}
