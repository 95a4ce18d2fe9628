//! Cleaning: repairs, flags or removes suspicious records, one batch at a time.
//!
//! To add an operator: write `clean/<name>.rs` with a `COMPONENT`, then add it to [`OPERATORS`].

mod cast;
mod clip;
mod drop_duplicates;
mod fill;
mod lower;
mod outlier;
mod trim;
mod upper;

// What operators are made of.
mod column;
mod constant;
mod text;
#[cfg(test)]
mod testing;

use crate::{
    batch::{Rejections, Rows, Slot},
    registry::{Component, Node, Problem},
    state::Horizon,
};
use arrow::datatypes::SchemaRef;
use std::fmt::Debug;

/// All cleaning operators, in the order of the alphabet.
pub const OPERATORS: &[Component<Build>] = &[
    cast::COMPONENT,
    clip::COMPONENT,
    drop_duplicates::COMPONENT,
    fill::COMPONENT,
    lower::COMPONENT,
    outlier::COMPONENT,
    trim::COMPONENT,
    upper::COMPONENT,
];

/// What an operator is built against.
#[derive(Debug)]
pub struct Input<'a> {
    /// The columns that the steps before leave.
    pub schema: &'a SchemaRef,
}

/// Builds an operator from its options.
pub type Build = fn(&Node, &Input<'_>) -> Result<Box<dyn Clean>, Problem>;

/// A cleaning operator. It sees the rows of one partition in offset order and may keep state.
///
/// Each row is judged as of that row; where a batch is cut never shows in rows or state.
pub trait Clean: Send + Debug {
    /// The columns after this step.
    fn schema(&self) -> SchemaRef;

    /// Cleans the rows. Those it removes are noted in `rejected`.
    fn advance(&mut self, rows: Rows, rejected: &mut Rejections) -> Rows;

    /// How long it needs what it keeps by slot.
    fn horizon(&self) -> Horizon {
        Horizon::Stateless
    }

    /// Forgets an entity key, so that another one can use its slot.
    fn forget(&mut self, _slot: Slot) {}

    /// Bytes of state.
    fn state_bytes(&self) -> usize {
        0
    }

    /// True if the result depends on the order of arrival beyond who came before at all.
    fn order_sensitive(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_operator_has_a_name_a_sentence_and_an_example_that_builds() {
        let schema = testing::schema();
        let mut names = BTreeSet::new();
        for operator in OPERATORS {
            let name = operator.name;
            assert!(names.insert(name), "{name} stands twice");
            assert!(operator.summary.ends_with('.'), "{name}: {}", operator.summary);
            assert!(operator.summary.starts_with(char::is_uppercase), "{name}");
            assert!(operator.summary.len() < 120, "{name}: one sentence");
            let node = Node::parse(operator.example).unwrap();
            let built = (operator.build)(&node, &Input { schema: &schema });
            let clean = built.unwrap_or_else(|problem| panic!("{name}: {problem}"));
            assert!(clean.schema().fields().len() >= schema.fields().len(), "{name}");
            assert!((operator.schema)().get("properties").is_some(), "{name}");
        }
        assert!(OPERATORS.is_sorted_by_key(|operator| operator.name));
    }

    #[test]
    fn every_operator_refuses_unknown_keys_and_columns() {
        let schema = testing::schema();
        for operator in OPERATORS.iter().filter(|operator| operator.example.starts_with('{')) {
            let refusal = |text: &str| {
                let node = Node::parse(text).unwrap();
                (operator.build)(&node, &Input { schema: &schema }).unwrap_err()
            };
            let problem = refusal(&operator.example.replacen('{', "{ colour: red, ", 1));
            assert_eq!(problem.what, "unknown key `colour`", "{}", operator.name);
            let misspelt = ["amount", "category", "tx_id"]
                .into_iter()
                .fold(operator.example.to_owned(), |text, name| {
                    text.replace(name, &format!("{name}x"))
                });
            let problem = refusal(&misspelt);
            assert!(problem.nearest.is_some(), "{}: {problem}", operator.name);
            assert!(problem.at.is_some_and(|at| at.column > 1), "{}: {problem}", operator.name);
        }
    }
}
