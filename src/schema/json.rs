//! JSON as the YAML it nearly is, so that every value knows its place.

use crate::registry::{Node, Problem};
use std::fmt::Write;

/// Reads a JSON document. Only a surrogate pair is written otherwise in YAML.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    if !text.contains("\\u") {
        return Node::parse(text).map_err(not_json);
    }
    let mut yaml = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.find('\\').map(|at| rest.split_at(at)) {
        yaml.push_str(before);
        let length = if let Some(code) = surrogate_pair(escape) {
            write!(yaml, "\\U{code:08x}").expect("writing to a string");
            12
        } else {
            // A backslash and what it escapes, so that the second of two is passed over.
            yaml.extend(escape.chars().take(2));
            escape.chars().take(2).map(char::len_utf8).sum()
        };
        rest = escape.split_at(length).1;
    }
    yaml.push_str(rest);
    Node::parse(&yaml).map_err(not_json)
}

/// Who writes JSON is not told about YAML.
fn not_json(mut problem: Problem) -> Problem {
    if let Some(why) = problem.what.strip_prefix("not YAML: ") {
        problem.what = format!("not JSON: {why}");
    }
    problem
}

/// The code point of the surrogate pair that `escape` begins with.
fn surrogate_pair(escape: &str) -> Option<u32> {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let (high, low) = (unit(0)?, unit(6)?);
    let paired = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
    paired.then(|| 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_json() {
        let text = r#"["\ud83d\ude00", "a\\ud83d\/\u00e9\n", "é\\"]"#;
        let node = parse(text).unwrap();
        let texts: Vec<_> = node.as_list().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        assert_eq!(texts, ["\u{1f600}", "a\\ud83d/é\n", "é\\"]);
    }
}
