//! Expected against actual, as a difference a person can read.

use super::{Actual, Expected, json};
use crate::{
    batch::Policy,
    registry::{Node, Value},
};
use similar::TextDiff;
use std::fmt::Write;

/// What differs, as a unified diff from expected (-) to actual (+); none if nothing does.
///
/// What was not asked about shows on neither side; a number within the tolerance shows as expected.
pub(super) fn difference(
    expected: &[Expected],
    actual: &[Actual],
    tolerance: f64,
) -> Option<String> {
    assert_eq!(expected.len(), actual.len(), "one outcome per record");
    let (mut left, mut right) = (String::new(), String::new());
    for (record, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        for text in [&mut left, &mut right] {
            writeln!(text, "record {record}:").expect("writing to a string");
        }
        write_expected(expected, &mut left);
        if let (Expected::Vector { fields, exact }, Actual::Vector(values)) = (expected, actual) {
            write_fields(&alike(fields, values, *exact, tolerance), &mut right);
        } else {
            write_actual(expected, actual, &mut right);
        }
    }
    if left == right {
        return None;
    }
    let diff = TextDiff::from_lines(&left, &right);
    Some(diff.unified_diff().context_radius(3).header("expected", "actual").to_string())
}

/// The asked fields as the vector has them, in the asked order; then, if asked for, the others.
fn alike(
    fields: &[(String, Node)],
    values: &[(String, Node)],
    exact: bool,
    tolerance: f64,
) -> Vec<(String, Node)> {
    let mut shown = Vec::new();
    for (name, expected) in fields {
        if let Some((_, actual)) = values.iter().find(|(other, _)| other == name) {
            let same = equal(expected, actual, tolerance);
            shown.push((name.clone(), if same { expected } else { actual }.clone()));
        }
    }
    if exact {
        let others = values.iter().filter(|(name, _)| !fields.iter().any(|field| field.0 == *name));
        shown.extend(others.cloned());
    }
    shown
}

fn equal(expected: &Node, actual: &Node, tolerance: f64) -> bool {
    let number = |node: &Node| match node.value {
        Value::Int(i) => Some(i as f64),
        Value::Float(x) => Some(x),
        _ => None,
    };
    match (&expected.value, &actual.value) {
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b, tolerance))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((a, _, x), (b, _, y))| a == b && equal(x, y, tolerance))
        }
        (a, b) => match (number(expected), number(actual)) {
            (Some(x), Some(y)) => (x - y).abs() <= tolerance * x.abs().max(y.abs()).max(1.0),
            _ => a == b,
        },
    }
}

fn write_fields(fields: &[(String, Node)], out: &mut String) {
    writeln!(out, "  vector").expect("writing to a string");
    for (name, value) in fields {
        writeln!(out, "    {name}: {}", json::text(value)).expect("writing to a string");
    }
}

fn write_expected(expected: &Expected, out: &mut String) {
    match expected {
        Expected::Vector { fields, .. } => write_fields(fields, out),
        Expected::Gone { policy, reason, message } => {
            let message = message.as_deref().unwrap_or_default();
            writeln!(out, "  {} {reason} {message}", word(*policy)).expect("writing to a string");
        }
    }
}

/// A message that holds the expected one shows as the expected one.
fn write_actual(expected: &Expected, actual: &Actual, out: &mut String) {
    match (expected, actual) {
        (_, Actual::Vector(values)) => write_fields(values, out),
        (
            Expected::Gone { policy, reason, message: expected_message },
            Actual::Gone { policy: actual_policy, reason: actual_reason, message },
        ) => {
            let asked = expected_message.as_deref().unwrap_or_default();
            let same = word(*policy) == word(*actual_policy) && reason == actual_reason;
            let shown = if same && message.contains(asked) { asked } else { message };
            writeln!(out, "  {} {actual_reason} {shown}", word(*actual_policy))
                .expect("writing to a string");
        }
        (_, Actual::Gone { policy, reason, message }) => {
            writeln!(out, "  {} {reason} {message}", word(*policy)).expect("writing to a string");
        }
    }
}

/// A forgotten key's tombstone counts as dropped.
fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::Reject => "rejected",
        Policy::Drop | Policy::Keep | Policy::Forget => "dropped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Reason;

    fn fields(text: &str) -> Vec<(String, Node)> {
        json::members(text.as_bytes())
    }

    fn vector(text: &str, exact: bool) -> Expected {
        Expected::Vector { fields: fields(text), exact }
    }

    #[test]
    fn only_what_was_asked_is_compared_unless_exact() {
        let actual = [Actual::Vector(fields(r#"{"a":1,"b":2.0000000001,"c":null}"#))];
        assert_eq!(difference(&[vector(r#"{"b":2}"#, false)], &actual, 1e-9), None);
        assert_eq!(difference(&[vector(r#"{"a":1,"b":2,"c":null}"#, true)], &actual, 1e-9), None);
        let diff = difference(&[vector(r#"{"a":2,"d":1}"#, false)], &actual, 1e-9).unwrap();
        for line in ["-    a: 2", "+    a: 1", "-    d: 1"] {
            assert!(diff.contains(line), "{diff}");
        }
        assert!(difference(&[vector(r#"{"a":1}"#, true)], &actual, 1e-9).is_some());
        assert!(difference(&[vector(r#"{"b":2}"#, false)], &actual, 1e-12).is_some());
    }

    #[test]
    fn outcomes_and_parts_of_messages_are_compared() {
        let gone = |reason, message: &str| {
            [Actual::Gone { policy: Policy::Reject, reason, message: message.to_owned() }]
        };
        let expect = |message: Option<&str>| {
            let message = message.map(str::to_owned);
            [Expected::Gone { policy: Policy::Reject, reason: Reason::Late, message }]
        };
        assert_eq!(difference(&expect(None), &gone(Reason::Late, "by 5s"), 0.0), None);
        assert_eq!(difference(&expect(Some("5s")), &gone(Reason::Late, "by 5s"), 0.0), None);
        assert!(difference(&expect(Some("6s")), &gone(Reason::Late, "by 5s"), 0.0).is_some());
        let diff = difference(&expect(None), &gone(Reason::Future, "by 5s"), 0.0).unwrap();
        assert!(diff.contains("+  rejected future by 5s"), "{diff}");
        let diff = difference(&[vector("{}", false)], &gone(Reason::Late, ""), 0.0).unwrap();
        assert!(diff.contains("-  vector") && diff.contains("+  rejected late"), "{diff}");
    }
}
