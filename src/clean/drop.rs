//! `drop`: takes columns away.

use super::{Build, Clean, Input, column};
use crate::{
    batch::{Rejections, Rows},
    registry::{self, Component, Node, Problem, schema_of},
};
use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "drop",
    summary: "Takes columns away.",
    example: "{ columns: [category] }",
    details: "What comes after cannot name them. The columns of the entity key, of the event time and \
              those that are carried stay.",
    state: "none",
    schema: schema_of::<Options>,
    build,
};

/// Options of `drop`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns to take away.
    columns: Vec<String>,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Clean>, Problem> {
    let Options { columns } = registry::options(node)?;
    let dropped = column::listed(input.schema, &columns, node, "columns")?;
    for (name, (_, at)) in columns.iter().zip(&dropped) {
        if let Some(needed) = input.needed.iter().find(|needed| needed.column == *name) {
            let what = format!("column `{name}` is needed by {}", needed.by);
            return Err(Problem::new(*at, what).expected("columns that nothing needs"));
        }
    }
    let is_dropped = |index: &usize| dropped.iter().any(|(other, _)| other == index);
    let kept: Vec<usize> =
        (0..input.schema.fields().len()).filter(|index| !is_dropped(index)).collect();
    if kept.is_empty() {
        return Err(Problem::new(node.at("columns"), "no column is left"));
    }
    let schema = input.schema.project(&kept).expect("they are columns of it");
    Ok(Box::new(Drop { schema: Arc::new(schema), kept }))
}

#[derive(Debug)]
struct Drop {
    schema: SchemaRef,
    kept: Vec<usize>,
}

impl Clean for Drop {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, mut rows: Rows, _rejected: &mut Rejections) -> Rows {
        rows.columns = rows.columns.project(&self.kept).expect("they are columns of it");
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clean::{Needed, testing};

    #[test]
    fn the_other_columns_stay() {
        let row = testing::Row { items: Some(3), ..testing::Row::default() };
        let options = "{ columns: [category, tx_id] }";
        let (rows, _) = testing::advance_both_ways("drop", options, &testing::rows(&[row]), &[1]);
        let names: Vec<_> =
            rows.columns.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["amount", "items", "refunded"]);
    }

    #[test]
    fn what_is_needed_stays() {
        let schema = testing::schema();
        let needed = [Needed { column: "tx_id", by: "`output.carry`", by_name: false }];
        let input = Input { needed: &needed, ..Input::of(&schema) };
        let problem = |options: &str| {
            let node = Node::parse(options).unwrap();
            build(&node, &input).unwrap_err().to_string()
        };
        assert_eq!(
            problem("{ columns: [items, tx_id] }"),
            "1:20: column `tx_id` is needed by `output.carry`; expected columns that nothing needs"
        );
        let all = "{ columns: [tx_id, amount, items, category, refunded] }";
        let node = Node::parse(all).unwrap();
        let problem = build(&node, &Input::of(&schema)).unwrap_err().to_string();
        assert_eq!(problem, "1:12: no column is left");
    }
}
