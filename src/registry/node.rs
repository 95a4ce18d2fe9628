//! A YAML 1.2 (and so JSON) document whose every value knows its place.
//!
//! Scalars are resolved by the core schema: `null ~`, `true false`, integers, floats; everything
//! else, and whatever is quoted, is a string. Duplicate keys and anchors are refused.

use super::{Position, Problem};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use std::fmt::Write;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it begins.
    pub at: Position,
}

/// A YAML value. Maps keep the order of the file and where each key stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float, or an integer beyond 64 bits.
    Float(f64),
    /// Text.
    String(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping: key, place of the key, value.
    Map(Vec<(String, Position, Node)>),
}

impl Node {
    /// Reads one document.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let mut reader = Reader { parser: Parser::new_from_str(text) };
        loop {
            let (event, at) = reader.next()?;
            match event {
                Event::StreamEnd => return Err(Problem::nowhere("the file is empty")),
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                event => {
                    let node = reader.node(event, at)?;
                    reader.finish()?;
                    return Ok(node);
                }
            }
        }
    }

    /// The value under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.0 == key).map(|e| &e.2),
            _ => None,
        }
    }

    /// Where the value under `key` stands, or where this node does if there is none.
    pub fn at(&self, key: &str) -> Position {
        self.get(key).map_or(self.at, |n| n.at)
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The entries, if this is a map: key, place of the key, value.
    pub fn as_map(&self) -> Option<&[(String, Position, Self)]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// What kind of value this is, in words for a message.
    pub fn kind(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(b) => format!("boolean `{b}`"),
            Value::Int(i) => format!("integer `{i}`"),
            Value::Float(x) => format!("number `{x}`"),
            Value::String(s) => format!("string `{s}`"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    /// The node as canonical JSON text: map keys sorted, no white space. Equal text, equal meaning.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        write_canonical(self, &mut text);
        text
    }
}

fn write_canonical(node: &Node, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => write!(out, "{b}").expect("writing to a string"),
        Value::Int(i) => write!(out, "{i}").expect("writing to a string"),
        Value::Float(x) => write!(out, "{x:?}").expect("writing to a string"),
        Value::String(s) => write!(out, "{s:?}").expect("writing to a string"),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            out.push('{');
            for (i, (key, _, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write!(out, "{key:?}:").expect("writing to a string");
                write_canonical(value, out);
            }
            out.push('}');
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Position), Problem> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, position(span.start))),
            Some(Err(error)) => {
                Err(Problem::new(position(*error.marker()), format!("not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Position::default())),
        }
    }

    /// Only the end may follow the document.
    fn finish(&mut self) -> Result<(), Problem> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (_, at) => {
                    return Err(Problem::new(at, "a second document").expected("one per file"));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'t>, at: Position) -> Result<Node, Problem> {
        let value = match event {
            Event::Scalar(text, style, anchor, _) => {
                refuse_anchor(anchor, at)?;
                if style == ScalarStyle::Plain {
                    resolve(&text)
                } else {
                    Value::String(text.into())
                }
            }
            Event::SequenceStart(anchor, _) => {
                refuse_anchor(anchor, at)?;
                self.list()?
            }
            Event::MappingStart(anchor, _) => {
                refuse_anchor(anchor, at)?;
                self.map()?
            }
            Event::Alias(_) => return Err(anchors_refused(at)),
            _ => return Err(Problem::new(at, "unexpected end of the document")),
        };
        Ok(Node { value, at })
    }

    fn list(&mut self) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, at) => items.push(self.node(event, at)?),
            }
        }
    }

    fn map(&mut self) -> Result<Value, Problem> {
        let mut entries: Vec<(String, Position, Node)> = Vec::new();
        loop {
            let (event, at) = self.next()?;
            let key = match event {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(text, ..) => text.into_owned(),
                Event::Alias(_) => return Err(anchors_refused(at)),
                _ => return Err(Problem::new(at, "a key that is not text").expected("a name")),
            };
            if let Some((_, first, _)) = entries.iter().find(|e| e.0 == key) {
                let what = format!("key `{key}` stands twice, first in line {}", first.line);
                return Err(Problem::new(at, what));
            }
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at)?;
            entries.push((key, at, value));
        }
    }
}

fn refuse_anchor(anchor: usize, at: Position) -> Result<(), Problem> {
    if anchor == 0 { Ok(()) } else { Err(anchors_refused(at)) }
}

fn anchors_refused(at: Position) -> Problem {
    Problem::new(at, "anchors and aliases are not supported").expected("the value itself")
}

/// The YAML 1.2 core schema for plain scalars.
fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".inf" | "+.inf" => return Value::Float(f64::INFINITY),
        "-.inf" => return Value::Float(f64::NEG_INFINITY),
        ".nan" => return Value::Float(f64::NAN),
        _ => {}
    }
    if let Ok(integer) = text.parse() {
        return Value::Int(integer);
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    match text.parse::<f64>() {
        Ok(number) if numeric => Value::Float(number),
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_lines_and_kinds() {
        let node = Node::parse("a: 1\nb:\n  - x\n  - 2.5\n  - '3'\n").unwrap();
        assert_eq!(node.get("a").unwrap().value, Value::Int(1));
        let items = node.get("b").unwrap().as_list().unwrap();
        assert_eq!(
            items[1],
            Node { value: Value::Float(2.5), at: Position { line: 4, column: 5 } }
        );
        assert_eq!(items[2].as_str(), Some("3"));
    }

    #[test]
    fn refuses_duplicates_anchors_and_second_documents() {
        let text = |t| Node::parse(t).unwrap_err().to_string();
        assert_eq!(text("a: 1\na: 2"), "2:1: key `a` stands twice, first in line 1");
        assert!(text("a: &x 1\nb: *x").contains("anchors"));
        assert!(text("a: 1\n---\nb: 2").contains("second document"));
        assert!(text("").contains("empty"));
    }

    #[test]
    fn canonical_text_ignores_order_and_layout() {
        let a = Node::parse("{b: [1, x], a: true}").unwrap();
        let b = Node::parse("a: true\nb:\n- 1\n- x\n").unwrap();
        assert_eq!(a.canonical(), b.canonical());
    }
}
