//! Values as JSON text and back, for records written in YAML and vectors read from JSON.

use crate::registry::{Node, Value};
use std::fmt::Write;

/// The value as JSON text. NaN and infinity, which JSON lacks, come out as bare words.
pub(super) fn text(node: &Node) -> String {
    let mut out = String::new();
    write(node, &mut out);
    out
}

fn write(node: &Node, out: &mut String) {
    let quote = |text: &str| serde_json::to_string(text).expect("text has a JSON form");
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => write!(out, "{b}").expect("writing to a string"),
        Value::Int(i) => write!(out, "{i}").expect("writing to a string"),
        Value::Float(x) => write!(out, "{x:?}").expect("writing to a string"),
        Value::String(s) => out.push_str(&quote(s)),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, (key, _, value)) in entries.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write!(out, "{}:", quote(key)).expect("writing to a string");
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// The members of an encoded vector, in its order.
pub(super) fn members(vector: &[u8]) -> Vec<(String, Node)> {
    let text = std::str::from_utf8(vector).expect("JSON is UTF-8");
    // JSON is YAML, so the one reader does.
    let node = Node::parse(text).expect("an encoded vector is JSON");
    match node.value {
        Value::Map(entries) => entries.into_iter().map(|(key, _, value)| (key, value)).collect(),
        _ => unreachable!("a vector is encoded as an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_values_become_json_text() {
        let node = Node::parse("{a: [1, 2.0, .nan], b: \"q\\\"\\n\", c: ~, d: {e: true}}").unwrap();
        assert_eq!(text(&node), r#"{"a":[1,2.0,NaN],"b":"q\"\n","c":null,"d":{"e":true}}"#);
    }

    #[test]
    fn vectors_are_read_in_order() {
        let members = members(br#"{"b":1e-7,"a":"\u00e9"}"#);
        assert_eq!(members[0].1.value, Value::Float(1e-7));
        assert_eq!(members[1].1.as_str(), Some("\u{e9}"));
    }
}
