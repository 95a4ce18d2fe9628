//! The vocabulary of JSON Schema: which keyword speaks about which types, and who judges it.

use super::Types;
use crate::registry::{Node, Problem, Value};

/// Who judges a keyword where it has a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judge {
    /// The reader of the schema: it becomes a kind, a field or a flag.
    Shape,
    /// A rule on the column, where the kind is a scalar or a list.
    Rule,
    /// Only the complete validator.
    Complete,
}

/// A keyword that asserts something about values of `types`.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) types: Types,
    pub(super) judge: Judge,
}

impl Keyword {
    /// Says early what a rule or the complete validator would stumble over.
    pub(super) fn check(&self, value: &Node) -> Result<(), Problem> {
        let (fits, expected) = match self.name {
            "enum" => (value.as_list().is_some(), "a list of values"),
            "const" => (true, "a value"),
            "pattern" => (value.as_str().is_some(), "a regular expression"),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                (matches!(value.value, Value::Int(_) | Value::Float(_)), "a number")
            }
            "multipleOf" => (
                matches!(value.value, Value::Int(i) if i > 0)
                    || matches!(value.value, Value::Float(x) if x > 0.0),
                "a number above 0",
            ),
            _ => (
                matches!(value.value, Value::Int(i) if i >= 0)
                    || matches!(value.value, Value::Float(x) if x >= 0.0 && x.fract() == 0.0),
                "a count",
            ),
        };
        if fits {
            return Ok(());
        }
        let what = format!("`{}` is {}", self.name, value.kind());
        Err(Problem::new(value.at, what).expected(expected))
    }
}

/// The keyword of that name; none for annotations and unknown words.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|k| k.name == name)
}

const fn keyword(name: &'static str, types: Types, judge: Judge) -> Keyword {
    Keyword { name, types, judge }
}

/// All keywords of draft-07 and draft 2020-12 that can make a value invalid. One that a draft does
/// not know goes to the complete validator all the same, which knows that it means nothing.
const KEYWORDS: &[Keyword] = &[
    keyword("type", Types::ANY, Judge::Shape),
    keyword("properties", Types::OBJECT, Judge::Shape),
    keyword("required", Types::OBJECT, Judge::Shape),
    keyword("additionalProperties", Types::OBJECT, Judge::Shape),
    keyword("items", Types::ARRAY, Judge::Shape),
    keyword("format", Types::STRING, Judge::Shape),
    keyword("enum", Types::ANY, Judge::Rule),
    keyword("const", Types::ANY, Judge::Rule),
    keyword("minimum", Types::NUMBER, Judge::Rule),
    keyword("maximum", Types::NUMBER, Judge::Rule),
    keyword("exclusiveMinimum", Types::NUMBER, Judge::Rule),
    keyword("exclusiveMaximum", Types::NUMBER, Judge::Rule),
    keyword("multipleOf", Types::NUMBER, Judge::Rule),
    keyword("minLength", Types::STRING, Judge::Rule),
    keyword("maxLength", Types::STRING, Judge::Rule),
    keyword("pattern", Types::STRING, Judge::Rule),
    keyword("minItems", Types::ARRAY, Judge::Rule),
    keyword("maxItems", Types::ARRAY, Judge::Rule),
    keyword("uniqueItems", Types::ARRAY, Judge::Complete),
    keyword("prefixItems", Types::ARRAY, Judge::Complete),
    keyword("additionalItems", Types::ARRAY, Judge::Complete),
    keyword("unevaluatedItems", Types::ARRAY, Judge::Complete),
    keyword("contains", Types::ARRAY, Judge::Complete),
    keyword("minContains", Types::ARRAY, Judge::Complete),
    keyword("maxContains", Types::ARRAY, Judge::Complete),
    keyword("contentEncoding", Types::STRING, Judge::Complete),
    keyword("contentMediaType", Types::STRING, Judge::Complete),
    keyword("contentSchema", Types::STRING, Judge::Complete),
    keyword("patternProperties", Types::OBJECT, Judge::Complete),
    keyword("propertyNames", Types::OBJECT, Judge::Complete),
    keyword("minProperties", Types::OBJECT, Judge::Complete),
    keyword("maxProperties", Types::OBJECT, Judge::Complete),
    keyword("dependencies", Types::OBJECT, Judge::Complete),
    keyword("dependentRequired", Types::OBJECT, Judge::Complete),
    keyword("dependentSchemas", Types::OBJECT, Judge::Complete),
    keyword("unevaluatedProperties", Types::OBJECT, Judge::Complete),
    keyword("allOf", Types::ANY, Judge::Complete),
    keyword("anyOf", Types::ANY, Judge::Complete),
    keyword("oneOf", Types::ANY, Judge::Complete),
    keyword("not", Types::ANY, Judge::Complete),
    keyword("if", Types::ANY, Judge::Complete),
    keyword("$ref", Types::ANY, Judge::Complete),
    keyword("$dynamicRef", Types::ANY, Judge::Complete),
    keyword("$recursiveRef", Types::ANY, Judge::Complete),
];
