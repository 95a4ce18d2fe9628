//! Operators that rewrite text columns value by value.

use super::{Clean, Input, column};
use crate::{
    batch::{Rejections, Rows},
    registry::{self, Node, Problem},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray, StringBuilder},
    datatypes::SchemaRef,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt, sync::Arc};

/// Options of the text operators.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Columns to rewrite.
    columns: Vec<String>,
}

/// Appends the rewritten text to a buffer.
type Rewrite = Box<dyn Fn(&str, &mut String) + Send>;

/// Rewrites the values of some text columns; nulls stay null.
pub(super) struct Text {
    schema: SchemaRef,
    columns: Vec<usize>,
    rewrite: Rewrite,
    scratch: String,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Text {
    /// An operator whose only options are the columns.
    pub(super) fn build(
        options: &Node,
        input: &Input<'_>,
        rewrite: fn(&str, &mut String),
    ) -> Result<Box<dyn Clean>, Problem> {
        let Options { columns } = registry::options(options)?;
        Self::of(&columns, options, input, rewrite)
    }

    /// Rewrites the columns that stand under `columns` of the options.
    pub(super) fn of(
        columns: &[String],
        options: &Node,
        input: &Input<'_>,
        rewrite: impl Fn(&str, &mut String) + Send + 'static,
    ) -> Result<Box<dyn Clean>, Problem> {
        let columns = column::listed(input.schema, columns, options, "columns")?;
        for (index, at) in &columns {
            column::text(input.schema.field(*index), *at)?;
        }
        let columns = columns.into_iter().map(|(index, _)| index).collect();
        let schema = Arc::clone(input.schema);
        Ok(Box::new(Self { schema, columns, rewrite: Box::new(rewrite), scratch: String::new() }))
    }

    fn rewritten(&mut self, texts: &StringArray) -> ArrayRef {
        let mut builder = StringBuilder::with_capacity(texts.len(), texts.values().len());
        for text in texts {
            self.scratch.clear();
            if let Some(text) = text {
                (self.rewrite)(text, &mut self.scratch);
            }
            builder.append_option(text.map(|_| self.scratch.as_str()));
        }
        Arc::new(builder.finish())
    }
}

impl Clean for Text {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, mut rows: Rows, _rejected: &mut Rejections) -> Rows {
        for place in 0..self.columns.len() {
            let index = self.columns[place];
            let values = self.rewritten(rows.columns.column(index).as_string());
            let field = Arc::clone(&self.schema.fields()[index]);
            rows = rows.replace_column(index, field, values);
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use crate::{batch::Rejections, clean::testing};
    use arrow::array::{Array, AsArray};

    fn rewritten(operator: &str, text: &str) -> String {
        let rows =
            testing::rows(&[testing::Row { category: Some(text), ..testing::Row::default() }]);
        let mut clean = testing::build(operator, "{ columns: [category] }").unwrap();
        let rows = clean.advance(rows, &mut Rejections::default());
        rows.columns["category"].as_string::<i32>().value(0).to_owned()
    }

    #[test]
    fn texts_are_rewritten_and_nulls_stay() {
        assert_eq!(rewritten("trim", " \u{a0}\tfuel oil \n"), "fuel oil");
        assert_eq!(rewritten("lower", "FUEL Öl ΑΣ"), "fuel öl ασ");
        assert_eq!(rewritten("upper", "fuel öl ß"), "FUEL ÖL SS");
        let rows = testing::rows(&[testing::Row { category: None, ..testing::Row::default() }]);
        let mut clean = testing::build("trim", "{ columns: [category] }").unwrap();
        let rows = clean.advance(rows, &mut Rejections::default());
        assert!(rows.columns["category"].is_null(0));
    }

    #[test]
    fn only_text_columns_can_be_rewritten() {
        let problem = testing::build("upper", "{ columns: [category, amount] }").unwrap_err();
        assert_eq!(
            problem.to_string(),
            "1:23: column `amount` is a number; expected a string column"
        );
        let problem = testing::build("lower", "{ columns: [] }").unwrap_err();
        assert_eq!(problem.to_string(), "1:12: `columns` names no column; expected at least one");
    }
}
