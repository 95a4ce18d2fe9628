//! Rules: one keyword of JSON Schema on one column, all rows at once.
//!
//! A rule agrees with the complete validator on every value, or has a doubt about it, and then
//! that one judges the record. Nulls pass: whether a field may be null or missing was judged when
//! the record was decoded.
//!
//! To add a rule: write `rules/<name>.rs` with a `COMPONENT`, add it to [`RULES`], and give its
//! keyword to the rules in `schema/keywords.rs`.

mod items;
mod length;
mod multiple_of;
mod number;
mod one_of;
mod pattern;
mod range;
mod verdicts;

pub use verdicts::Verdicts;

use crate::registry::{self, Component, Node, Position, Problem};
use arrow::{array::ArrayRef, datatypes::DataType};
use std::fmt::Debug;

/// All rules, by keyword.
pub const RULES: &[Component<Build>] = &[
    one_of::ENUM,
    one_of::CONST,
    range::MINIMUM,
    range::MAXIMUM,
    range::EXCLUSIVE_MINIMUM,
    range::EXCLUSIVE_MAXIMUM,
    multiple_of::COMPONENT,
    length::MIN_LENGTH,
    length::MAX_LENGTH,
    pattern::COMPONENT,
    items::MIN_ITEMS,
    items::MAX_ITEMS,
];

/// Builds a rule from the keyword's value and the type of the column, or of the items of a list;
/// none where a column of that type cannot tell.
pub type Build = fn(&Node, &DataType) -> Option<Box<dyn Rule>>;

/// A rule. It keeps nothing between batches.
pub trait Rule: Send + Debug {
    /// Judges every value that is not null.
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts);

    /// What it asks, in words: `at least 3`.
    fn expected(&self) -> &str;
}

/// The rule of a keyword.
pub(super) fn find(keyword: &str, at: Position) -> Result<&'static Component<Build>, Problem> {
    registry::find(RULES, "rule", keyword, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_is_described_and_builds() {
        let list = DataType::new_list(DataType::Int64, true);
        let types = [DataType::Int64, DataType::Float64, DataType::Utf8, list];
        let mut names = BTreeSet::new();
        for rule in RULES {
            assert!(names.insert(rule.name), "{} stands twice", rule.name);
            let first = rule.summary.chars().next().unwrap();
            assert!(first.is_uppercase() && rule.summary.ends_with('.'), "{}", rule.summary);
            let example = Node::parse(rule.example).unwrap();
            let built = types.iter().any(|data_type| (rule.build)(&example, data_type).is_some());
            assert!(built, "the example of {} builds", rule.name);
        }
    }
}
