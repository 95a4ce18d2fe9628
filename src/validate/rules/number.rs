//! Numbers of a schema, and which floats still say what was written.

use crate::registry::{Node, Value};

/// 2^53: from here on different integers are the same float.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number of a schema that is exactly known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Exact {
    /// An integer, also one written `2.0`.
    Integer(i64),
    /// A number with a fraction.
    Fraction(f64),
}

impl Exact {
    /// Reads a number; none for one beyond 64 bits, and for what is no number.
    pub(super) fn read(node: &Node) -> Option<Self> {
        match node.value {
            Value::Int(value) => Some(Self::Integer(value)),
            Value::Float(value) if value.abs() < EXACT => {
                #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
                let whole = (value.fract() == 0.0).then_some(value as i64);
                Some(whole.map_or(Self::Fraction(value), Self::Integer))
            }
            _ => None,
        }
    }

    /// The number as a float, which a fraction is already and a larger integer rounds to.
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Fraction(value) => value,
        }
    }

    /// The greatest integer not above.
    pub(super) fn floor(self) -> i64 {
        match self {
            Self::Integer(value) => value,
            #[expect(clippy::cast_possible_truncation, reason = "below 2^53")]
            Self::Fraction(value) => value.floor() as i64,
        }
    }

    /// The least integer not below.
    pub(super) fn ceil(self) -> i64 {
        match self {
            Self::Integer(value) => value,
            #[expect(clippy::cast_possible_truncation, reason = "below 2^53")]
            Self::Fraction(value) => value.ceil() as i64,
        }
    }
}

/// A count such as `minLength`.
pub(super) fn count(node: &Node) -> Option<usize> {
    match Exact::read(node)? {
        Exact::Integer(value) => usize::try_from(value).ok(),
        Exact::Fraction(_) => None,
    }
}

/// The number as a message says it.
pub(super) fn text(node: &Node) -> String {
    match node.value {
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        _ => node.kind(),
    }
}
