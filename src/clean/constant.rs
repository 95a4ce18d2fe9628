//! Constants written in options: a number, a text or a boolean.

use super::column::wrong_type;
use crate::registry::{Position, Problem};
use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::{DataType, Date32Type, Field, TimeUnit},
};
use chrono::{DateTime, NaiveDate};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, sync::Arc};

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
    /// Dates and times are texts, as RFC 3339 writes them.
    pub(super) fn for_column(&self, field: &Field, at: Position) -> Result<ArrayRef, Problem> {
        let (value, expected): (Option<ArrayRef>, _) = match field.data_type() {
            DataType::Boolean => (self.boolean(), "true or false"),
            DataType::Int64 => (self.integer(), "an integer"),
            DataType::Float64 => (self.number(), "a number"),
            DataType::Utf8 => (self.text(), "a text"),
            DataType::Date32 => (self.date(), "a date such as 2024-05-31"),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                (self.time(zone.clone()), "a time such as 2024-05-31T12:00:00Z")
            }
            _ => return Err(wrong_type(field, at, "a column of single values")),
        };
        value.ok_or_else(|| {
            let what = format!("wrong value for column `{}`: {self}", field.name());
            Problem::new(at, what).expected(expected)
        })
    }

    fn boolean(&self) -> Option<ArrayRef> {
        match self {
            Self::Boolean(b) => Some(Arc::new(BooleanArray::from(vec![*b]))),
            _ => None,
        }
    }

    fn integer(&self) -> Option<ArrayRef> {
        match self {
            Self::Integer(i) => Some(Arc::new(Int64Array::from(vec![*i]))),
            _ => None,
        }
    }

    fn number(&self) -> Option<ArrayRef> {
        match self {
            Self::Integer(i) => Some(Arc::new(Float64Array::from(vec![*i as f64]))),
            Self::Number(x) => Some(Arc::new(Float64Array::from(vec![*x]))),
            _ => None,
        }
    }

    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn text(&self) -> Option<ArrayRef> {
        Some(Arc::new(StringArray::from(vec![self.as_text()?])))
    }

    fn date(&self) -> Option<ArrayRef> {
        let date = NaiveDate::parse_from_str(self.as_text()?, "%Y-%m-%d").ok()?;
        Some(Arc::new(Date32Array::from(vec![Date32Type::from_naive_date(date)])))
    }

    fn time(&self, zone: Option<Arc<str>>) -> Option<ArrayRef> {
        let time = DateTime::parse_from_rfc3339(self.as_text()?).ok()?;
        let us = TimestampMicrosecondArray::from(vec![time.timestamp_micros()]);
        Some(Arc::new(us.with_timezone_opt(zone)))
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(b) => write!(f, "boolean `{b}`"),
            Self::Integer(i) => write!(f, "integer `{i}`"),
            Self::Number(x) => write!(f, "number `{x}`"),
            Self::Text(text) => write!(f, "string `{text}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::util::display::array_value_to_string;

    #[test]
    fn times_and_dates_are_texts() {
        let written = |data_type: DataType, text: &str| {
            let field = Field::new("x", data_type, true);
            let constant = Constant::Text(text.to_owned());
            let array = constant.for_column(&field, Position { line: 1, column: 5 });
            let array = array.map_err(|problem| problem.to_string())?;
            assert_eq!(array.data_type(), field.data_type());
            Ok(array_value_to_string(&array, 0).unwrap())
        };
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert_eq!(written(DataType::Date32, "2024-05-31"), Ok("2024-05-31".to_owned()));
        assert_eq!(
            written(timestamp, "2024-05-31T12:00:00+02:00"),
            Ok("2024-05-31T10:00:00Z".to_owned())
        );
        assert_eq!(
            written(DataType::Date32, "May"),
            Err("1:5: wrong value for column `x`: string `May`; expected a date such as \
                 2024-05-31"
                .to_owned())
        );
    }
}
