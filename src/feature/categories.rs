//! Values that a pipeline file lists, and where each row's value stands among them.

use super::{Failed, Input, find_column};
use crate::{
    batch::Reason,
    registry::{Node, Problem, Value},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, Int64Type},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{borrow::Borrow, collections::HashMap, fmt::Display, hash::Hash};

/// A listed value.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "wrong type; expected text, an integer or a boolean")]
pub(super) enum Listed {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

/// The place of a value that is not listed, or of a null.
pub(super) const UNLISTED: u32 = u32::MAX;

/// The listed values of a column, in its type, each once.
#[derive(Debug)]
pub(super) struct Categories {
    column: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Text(Places<String>),
    Integer(Places<i64>),
    Boolean(Places<bool>),
}

/// Values, and where each stands.
#[derive(Debug)]
struct Places<T> {
    values: Vec<T>,
    /// Of a list so long that it is not looked through.
    index: HashMap<T, u32>,
}

/// Values up to which a list is looked through.
const SHORT: usize = 16;

impl<T: Clone + Eq + Hash> Places<T> {
    fn new(values: Vec<T>) -> Self {
        let long = values.iter().filter(|_| values.len() > SHORT);
        let index = long.cloned().zip(0..).collect();
        Self { values, index }
    }

    #[inline]
    fn of<Q: Eq + Hash + ?Sized>(&self, value: Option<&Q>) -> u32
    where
        T: Borrow<Q>,
    {
        let Some(value) = value else { return UNLISTED };
        if self.values.len() > SHORT {
            return self.index.get(value).copied().unwrap_or(UNLISTED);
        }
        let known = self.values.iter().zip(0..).find(|(listed, _)| (*listed).borrow() == value);
        known.map_or(UNLISTED, |(_, place)| place)
    }
}

impl Categories {
    /// The values that stand in the list `values` of the options, of the column under `column`.
    pub(super) fn listed(
        node: &Node,
        input: &Input<'_>,
        column: &str,
        values: &[Listed],
    ) -> Result<Self, Problem> {
        Self::of_lists(node, input, column, &[("values", values)])
    }

    /// The values that stand in several lists of the options, one list after the other.
    pub(super) fn of_lists(
        node: &Node,
        input: &Input<'_>,
        column: &str,
        lists: &[(&str, &[Listed])],
    ) -> Result<Self, Problem> {
        let places = |key| node.get(key).and_then(Node::as_list).unwrap_or_default();
        let values = lists.iter().flat_map(|(key, values)| values.iter().zip(places(key)));
        Self::build(node, input, column, &values.collect::<Vec<_>>())
    }

    /// The values that stand as names in the map `values` of the options.
    pub(super) fn named(node: &Node, input: &Input<'_>, column: &str) -> Result<Self, Problem> {
        let index = find_column(column, input.schema, node.at("column"))?;
        let data_type = input.schema.field(index).data_type();
        let entries = node.get("values").and_then(Node::as_map).unwrap_or_default();
        let read = |name: &str| match data_type {
            DataType::Boolean => name.parse().ok().map(Listed::Boolean),
            t if t.is_integer() => name.parse().ok().map(Listed::Integer),
            _ => None,
        };
        // Names are texts; what cannot be read as the column's type is complained of as that.
        let values: Vec<Listed> = entries
            .iter()
            .map(|(name, ..)| read(name).unwrap_or_else(|| Listed::Text(name.clone())))
            .collect();
        let nodes: Vec<Node> = entries
            .iter()
            .map(|(name, at, _)| Node { at: *at, value: Value::String(name.clone()) })
            .collect();
        Self::build(node, input, column, &values.iter().zip(&nodes).collect::<Vec<_>>())
    }

    fn build(
        node: &Node,
        input: &Input<'_>,
        column: &str,
        values: &[(&Listed, &Node)],
    ) -> Result<Self, Problem> {
        let index = find_column(column, input.schema, node.at("column"))?;
        if values.is_empty() {
            return Err(Problem::new(node.at("values"), "no values").expected("at least one"));
        }
        let values = match input.schema.field(index).data_type() {
            DataType::Utf8 => Values::Text(each_once(values, "text", |value| match value {
                Listed::Text(text) => Some(text.clone()),
                _ => None,
            })?),
            DataType::Boolean => Values::Boolean(each_once(values, "a boolean", |value| {
                if let Listed::Boolean(flag) = value { Some(*flag) } else { None }
            })?),
            t if t.is_integer() => Values::Integer(each_once(values, "an integer", |value| {
                if let Listed::Integer(number) = value { Some(*number) } else { None }
            })?),
            other => {
                let what = format!("column `{column}` is of type {other}");
                return Err(
                    Problem::new(node.at("column"), what).expected("text, integers or booleans")
                );
            }
        };
        Ok(Self { column: index, values })
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Text(places) => places.values.len(),
            Values::Integer(places) => places.values.len(),
            Values::Boolean(places) => places.values.len(),
        }
    }

    /// `{prefix}_{value}` of each value.
    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        fn names<T: Display>(prefix: &str, places: &Places<T>) -> Vec<String> {
            places.values.iter().map(|value| format!("{prefix}_{value}")).collect()
        }
        match &self.values {
            Values::Text(places) => names(prefix, places),
            Values::Integer(places) => names(prefix, places),
            Values::Boolean(places) => names(prefix, places),
        }
    }

    /// The field of the column.
    pub(super) fn field<'a>(&self, input: &Input<'a>) -> &'a Field {
        input.schema.field(self.column)
    }

    /// The column itself.
    pub(super) fn column<'r>(&self, rows: &'r RecordBatch) -> &'r ArrayRef {
        rows.column(self.column)
    }

    /// For each row the place of its value in the list, or [`UNLISTED`].
    pub(super) fn places(&self, rows: &RecordBatch) -> Vec<u32> {
        let column = self.column(rows);
        match &self.values {
            Values::Text(places) => {
                column.as_string::<i32>().iter().map(|text| places.of(text)).collect()
            }
            Values::Integer(places) => {
                let numbers = cast(column, &DataType::Int64).expect("checked when it was built");
                let numbers = numbers.as_primitive::<Int64Type>().iter();
                numbers.map(|number| places.of(number.as_ref())).collect()
            }
            Values::Boolean(places) => {
                column.as_boolean().iter().map(|flag| places.of(flag.as_ref())).collect()
            }
        }
    }

    /// The rows that hold a value which is not listed; a null is none.
    pub(super) fn unknown(&self, rows: &RecordBatch, places: &[u32]) -> Vec<usize> {
        let column = self.column(rows);
        let unknown = |row: &usize| places[*row] == UNLISTED && column.is_valid(*row);
        (0..places.len()).filter(unknown).collect()
    }
}

/// The listed values in the column's type, each once.
fn each_once<T: Clone + Eq + Hash>(
    values: &[(&Listed, &Node)],
    kind: &str,
    read: impl Fn(&Listed) -> Option<T>,
) -> Result<Places<T>, Problem> {
    let mut read_values = Vec::with_capacity(values.len());
    for (value, place) in values {
        let Some(value) = read(value) else {
            let quotes = kind == "text" && !matches!(place.value, Value::String(_));
            let hint = if quotes { ": put it in quotes" } else { "" };
            return Err(Problem::new(place.at, place.kind())
                .expected(format!("{kind}, as the column is{hint}")));
        };
        if read_values.contains(&value) {
            return Err(Problem::new(place.at, format!("{} stands twice", place.kind())));
        }
        read_values.push(value);
    }
    Ok(Places::new(read_values))
}

/// What is said of a row that holds a value which is not listed.
pub(super) fn not_listed(feature: &str, column: &str, row: usize) -> Failed {
    let detail = format!("{feature}: column `{column}` holds a value that is not listed");
    Failed { row, reason: Reason::Expression, detail }
}
