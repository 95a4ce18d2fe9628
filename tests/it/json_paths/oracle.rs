//! What a record is, by other people's code.

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{
        DataType, Date32Type, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType,
    },
};
use chrono::{DateTime, NaiveDate, Timelike};
use regex::Regex;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::{collections::BTreeSet, fmt, sync::LazyLock};

/// What is to become of a document.
pub(crate) enum Verdict {
    Undecodable,
    Invalid,
    Valid(Value),
}

/// The schema, compiled.
pub(crate) struct Oracle(jsonschema::Validator);

impl Oracle {
    pub(crate) fn new(schema: &Value) -> Self {
        let options = jsonschema::options()
            .should_validate_formats(true)
            .with_format("date", |text: &str| {
                DATE.is_match(text) && text.parse::<NaiveDate>().is_ok()
            })
            .with_format("date-time", is_date_time);
        Self(options.build(schema).unwrap())
    }

    pub(crate) fn judge(&self, document: &[u8], columns: &SchemaRef) -> Verdict {
        let Some(value) = parse(document) else { return Verdict::Undecodable };
        if value.is_object() && self.0.is_valid(&value) && integers_fit(&value, columns) {
            Verdict::Valid(value)
        } else {
            Verdict::Invalid
        }
    }
}

static DATE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^[0-9]{4}-[0-9]{2}-[0-9]{2}$").unwrap());
static DATE_TIME: LazyLock<Regex> = LazyLock::new(|| {
    let time = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([zZ]|[+-][0-9]{2}:[0-9]{2})";
    Regex::new(&format!("^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[tT]{time}$")).unwrap()
});

/// RFC 3339; a leap second only where UTC has them.
fn is_date_time(text: &str) -> bool {
    let Ok(time) = DateTime::parse_from_rfc3339(text) else { return false };
    let utc = time.to_utc();
    let leap = utc.nanosecond() >= 1_000_000_000;
    DATE_TIME.is_match(text) && (!leap || (utc.hour(), utc.minute()) == (23, 59))
}

/// The value, if this is JSON in which no key stands twice.
pub(crate) fn parse(document: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Unique>(document).ok()?;
    serde_json::from_slice(document).ok()
}

/// Any value whose objects have each key once.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Unique;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Unique, E> {
                Ok(Unique)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
                Ok(Unique)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
                Ok(Unique)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
                Ok(Unique)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
                Ok(Unique)
            }
            fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
                Ok(Unique)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
                while items.next_element::<Unique>()?.is_some() {}
                Ok(Unique)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut keys = BTreeSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    let first = keys.insert(key);
                    first.then_some(()).ok_or_else(|| A::Error::custom("a key stands twice"))?;
                    map.next_value::<Unique>()?;
                }
                Ok(Unique)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The value of a dotted column, if it is there and not null.
fn at<'v>(value: &'v Value, column: &str) -> Option<&'v Value> {
    column.split('.').try_fold(value, |v, key| v.get(key)).filter(|v| !v.is_null())
}

fn integer(value: &Value) -> Option<i64> {
    let bounds = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    value.as_i64().or_else(|| {
        let float = value.as_f64().filter(|f| !value.is_u64() && bounds.contains(f))?;
        Some(float as i64)
    })
}

fn integers_fit(value: &Value, columns: &SchemaRef) -> bool {
    columns.fields().iter().all(|field| match (field.data_type(), at(value, field.name())) {
        (DataType::Int64, Some(value)) => integer(value).is_some(),
        (DataType::List(item), Some(Value::Array(items)))
            if item.data_type() == &DataType::Int64 =>
        {
            items.iter().all(|item| item.is_null() || integer(item).is_some())
        }
        _ => true,
    })
}

/// The first column that does not hold what the document says.
pub(crate) fn differs(value: &Value, columns: &RecordBatch, row: usize) -> Option<String> {
    let schema = columns.schema();
    let own = schema.fields().iter().zip(columns.columns());
    own.filter(|(field, _)| !field.name().starts_with("kafka_"))
        .find(|(field, column)| !same(at(value, field.name()), column, row))
        .map(|(field, _)| field.name().clone())
}

fn same(value: Option<&Value>, column: &ArrayRef, row: usize) -> bool {
    let Some(value) = value else { return column.is_null(row) };
    if column.is_null(row) {
        return false;
    }
    match column.data_type() {
        DataType::Boolean => value.as_bool() == Some(column.as_boolean().value(row)),
        DataType::Int64 => integer(value) == Some(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => {
            let held = column.as_primitive::<Float64Type>().value(row);
            value.as_f64().map(f64::to_bits) == Some(held.to_bits())
        }
        DataType::Utf8 => {
            let held = column.as_string::<i32>().value(row);
            // A text column holds JSON; a string column the string.
            value.as_str() == Some(held) || serde_json::from_str(held).ok().as_ref() == Some(value)
        }
        DataType::Date32 => {
            let held = column.as_primitive::<Date32Type>().value_as_date(row);
            held == value.as_str().and_then(|s| s.parse::<NaiveDate>().ok())
        }
        DataType::Timestamp(..) => {
            let held = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let text = value.as_str().unwrap();
            DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros() == held
        }
        DataType::List(_) => {
            let held = column.as_list::<i32>().value(row);
            let items = value.as_array().unwrap();
            let item = |i: usize| Some(&items[i]).filter(|v| !v.is_null());
            held.len() == items.len() && (0..items.len()).all(|i| same(item(i), &held, i))
        }
        other => unreachable!("no column of type {other}"),
    }
}
