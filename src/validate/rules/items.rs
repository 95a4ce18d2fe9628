//! `minItems` and `maxItems`.

use super::{
    Build, Rule,
    number::count,
    verdicts::{Verdict, Verdicts},
};
use crate::registry::{Component, Node, schema_of};
use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::DataType,
};
use std::ops::RangeInclusive;

pub(super) const MIN_ITEMS: Component<Build> = Component {
    name: "minItems",
    summary: "A list has at least so many items.",
    example: "1",
    details: "Of a null nothing is asked. Nulls in a list count as items.",
    state: "none",
    schema: schema_of::<u64>,
    build: |value, data_type| build(value, data_type, |limit| limit..=usize::MAX, "at least"),
};

pub(super) const MAX_ITEMS: Component<Build> = Component {
    name: "maxItems",
    summary: "A list has at most so many items.",
    example: "16",
    details: "Of a null nothing is asked. Nulls in a list count as items.",
    state: "none",
    schema: schema_of::<u64>,
    build: |value, data_type| build(value, data_type, |limit| 0..=limit, "at most"),
};

fn build(
    value: &Node,
    data_type: &DataType,
    within: fn(usize) -> RangeInclusive<usize>,
    words: &str,
) -> Option<Box<dyn Rule>> {
    let limit = count(value)?;
    let expected = format!("{words} {limit} items");
    matches!(data_type, DataType::List(_))
        .then(|| Box::new(Items { within: within(limit), expected }) as Box<dyn Rule>)
}

#[derive(Debug)]
struct Items {
    within: RangeInclusive<usize>,
    expected: String,
}

impl Rule for Items {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        let offsets = values.as_list::<i32>().offsets();
        verdicts.each(values, |i| {
            let items = usize::try_from(offsets[i + 1] - offsets[i]).expect("offsets only grow");
            Verdict::pass_if(self.within.contains(&items))
        });
    }

    fn expected(&self) -> &str {
        &self.expected
    }
}
