//! `enum` and `const`.

use super::{
    Build, Rule,
    number::{EXACT, Exact},
    verdicts::{Verdict, Verdicts},
};
use crate::registry::{Component, Node, Value, schema_of};
use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::{DataType, Float64Type, Int64Type},
};

pub(super) const ENUM: Component<Build> = Component {
    name: "enum",
    summary: "A value is one of a list.",
    example: "[web, app, branch]",
    details: "Numbers are compared by value: 1 is 1.0. Null passes where it is listed or the type \
              allows it.",
    state: "none",
    schema: schema_of::<Vec<String>>,
    build: |value, data_type| {
        build(value.as_list().unwrap_or_default(), data_type, "one of the declared values")
    },
};

pub(super) const CONST: Component<Build> = Component {
    name: "const",
    summary: "A value is a given one.",
    example: "EUR",
    details: "Numbers are compared by value: 1 is 1.0. Of a null nothing is asked.",
    state: "none",
    schema: schema_of::<String>,
    build: |value, data_type| {
        build(std::slice::from_ref(value), data_type, "the declared constant")
    },
};

/// The rule for a column of that type. A listed value of another type can never be met.
fn build(values: &[Node], data_type: &DataType, expected: &'static str) -> Option<Box<dyn Rule>> {
    if data_type == &DataType::Utf8 {
        let mut allowed: Vec<String> =
            values.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
        allowed.sort_unstable();
        return Some(Box::new(Texts { allowed, expected }));
    }
    let is_number = |v: &&Node| matches!(v.value, Value::Int(_) | Value::Float(_));
    // A number beyond 64 bits is not exactly known here, so all of them are left to who knows.
    let numbers: Vec<Exact> =
        values.iter().filter(is_number).map(Exact::read).collect::<Option<_>>()?;
    match data_type {
        DataType::Int64 => {
            let whole = |n: &Exact| match n {
                Exact::Integer(value) => Some(*value),
                Exact::Fraction(_) => None,
            };
            let allowed = numbers.iter().filter_map(whole).collect();
            Some(Box::new(Integers { allowed, expected }))
        }
        DataType::Float64 => {
            // Listed numbers from 2^53 on only meet values that are in doubt anyway.
            let allowed = numbers.iter().map(|n| n.float()).collect();
            Some(Box::new(Floats { allowed, expected }))
        }
        _ => None,
    }
}

#[derive(Debug)]
struct Texts {
    /// Sorted.
    allowed: Vec<String>,
    expected: &'static str,
}

impl Rule for Texts {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        let texts = values.as_string::<i32>();
        verdicts.each(values, |i| {
            let text = texts.value(i);
            let found = self.allowed.binary_search_by(|a| a.as_str().cmp(text));
            Verdict::pass_if(found.is_ok())
        });
    }

    fn expected(&self) -> &str {
        self.expected
    }
}

#[derive(Debug)]
struct Integers {
    allowed: Vec<i64>,
    expected: &'static str,
}

impl Rule for Integers {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        let numbers = values.as_primitive::<Int64Type>().values();
        verdicts.each(values, |i| Verdict::pass_if(self.allowed.contains(&numbers[i])));
    }

    fn expected(&self) -> &str {
        self.expected
    }
}

#[derive(Debug)]
struct Floats {
    allowed: Vec<f64>,
    expected: &'static str,
}

impl Rule for Floats {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        let numbers = values.as_primitive::<Float64Type>().values();
        verdicts.each(values, |i| {
            if numbers[i].abs() < EXACT {
                Verdict::pass_if(self.allowed.contains(&numbers[i]))
            } else {
                Verdict::Doubt
            }
        });
    }

    fn expected(&self) -> &str {
        self.expected
    }
}
