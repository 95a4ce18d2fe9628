//! Constants written in options: a number, a text or a boolean.

use super::column::wrong_type;
use crate::registry::{Position, Problem};
use arrow::{
    array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray},
    datatypes::{DataType, Date32Type, Field, TimeUnit, TimestampMicrosecondType},
};
use chrono::{DateTime, NaiveDate};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// A constant as written.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "wrong type; expected a number, a text or a boolean")]
pub(super) enum Constant {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl Constant {
    /// The constant as a value of the column `field`: an array of length one.
    ///
    /// Dates and timestamps are texts, as RFC 3339 writes them.
    pub(super) fn for_column(&self, field: &Field, at: Position) -> Result<ArrayRef, Problem> {
        Ok(match (field.data_type(), self) {
            (DataType::Boolean, Self::Boolean(b)) => Arc::new(BooleanArray::from(vec![*b])),
            (DataType::Int64, Self::Integer(i)) => Arc::new(Int64Array::from(vec![*i])),
            (DataType::Float64, Self::Integer(i)) => Arc::new(Float64Array::from(vec![*i as f64])),
            (DataType::Float64, Self::Number(x)) => Arc::new(Float64Array::from(vec![*x])),
            (DataType::Utf8, Self::Text(text)) => Arc::new(StringArray::from(vec![text.as_str()])),
            (DataType::Date32, Self::Text(text)) => {
                let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
                    .map_err(|_| unreadable(text, at, "a date such as 2024-05-31"))?;
                Arc::new(Date32Array::from(vec![Date32Type::from_naive_date(date)]))
            }
            (DataType::Timestamp(TimeUnit::Microsecond, zone), Self::Text(text)) => {
                let time = DateTime::parse_from_rfc3339(text)
                    .map_err(|_| unreadable(text, at, "a time such as 2024-05-31T12:00:00Z"))?;
                let us = Int64Array::from(vec![time.timestamp_micros()]);
                let us = us.reinterpret_cast::<TimestampMicrosecondType>();
                Arc::new(us.with_timezone_opt(zone.clone()))
            }
            (_, constant) => {
                return Err(wrong_type(field, at, &format!("{} column", constant.kind())));
            }
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "for a boolean constant a boolean",
            Self::Integer(_) => "for an integer constant an integer or number",
            Self::Number(_) => "for a number constant a number",
            Self::Text(_) => "for a text constant a string",
        }
    }
}

fn unreadable(text: &str, at: Position, expected: &str) -> Problem {
    Problem::new(at, format!("wrong value: string \"{text}\"")).expected(expected)
}
