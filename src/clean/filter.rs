//! `filter`: keeps the rows for which a condition is true.

use super::{Build, Clean, Input};
use crate::{
    batch::{Reason, Rejections, Rows, Slot},
    expression::Expression,
    registry::{self, Component, Node, Problem},
    state::Horizon,
};
use arrow::{
    array::{Array, AsArray},
    datatypes::SchemaRef,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "filter",
    summary: "Keeps the records for which an SQL condition is true.",
    example: "{ where: \"amount > 0\" }",
    details: "A record for which the condition is false or null leaves as `filtered`; one for \
              which it cannot be computed, such as a division by zero, as `expression`. NaN is \
              greater than any other number and equal to itself.",
    state: "none",
    schema: registry::schema_of::<Written>,
    build,
};

/// Options of `filter`: the condition, alone or as `where`.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the JSON Schema of the options")]
enum Written {
    Short(String),
    Long(Options),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// An SQL condition. A record for which it is false or null is `filtered`.
    #[serde(rename = "where")]
    condition: String,
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Clean>, Problem> {
    let condition = match node.as_str() {
        Some(text) => text.to_owned(),
        None => registry::options::<Options>(node)?.condition,
    };
    let condition = Expression::condition(&condition, input.schema)
        .map_err(|error| error.into_problem(node.at("where")))?;
    Ok(Box::new(Filter { condition, schema: Arc::clone(input.schema) }))
}

#[derive(Debug)]
struct Filter {
    condition: Expression,
    schema: SchemaRef,
}

impl Clean for Filter {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows {
        let evaluated = self.condition.evaluate(&rows.columns);
        let values = evaluated.values.as_boolean();
        let mut failed = evaluated.failed.into_iter().peekable();
        let keep: Vec<bool> = (0..rows.len())
            .map(|row| {
                let record = rows.records[row];
                if let Some((_, reason)) = failed.next_if(|f| f.0 == row) {
                    let detail = format!("filter: {reason}");
                    rejected.push_from("clean", record, Reason::Expression, detail);
                    return false;
                }
                let holds = values.is_valid(row) && values.value(row);
                if !holds {
                    rejected.push(record, Reason::Filtered, "filter: the condition is not true");
                }
                holds
            })
            .collect();
        rows.filter(&keep)
    }

    fn horizon(&self) -> Horizon {
        Horizon::Stateless
    }

    fn forget(&mut self, _slot: Slot) {}

    fn state_bytes(&self) -> usize {
        0
    }

    fn order_sensitive(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::{
        array::{Int64Array, RecordBatch},
        datatypes::{DataType, Field, Schema},
    };

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]))
    }

    fn build_from(text: &str) -> Result<Box<dyn Clean>, String> {
        let schema = schema();
        let node = Node::parse(text).unwrap();
        (COMPONENT.build)(&node, &Input::of(&schema)).map_err(|p| p.to_string())
    }

    fn rows(values: &[Option<i64>]) -> Rows {
        let column = Arc::new(Int64Array::from(values.to_vec()));
        let count = values.len();
        Rows {
            columns: RecordBatch::try_new(schema(), vec![column]).unwrap(),
            records: (0..).take(count).collect(),
            offsets: (100..).take(count).collect(),
            event_times: vec![0; count],
            watermarks: vec![0; count],
            slots: vec![0; count],
            late: vec![false; count],
        }
    }

    #[test]
    fn keeps_what_is_true_and_says_why_the_rest_left() {
        for text in ["where: 10 / a > 1", "10 / a > 1"] {
            let mut filter = build_from(text).unwrap();
            let mut rejected = Rejections::default();
            let kept =
                filter.advance(rows(&[Some(5), None, Some(0), Some(20), Some(1)]), &mut rejected);
            assert_eq!(kept.offsets, [100, 104]);
            let reasons: Vec<_> = rejected.0.iter().map(|r| (r.record, r.reason)).collect();
            assert_eq!(
                reasons,
                [(1, Reason::Filtered), (2, Reason::Expression), (3, Reason::Filtered)]
            );
            assert_eq!(rejected.0[1].detail, "filter: division by zero");
        }
    }

    #[test]
    fn refuses_what_is_no_condition() {
        assert_eq!(
            build_from("where: a + 1").unwrap_err(),
            "1:8: the expression is of type Int64; expected a condition, true or false"
        );
        assert_eq!(
            build_from("where: aa > 1").unwrap_err(),
            "1:8: unknown column `aa`, at character 1 of the expression; expected one of `a`; did \
             you mean `a`?"
        );
        assert!(build_from("when: a > 1").unwrap_err().contains("did you mean `where`?"));
    }
}
