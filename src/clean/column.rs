//! Columns named in options: found by name, checked by type, complained about where they stand.

use crate::{
    batch::Rows,
    registry::{Node, Position, Problem},
};
use arrow::{
    array::ArrayRef,
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use regex::Regex;
use std::sync::Arc;

/// The column of that name, or a problem at `at` that lists the columns.
pub(super) fn named(schema: &Schema, name: &str, at: Position) -> Result<usize, Problem> {
    schema.index_of(name).map_err(|_| {
        Problem::new(at, format!("unknown column `{name}`"))
            .expected_one_of(name, schema.fields().iter().map(|field| field.name()))
    })
}

/// The columns that the option `key` lists, with their places; at least one, none of them twice.
pub(super) fn listed(
    schema: &Schema,
    names: &[String],
    options: &Node,
    key: &str,
) -> Result<Vec<(usize, Position)>, Problem> {
    let places = options.get(key).and_then(Node::as_list).unwrap_or_default();
    let mut found: Vec<(usize, Position)> = Vec::with_capacity(names.len());
    for (name, node) in names.iter().zip(places) {
        let column = named(schema, name, node.at)?;
        if found.iter().any(|(other, _)| *other == column) {
            return Err(Problem::new(node.at, format!("column `{name}` stands twice")));
        }
        found.push((column, node.at));
    }
    if found.is_empty() {
        let what = format!("`{key}` names no column");
        return Err(Problem::new(options.at(key), what).expected("at least one"));
    }
    Ok(found)
}

/// A complaint that a column has a type the operator cannot work on.
pub(super) fn wrong_type(field: &Field, at: Position, expected: &str) -> Problem {
    let what = format!("column `{}` is {}", field.name(), type_name(field.data_type()));
    Problem::new(at, what).expected(expected)
}

/// A column type in the words of a pipeline file.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "a string".to_owned(),
        DataType::Boolean => "a boolean".to_owned(),
        DataType::Int32 | DataType::Int64 => "an integer".to_owned(),
        DataType::Float64 => "a number".to_owned(),
        DataType::Date32 => "a date".to_owned(),
        DataType::Timestamp(..) => "a timestamp".to_owned(),
        DataType::List(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}

/// The schema with a Boolean column that says something about each row, never null.
///
/// A name that exists already is a problem at `at`.
pub(super) fn with_flag(
    schema: &Schema,
    name: &str,
    at: Position,
) -> Result<(SchemaRef, FieldRef), Problem> {
    if schema.index_of(name).is_ok() {
        let what = format!("column `{name}` exists already");
        return Err(Problem::new(at, what).expected("another `name` for the flag"));
    }
    let flag: FieldRef = Arc::new(Field::new(name, DataType::Boolean, false));
    let mut fields = schema.fields().to_vec();
    fields.push(Arc::clone(&flag));
    Ok((Arc::new(Schema::new(fields)), flag))
}

/// The schema with the field at `index` replaced.
pub(super) fn with_field(schema: &Schema, index: usize, field: FieldRef) -> SchemaRef {
    let mut fields = schema.fields().to_vec();
    fields[index] = field;
    Arc::new(Schema::new(fields))
}

/// Checks that a column holds integers or numbers.
pub(super) fn numeric(field: &Field, at: Position) -> Result<(), Problem> {
    match field.data_type() {
        DataType::Int64 | DataType::Float64 => Ok(()),
        _ => Err(wrong_type(field, at, "an integer or number column")),
    }
}

/// Checks that a column holds text.
pub(super) fn text(field: &Field, at: Position) -> Result<(), Problem> {
    match field.data_type() {
        DataType::Utf8 => Ok(()),
        _ => Err(wrong_type(field, at, "a string column")),
    }
}

/// A regular expression that stands at `at`.
pub(super) fn pattern(text: &str, at: Position) -> Result<Regex, Problem> {
    Regex::new(text).map_err(|error| {
        // The last line says what; those before point into the pattern.
        let said = error.to_string();
        let what = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Problem::new(at, format!("the pattern cannot be read: {what}"))
            .expected("a regular expression as the Rust crate `regex` reads it")
    })
}

/// Where an operator puts what it makes of a column: in its place, or behind all others.
#[derive(Debug)]
pub(super) struct Output {
    schema: SchemaRef,
    field: FieldRef,
    /// The column whose place it takes.
    replaces: Option<usize>,
}

impl Output {
    /// For values of that type, null or not, made of the column `index`; in a new column if there
    /// is a `name`, whose place is for complaints.
    pub(super) fn build(
        schema: &Schema,
        index: usize,
        (data_type, nullable): (DataType, bool),
        name: Option<(&str, Position)>,
    ) -> Result<Self, Problem> {
        let Some((name, at)) = name else {
            let field: FieldRef =
                Arc::new(Field::new(schema.field(index).name(), data_type, nullable));
            let schema = with_field(schema, index, Arc::clone(&field));
            return Ok(Self { schema, field, replaces: Some(index) });
        };
        if schema.index_of(name).is_ok() {
            let what = format!("column `{name}` exists already");
            return Err(Problem::new(at, what).expected("another name"));
        }
        let field: FieldRef = Arc::new(Field::new(name, data_type, nullable));
        let fields = schema.fields().iter().chain([&field]).map(Arc::clone);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { schema, field, replaces: None })
    }

    /// The columns with it.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The rows with it.
    pub(super) fn put(&self, rows: Rows, values: ArrayRef) -> Rows {
        match self.replaces {
            Some(index) => rows.replace_column(index, Arc::clone(&self.field), values),
            None => rows.with_column(Arc::clone(&self.field), values),
        }
    }
}
