//! `minLength` and `maxLength`, in code points.

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

pub(super) const MIN_LENGTH: Component<Build> = Component {
    name: "minLength",
    summary: "A text has at least so many characters.",
    example: "1",
    details: "Characters are Unicode code points, as JSON Schema counts them. Of a null nothing \
              is asked.",
    state: "none",
    schema: schema_of::<u64>,
    build: |value, data_type| build(value, data_type, |limit| limit..=usize::MAX, "at least"),
};

pub(super) const MAX_LENGTH: Component<Build> = Component {
    name: "maxLength",
    summary: "A text has at most so many characters.",
    example: "64",
    details: "Characters are Unicode code points, as JSON Schema counts them. Of a null nothing \
              is asked.",
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
    let expected = format!("{words} {limit} characters");
    (data_type == &DataType::Utf8)
        .then(|| Box::new(Length { within: within(limit), expected }) as Box<dyn Rule>)
}

#[derive(Debug)]
struct Length {
    within: RangeInclusive<usize>,
    expected: String,
}

impl Rule for Length {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        let texts = values.as_string::<i32>();
        verdicts
            .each(values, |i| Verdict::pass_if(self.within.contains(&characters(texts.value(i)))));
    }

    fn expected(&self) -> &str {
        &self.expected
    }
}

/// Code points: the bytes that do not continue one.
fn characters(text: &str) -> usize {
    text.bytes().filter(|b| b & 0xc0 != 0x80).count()
}
