//! `rename`: columns under other names.

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Rejections, Rows},
    registry::{self, Component, Node, Position, Problem, schema_of},
};
use arrow::{
    array::RecordBatch,
    datatypes::{FieldRef, Schema, SchemaRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "rename",
    summary: "Gives columns other names.",
    example: "{ columns: { amount: price, category: kind } }",
    details: "All at once: `{ a: b, b: a }` exchanges two names. The columns of the entity key and of the \
              event time keep theirs.",
    state: "none",
    schema: schema_of::<Options>,
    build,
};

/// Options of `rename`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The new name of each column.
    columns: BTreeMap<String, String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Clean>, Problem> {
    let Options { columns } = registry::options(node)?;
    if columns.is_empty() {
        return Err(Problem::new(node.at("columns"), "no columns").expected("at least one"));
    }
    let mut fields = input.schema.fields().to_vec();
    let places = node.get("columns").and_then(Node::as_map).unwrap_or_default();
    for (old, at, name) in places {
        let index = column::named(input.schema, old, *at)?;
        if let Some(needed) = input.needed.iter().find(|n| n.column == *old && n.by_name) {
            let what = format!("column `{old}` is needed by {} under this name", needed.by);
            return Err(Problem::new(*at, what).expected("another column"));
        }
        let name = columns.get(old).map_or_else(|| name.kind(), Clone::clone);
        fields[index] = FieldRef::new(fields[index].as_ref().clone().with_name(name));
    }
    each_once(&fields, places)?;
    Ok(Box::new(Rename { schema: Arc::new(Schema::new(fields)) }))
}

/// No two columns may have one name.
fn each_once(fields: &[FieldRef], places: &[(String, Position, Node)]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    let Some(twice) = fields.iter().find(|field| !seen.insert(field.name())) else { return Ok(()) };
    let given = |(_, _, name): &&(String, Position, Node)| name.as_str() == Some(twice.name());
    let at = places.iter().rev().find(given).map_or_else(Position::default, |(.., name)| name.at);
    let what = format!("two columns would be `{}`", twice.name());
    Err(Problem::new(at, what).expected("another name"))
}

#[derive(Debug)]
struct Rename {
    schema: SchemaRef,
}

impl Clean for Rename {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, mut rows: Rows, _rejected: &mut Rejections) -> Rows {
        let columns = rows.columns.columns().to_vec();
        rows.columns = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("the columns are those of before");
        rows
    }
}

#[cfg(test)]
mod tests {
    use crate::clean::testing;
    use arrow::array::AsArray;

    #[test]
    fn names_change_and_may_be_exchanged() {
        let row = testing::Row { tx_id: Some("a"), category: Some("b"), ..testing::Row::default() };
        let options = "{ columns: { tx_id: category, category: tx_id, amount: price } }";
        let (rows, _) = testing::advance_both_ways("rename", options, &testing::rows(&[row]), &[1]);
        let names: Vec<_> =
            rows.columns.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["category", "price", "items", "tx_id", "refunded"]);
        assert_eq!(rows.columns["tx_id"].as_string::<i32>().value(0), "b");
    }

    #[test]
    fn mistakes_say_where_and_what() {
        let problem = |options: &str| testing::build("rename", options).unwrap_err().to_string();
        assert_eq!(
            problem("{ columns: { amount: items } }"),
            "1:22: two columns would be `items`; expected another name"
        );
        assert_eq!(
            problem("{ columns: { amount: price, items: price } }"),
            "1:36: two columns would be `price`; expected another name"
        );
        assert_eq!(problem("{ columns: {} }"), "1:12: no columns; expected at least one");
    }
}
