//! Documents that fit a schema, nearly fit, or are broken.

use super::{Generator, NUMBERS, TEXTS};
use rand::{Rng, seq::IndexedRandom};
use serde_json::Value;
use std::fmt::Write;

const TIMES: [&str; 9] = [
    "2024-02-29T23:59:59Z",
    "2024-02-29t23:59:59.123456789z",
    "1969-12-31T23:59:59.5+05:30",
    "2023-02-29T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01 00:00:00Z",
    "2024-01-01T00:00:00",
    "2024-06-30T12:00:60Z",
    "0001-01-01T00:00:00-23:59",
];
const DATES: [&str; 5] = ["2024-02-29", "2023-02-29", "1970-01-01", "2024-1-01", "0001-01-01"];

impl Generator {
    /// A document for the schema: usually near it, sometimes broken.
    pub(crate) fn document(&mut self, schema: &Value) -> Vec<u8> {
        let mut text = String::new();
        if self.chance(3) {
            self.any(&mut text, 0);
        } else {
            self.write_object(schema, schema, &mut text);
        }
        let text = text.into_bytes();
        if self.chance(10) { self.mutate(text) } else { text }
    }

    /// The document with a few bytes changed.
    pub(crate) fn mutate(&mut self, mut document: Vec<u8>) -> Vec<u8> {
        const BYTES: &[u8] = b"{}[]\",:\\u0e+-.19 \n\ttfnD8\0\xff\xc3\xa9\x1f";
        for _ in 0..self.0.random_range(1..4) {
            let at = self.0.random_range(0..=document.len());
            let byte = *BYTES.choose(&mut self.0).unwrap();
            match self.0.random_range(0..4) {
                0 => document.insert(at, byte),
                1 if at < document.len() => document[at] = byte,
                2 => document.truncate(at),
                _ if at < document.len() => drop(document.remove(at)),
                _ => document.push(byte),
            }
        }
        document
    }

    fn write_object(&mut self, root: &Value, schema: &Value, out: &mut String) {
        let mut entries: Vec<(String, Option<&Value>)> = Vec::new();
        for (key, field) in schema["properties"].as_object().unwrap() {
            if self.chance(90) {
                entries.push((key.clone(), Some(field)));
            }
        }
        if self.chance(15) {
            entries.push((self.pick(&["other", "b", "z"]).to_owned(), None));
        }
        if self.chance(3) && !entries.is_empty() {
            let again = entries[self.0.random_range(0..entries.len())].clone();
            entries.push(again);
        }
        if self.chance(20) {
            entries.reverse();
        }
        out.push('{');
        for (i, (key, field)) in entries.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            self.space(out);
            self.string(key, out);
            self.space(out);
            out.push(':');
            self.space(out);
            match field {
                Some(field) if self.chance(96) => self.value(root, field, out),
                _ => self.any(out, 0),
            }
            self.space(out);
        }
        out.push('}');
    }

    fn value(&mut self, root: &Value, schema: &Value, out: &mut String) {
        if schema.get("$ref").is_some() {
            return self.value(root, &root["$defs"]["named"], out);
        }
        if let Some(union) = schema.get("anyOf").or(schema.get("oneOf")) {
            let branch = usize::from(self.chance(20));
            return self.value(root, &union[branch], out);
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array)
            && self.chance(60)
        {
            out.push_str(&values.choose(&mut self.0).unwrap().to_string());
            return;
        }
        if let Some(value) = schema.get("const")
            && self.chance(60)
        {
            out.push_str(&value.to_string());
            return;
        }
        let kinds = match &schema["type"] {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return self.any(out, 0),
        };
        match (self.pick(&kinds), schema["format"].as_str()) {
            ("null", _) => out.push_str("null"),
            ("boolean", _) => out.push_str(self.pick(&["true", "false"])),
            ("integer" | "number", _) => self.write_number(out),
            ("string", Some("date-time")) => self.one_string(&TIMES, out),
            ("string", Some("date")) => self.one_string(&DATES, out),
            ("string", _) => self.one_string(&TEXTS, out),
            ("object", _) if schema.get("properties").is_some() => {
                self.write_object(root, schema, out);
            }
            ("array", _) if schema.get("items").is_some() => {
                out.push('[');
                for i in 0..self.0.random_range(0..4) {
                    if i > 0 {
                        out.push(',');
                    }
                    self.value(root, &schema["items"], out);
                }
                out.push(']');
            }
            _ => self.any(out, 0),
        }
    }

    fn write_number(&mut self, out: &mut String) {
        match self.0.random_range(0..6) {
            0 => out.push_str(&self.0.random_range(-5..12).to_string()),
            1 => out.push_str(&self.0.random_range(-999_999..999_999_i32).to_string()),
            2 => write!(out, "{:.2}", self.0.random_range(-10.0..100.0_f64)).unwrap(),
            3 => {
                let float = f64::from_bits(self.0.random());
                let number = if float.is_finite() { float } else { 0.5 };
                write!(out, "{number:e}").unwrap();
            }
            _ => out.push_str(self.pick(&NUMBERS)),
        }
    }

    fn one_string(&mut self, choices: &[&str], out: &mut String) {
        let text = self.pick(choices);
        self.string(text, out);
    }

    /// A string, now and then with escapes that nobody needs.
    fn string(&mut self, text: &str, out: &mut String) {
        if !self.chance(10) {
            out.push_str(&Value::from(text).to_string());
            return;
        }
        out.push('"');
        for unit in text.encode_utf16() {
            write!(out, "\\u{unit:04x}").unwrap();
        }
        out.push('"');
    }

    fn any(&mut self, out: &mut String, depth: usize) {
        match self.0.random_range(0..8) {
            0 => out.push_str("null"),
            1 => out.push_str("true"),
            2 | 3 => self.write_number(out),
            4 => out.push_str(self.pick(&["1e999", "01", "NaN", "+1", "\"\\ud800\"", "1.", "-"])),
            5 if depth < 3 => {
                out.push('[');
                self.any(out, depth + 1);
                out.push(']');
            }
            6 if depth < 3 => {
                out.push_str("{\"k\":");
                self.any(out, depth + 1);
                out.push_str(self.pick(&["}", ",\"k\":1}", ",\"\\u006b\":1}", ",\"l\":1}"]));
            }
            _ => self.one_string(&TEXTS, out),
        }
    }

    fn space(&mut self, out: &mut String) {
        if self.chance(10) {
            out.push_str(self.pick(&[" ", "\n", "\t\r", "  "]));
        }
    }
}
