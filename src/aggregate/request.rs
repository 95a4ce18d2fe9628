//! What features ask `window` to remember.
//!
//! Features have no state. One that needs some says so before the windows are built; what it is told
//! of each row then comes to it as a column, which nobody else can name.

use super::{Kept, Recursive};
use crate::registry::{Node, Problem, Span};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use std::{collections::HashMap, fmt::Write, sync::Arc};

/// Marks the columns that only the feature which asked for them is to see.
const HIDDEN: &str = "millstream.remembered";

/// A recursive aggregate of some columns, asked for by a feature.
#[derive(Debug)]
pub struct Request {
    /// All of it in words, effective values for defaults: equal requests are one. The state hash is
    /// taken of it.
    pub text: String,
    /// The feature that asks.
    pub feature: &'static str,
    /// The columns that are read.
    pub columns: Vec<String>,
    /// What is remembered of them.
    pub aggregate: Box<dyn Recursive>,
    /// How it is kept.
    pub kept: Kept,
}

impl Request {
    pub(super) fn new(
        feature: &'static str,
        columns: &[&str],
        aggregate: impl Recursive + 'static,
        kept: Kept,
    ) -> Self {
        let (columns, aggregate) =
            (columns.iter().map(ToString::to_string).collect(), Box::new(aggregate));
        let mut request = Self { text: String::new(), feature, columns, aggregate, kept };
        request.text = request.in_words();
        request
    }

    fn in_words(&self) -> String {
        let Kept { per, forget_after, exclude_current, min_count } = self.kept;
        let columns = self.columns.join("\u{1f}");
        let how = self.aggregate.describe();
        let mut text = format!("{} of {columns} per {per:?}, {how}", self.feature);
        if exclude_current {
            text.push_str(", before the record");
        }
        if min_count > 0 {
            write!(text, ", from {min_count} values on").expect("writing to a string");
        }
        if let Some(Span { us }) = forget_after {
            write!(text, ", forgotten after {us} us").expect("writing to a string");
        }
        text
    }

    /// The column that the feature finds.
    pub fn field(&self) -> FieldRef {
        let data_type = arrow::datatypes::DataType::Float64;
        let mark = HashMap::from([(HIDDEN.to_owned(), String::new())]);
        Arc::new(Field::new(&self.text, data_type, true).with_metadata(mark))
    }

    /// Where the column is among those of the rows, or a problem at `node`.
    pub fn find(&self, rows: &Schema, node: &Node) -> Result<usize, Problem> {
        let is_it = |field: &FieldRef| is_hidden(field) && *field.name() == self.text;
        rows.fields().iter().position(is_it).ok_or_else(|| {
            Problem::new(node.at, format!("`{}` cannot be remembered", self.feature))
                .expected("columns of integers or floats")
        })
    }
}

fn is_hidden(field: &Field) -> bool {
    field.metadata().contains_key(HIDDEN)
}

/// The columns of rows that everybody may name: those before the hidden ones.
pub fn visible(rows: &SchemaRef) -> SchemaRef {
    let visible = rows.fields().iter().filter(|field| !is_hidden(field));
    Arc::new(Schema::new(visible.map(Arc::clone).collect::<Vec<_>>()))
}

/// The requests in the order in which they are kept, equal ones once: the order of the features
/// does not show in the state.
pub fn in_order(mut requests: Vec<Request>) -> Vec<Request> {
    requests.sort_by(|a, b| a.text.cmp(&b.text));
    requests.dedup_by(|a, b| a.text == b.text);
    requests
}
