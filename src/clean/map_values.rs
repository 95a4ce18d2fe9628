//! `map_values`: other texts in the place of listed ones.

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Reason, Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of},
};
use arrow::{
    array::{AsArray, StringArray},
    datatypes::{Field, FieldRef, SchemaRef},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use std::{collections::BTreeMap, sync::Arc};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "map_values",
    summary: "Writes other texts, or null, in the place of listed ones of a column.",
    example: "{ column: category, values: { gas: fuel, petrol: fuel, unknown: null } }",
    details: "Texts are compared as they are. Null stays null.",
    state: "none",
    schema: schema_of::<Options>,
    build,
};

/// Options of `map_values`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of text.
    column: String,
    /// What stands in the place of each text; null for a null.
    values: BTreeMap<String, Option<String>>,
    /// What becomes of other texts.
    #[serde(default, deserialize_with = "Unlisted::read")]
    #[schemars(with = "Option<Unlisted>", extend("default" = "keep"))]
    unlisted: Unlisted,
}

/// What becomes of a text that is not listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Unlisted {
    /// It stays: the default.
    #[default]
    Keep,
    /// It becomes null.
    Null,
    /// Its record leaves as `cast`.
    Reject,
}

impl Unlisted {
    /// In YAML a plain `null` is nothing and not a text.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(Self::Null))
    }
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Clean>, Problem> {
    let Options { column, values, unlisted } = registry::options(node)?;
    let index = column::named(input.schema, &column, node.at("column"))?;
    let field = input.schema.field(index);
    column::text(field, node.at("column"))?;
    if values.is_empty() {
        return Err(Problem::new(node.at("values"), "no values").expected("at least one"));
    }
    let makes_null = unlisted == Unlisted::Null || values.values().any(Option::is_none);
    let nullable = field.is_nullable() || makes_null;
    let field: FieldRef = Arc::new(Field::new(&column, field.data_type().clone(), nullable));
    let schema = column::with_field(input.schema, index, Arc::clone(&field));
    Ok(Box::new(MapValues { schema, column: index, field, values, unlisted }))
}

#[derive(Debug)]
struct MapValues {
    schema: SchemaRef,
    column: usize,
    field: FieldRef,
    values: BTreeMap<String, Option<String>>,
    unlisted: Unlisted,
}

impl Clean for MapValues {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let mut keep = vec![true; rows.len()];
        let texts = rows.columns.column(self.column).as_string::<i32>();
        let mapped: StringArray = texts
            .iter()
            .enumerate()
            .map(|(row, text)| match self.values.get(text?) {
                Some(other) => other.as_deref(),
                None if self.unlisted == Unlisted::Keep => text,
                None => {
                    keep[row] = self.unlisted == Unlisted::Null;
                    None
                }
            })
            .collect();
        for (row, _) in keep.iter().enumerate().filter(|(_, keep)| !**keep) {
            let name = self.field.name();
            let detail = format!("map_values: column `{name}` holds a text that is not listed");
            rejected.push(rows.records[row], Reason::Cast, detail);
        }
        // What leaves has a null even where the column can hold none.
        let nullable =
            Arc::new(Field::new(self.field.name(), self.field.data_type().clone(), true));
        let rows = rows.replace_column(self.column, nullable, Arc::new(mapped)).filter(&keep);
        let column = Arc::clone(rows.columns.column(self.column));
        rows.replace_column(self.column, Arc::clone(&self.field), column)
    }
}

#[cfg(test)]
mod tests {
    use crate::{batch::Reason, clean::testing};
    use arrow::array::AsArray;

    #[test]
    fn listed_texts_change_and_others_do_as_they_are_told() {
        let texts = [Some("gas"), Some("food"), None, Some("unknown")];
        let rows: Vec<_> = texts
            .iter()
            .map(|text| testing::Row { category: *text, ..testing::Row::default() })
            .collect();
        let rows = testing::rows(&rows);
        let run = |unlisted: &str| {
            let options =
                format!("{{ column: category, values: {{ gas: fuel, unknown: null }}{unlisted} }}");
            let (out, rejected) = testing::advance_both_ways("map_values", &options, &rows, &[3]);
            let texts = out.columns["category"].as_string::<i32>();
            let texts: Vec<_> = texts.iter().map(|text| text.map(str::to_owned)).collect();
            (texts, rejected)
        };
        let fuel = Some("fuel".to_owned());
        let (texts, rejected) = run("");
        assert_eq!(texts, [fuel.clone(), Some("food".to_owned()), None, None]);
        assert!(rejected.is_empty());
        assert_eq!(run(", unlisted: null").0, [fuel.clone(), None, None, None]);
        let (texts, rejected) = run(", unlisted: reject");
        assert_eq!(texts, [fuel, None, None]);
        let left: Vec<_> = rejected.iter().map(|gone| (gone.record, gone.reason)).collect();
        assert_eq!(left, [(1, Reason::Cast)]);
    }
}
