//! Sets of JSON types.

use crate::registry::{Node, Problem, Value};
use std::ops::BitOr;

/// A set of JSON Schema types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Types(u8);

impl Types {
    /// `null`.
    pub const NULL: Self = Self(1);
    /// `boolean`.
    pub const BOOLEAN: Self = Self(1 << 1);
    /// `integer`: a number without a fraction, `1.0` included.
    pub const INTEGER: Self = Self(1 << 2);
    /// `number`; contains `integer`.
    pub const NUMBER: Self = Self(1 << 3 | 1 << 2);
    /// `string`.
    pub const STRING: Self = Self(1 << 4);
    /// `array`.
    pub const ARRAY: Self = Self(1 << 5);
    /// `object`.
    pub const OBJECT: Self = Self(1 << 6);
    /// All types.
    pub const ANY: Self = Self((1 << 7) - 1);
    /// None.
    pub const NONE: Self = Self(0);

    /// The type names of JSON Schema.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("null", Self::NULL),
        ("boolean", Self::BOOLEAN),
        ("number", Self::NUMBER),
        ("integer", Self::INTEGER),
        ("string", Self::STRING),
        ("array", Self::ARRAY),
        ("object", Self::OBJECT),
    ];

    /// The type of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| *n == name).map(|(_, t)| *t)
    }

    /// True if all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True if any of `other` is in this set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// This set without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The set in words: `string or null`.
    pub fn describe(self) -> String {
        let mut rest = self;
        let mut names = Vec::new();
        for (name, types) in Self::NAMES {
            // `number` stands before `integer` and takes it away.
            if rest.contains(types) {
                names.push(name);
                rest = rest.without(types);
            }
        }
        // Null comes first in the table and reads best last.
        if names.first() == Some(&"null") {
            names.rotate_left(1);
        }
        if names.is_empty() { "nothing".to_owned() } else { names.join(" or ") }
    }
}

impl BitOr for Types {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The types that `type` names.
pub(super) fn declared(node: &Node) -> Result<Option<Types>, Problem> {
    let Some(node) = node.get("type") else { return Ok(None) };
    let one = |node: &Node| {
        let name = node.as_str().unwrap_or_default();
        Types::named(name).ok_or_else(|| {
            Problem::new(node.at, format!("`type` is {}", node.kind()))
                .expected_one_of(name, Types::NAMES.map(|(name, _)| name))
        })
    };
    match node.as_list() {
        Some(items) => {
            let mut types = Types::NONE;
            for item in items {
                types = types | one(item)?;
            }
            Ok(Some(types))
        }
        None => one(node).map(Some),
    }
}

/// The types of the values that `enum` or `const` names: no other type can pass.
pub(super) fn literal(node: &Node) -> Option<Types> {
    let values = match (node.get("const"), node.get("enum").and_then(Node::as_list)) {
        (Some(value), _) => std::slice::from_ref(value),
        (None, Some(values)) => values,
        (None, None) => return None,
    };
    Some(values.iter().fold(Types::NONE, |types, value| types | type_of(value)))
}

/// True if an `enum` lists null, or a `const` is null.
pub(super) fn names_null(value: &Node) -> bool {
    match value.as_list() {
        Some(values) => values.iter().any(|v| v.value == Value::Null),
        None => value.value == Value::Null,
    }
}

fn type_of(value: &Node) -> Types {
    match &value.value {
        Value::Null => Types::NULL,
        Value::Bool(_) => Types::BOOLEAN,
        Value::Int(_) => Types::INTEGER,
        Value::Float(_) => Types::NUMBER,
        Value::String(_) => Types::STRING,
        Value::List(_) => Types::ARRAY,
        Value::Map(_) => Types::OBJECT,
    }
}
