//! `minimum`, `maximum` and their exclusive forms.

use super::{
    Build, Rule,
    number::{EXACT, Exact, text},
    verdicts::{Verdict, Verdicts},
};
use crate::registry::{Component, Node, schema_of};
use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::{DataType, Float64Type, Int64Type},
};
use std::ops::RangeInclusive;

pub(super) const MINIMUM: Component<Build> = Component {
    name: "minimum",
    summary: "A number is not below a limit.",
    example: "0",
    details: "`x >= limit`. Of a null nothing is asked.",
    state: "none",
    schema: schema_of::<f64>,
    build: |value, data_type| build(Bound::Minimum, value, data_type),
};

pub(super) const MAXIMUM: Component<Build> = Component {
    name: "maximum",
    summary: "A number is not above a limit.",
    example: "100",
    details: "`x <= limit`. Of a null nothing is asked.",
    state: "none",
    schema: schema_of::<f64>,
    build: |value, data_type| build(Bound::Maximum, value, data_type),
};

pub(super) const EXCLUSIVE_MINIMUM: Component<Build> = Component {
    name: "exclusiveMinimum",
    summary: "A number is above a limit.",
    example: "0",
    details: "`x > limit`. Of a null nothing is asked.",
    state: "none",
    schema: schema_of::<f64>,
    build: |value, data_type| build(Bound::ExclusiveMinimum, value, data_type),
};

pub(super) const EXCLUSIVE_MAXIMUM: Component<Build> = Component {
    name: "exclusiveMaximum",
    summary: "A number is below a limit.",
    example: "90.5",
    details: "`x < limit`. Of a null nothing is asked.",
    state: "none",
    schema: schema_of::<f64>,
    build: |value, data_type| build(Bound::ExclusiveMaximum, value, data_type),
};

#[derive(Debug, Clone, Copy)]
enum Bound {
    Minimum,
    Maximum,
    ExclusiveMinimum,
    ExclusiveMaximum,
}

impl Bound {
    fn words(self) -> &'static str {
        match self {
            Self::Minimum => "at least",
            Self::Maximum => "at most",
            Self::ExclusiveMinimum => "more than",
            Self::ExclusiveMaximum => "less than",
        }
    }

    /// The integers within; none where that would need more than 64 bits.
    fn integers(self, limit: Exact) -> Option<RangeInclusive<i64>> {
        Some(match self {
            Self::Minimum => limit.ceil()..=i64::MAX,
            Self::Maximum => i64::MIN..=limit.floor(),
            Self::ExclusiveMinimum => limit.floor().checked_add(1)?..=i64::MAX,
            Self::ExclusiveMaximum => i64::MIN..=limit.ceil().checked_sub(1)?,
        })
    }
}

fn build(bound: Bound, value: &Node, data_type: &DataType) -> Option<Box<dyn Rule>> {
    let limit = Exact::read(value)?;
    let expected = format!("{} {}", bound.words(), text(value));
    match data_type {
        DataType::Int64 => {
            let within = bound.integers(limit)?;
            Some(Box::new(Integers { within, expected }))
        }
        DataType::Float64 => Some(Box::new(Floats { bound, limit: limit.float(), expected })),
        _ => None,
    }
}

#[derive(Debug)]
struct Integers {
    within: RangeInclusive<i64>,
    expected: String,
}

impl Rule for Integers {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        let numbers = values.as_primitive::<Int64Type>().values();
        verdicts.each(values, |i| Verdict::pass_if(self.within.contains(&numbers[i])));
    }

    fn expected(&self) -> &str {
        &self.expected
    }
}

#[derive(Debug)]
struct Floats {
    bound: Bound,
    limit: f64,
    expected: String,
}

impl Floats {
    /// A limit beyond 2^53 may be rounded, but never down below it, and only values below meet it.
    #[inline]
    fn judge_all(values: &ArrayRef, verdicts: &mut Verdicts, within: impl Fn(f64) -> bool) {
        let numbers = values.as_primitive::<Float64Type>().values();
        verdicts.each(values, |i| {
            let number = numbers[i];
            if number.abs() < EXACT { Verdict::pass_if(within(number)) } else { Verdict::Doubt }
        });
    }
}

impl Rule for Floats {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        let limit = self.limit;
        match self.bound {
            Bound::Minimum => Self::judge_all(values, verdicts, |x| limit <= x),
            Bound::Maximum => Self::judge_all(values, verdicts, |x| x <= limit),
            Bound::ExclusiveMinimum => Self::judge_all(values, verdicts, |x| limit < x),
            Bound::ExclusiveMaximum => Self::judge_all(values, verdicts, |x| x < limit),
        }
    }

    fn expected(&self) -> &str {
        &self.expected
    }
}
