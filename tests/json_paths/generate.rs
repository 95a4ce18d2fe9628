//! Schemas of every supported kind, and documents that fit, nearly fit, or are broken.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use std::fmt::Write;

const KEYS: [&str; 8] = ["a", "b", "amount", "é", "k\"q", "x y", "tab\t", "long_name_of_a_field"];
const TEXTS: [&str; 12] =
    ["", "a", "ab", "abc", "EUR", "usd", "é", "😀é", "x\n\"y\\", "a1", "2024-01-01", "\u{7f}\u{1}"];
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
const PATTERNS: [&str; 8] =
    ["^[A-Z]{3}$", "a", "^\\w+$", "\\d", "^(a|b)*$", "^.{1,2}$", "\\bab", "^(?=a)"];
const NUMBERS: [&str; 40] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "4",
    "10",
    "-3",
    "2.0",
    "2.5",
    "1e0",
    "1E+1",
    "25e-1",
    "0.1",
    "0.2",
    "0.3",
    "0.30000000000000004",
    "-0",
    "-0.0",
    "12.34",
    "1.005",
    "0.01",
    "100",
    "1e2",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854778000",
    "18446744073709551615",
    "18446744073709551616",
    "1e19",
    "1e300",
    "1e-400",
    "5e-324",
    "123456789012345678901234567890",
    "0.1234567890123456789",
];
const LIMITS: [&str; 12] = [
    "0",
    "1",
    "2",
    "-1",
    "3.0",
    "2.5",
    "0.3",
    "-0.5",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "1e19",
];
const STEPS: [&str; 8] = ["1", "2", "0.1", "0.01", "2.5", "3.0", "1e-7", "9007199254740993"];

pub(crate) struct Generator(ChaCha8Rng);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.0.random_ratio(percent, 100)
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.choose(&mut self.0).unwrap()
    }

    fn number(&mut self, choices: &[&str]) -> Value {
        serde_json::from_str(self.pick(choices)).unwrap()
    }

    /// A record's schema.
    pub(crate) fn schema(&mut self) -> Value {
        // Half of the schemas stay within the rules.
        let beyond = self.chance(50);
        let mut schema = self.object(0, beyond);
        let draft = if self.chance(50) {
            "http://json-schema.org/draft-07/schema#"
        } else {
            "https://json-schema.org/draft/2020-12/schema"
        };
        schema["$schema"] = json!(draft);
        let named = self.scalar(beyond);
        schema["$defs"] = json!({ "named": named });
        schema
    }

    fn object(&mut self, depth: usize, beyond: bool) -> Value {
        let mut properties = Map::new();
        for _ in 0..self.0.random_range(1..5) {
            let field = self.field(depth, beyond);
            properties.insert(self.pick(&KEYS).to_owned(), field);
        }
        let required: Vec<String> =
            properties.keys().filter(|_| self.0.random_ratio(1, 3)).cloned().collect();
        let mut object = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            object["required"] = json!(required);
        }
        if self.chance(20) {
            object["additionalProperties"] = json!(false);
        }
        if beyond && self.chance(10) {
            object["minProperties"] = json!(2);
        }
        if beyond && self.chance(10) {
            object["patternProperties"] = json!({ "^o": { "type": "number" } });
        }
        if beyond && self.chance(10) {
            object["required"] = json!(["other"]);
        }
        object
    }

    fn field(&mut self, depth: usize, beyond: bool) -> Value {
        match self.0.random_range(0..12) {
            0 if depth < 2 => {
                let mut object = self.object(depth + 1, beyond);
                if self.chance(30) {
                    object["type"] = json!(["object", "null"]);
                }
                object
            }
            1 => self.list(beyond),
            2 => json!({ "$ref": "#/$defs/named" }),
            3 => {
                let keyword = self.pick(&["anyOf", "oneOf"]);
                json!({ keyword: [self.scalar(beyond), { "type": "null" }] })
            }
            4 => json!({ "type": ["string", "number", "null"] }),
            5 => Value::Bool(true),
            6 => json!({ "type": self.pick(&["array", "object"]) }),
            7 if beyond => {
                let mut scalar = self.scalar(beyond);
                scalar["not"] = json!({ "const": 1 });
                scalar
            }
            8 if beyond => json!({ "type": ["integer", "string"], "minimum": 1, "maxLength": 2 }),
            _ => self.scalar(beyond),
        }
    }

    fn list(&mut self, beyond: bool) -> Value {
        let mut list = json!({ "type": "array", "items": self.scalar(beyond) });
        if self.chance(30) {
            list["minItems"] = json!(self.0.random_range(0..3));
        }
        if self.chance(30) {
            list["maxItems"] = json!(self.0.random_range(0..3));
        }
        if self.chance(20) {
            list["type"] = json!(["array", "null"]);
        }
        if beyond && self.chance(20) {
            list["uniqueItems"] = json!(true);
        }
        list
    }

    fn scalar(&mut self, beyond: bool) -> Value {
        let kind =
            self.pick(&["boolean", "integer", "number", "string", "string", "date-time", "date"]);
        let mut scalar = match kind {
            "date-time" | "date" => json!({ "type": "string", "format": kind }),
            _ => json!({ "type": kind }),
        };
        if self.chance(25) {
            scalar["type"] = json!([scalar["type"], "null"]);
        }
        match kind {
            "integer" | "number" => self.numeric(&mut scalar),
            "string" => self.textual(&mut scalar, beyond),
            _ => {}
        }
        if self.chance(5) {
            // Without a type the listed values say it.
            scalar.as_object_mut().unwrap().remove("type");
            scalar["enum"] = json!([self.number(&NUMBERS[..20]), self.number(&NUMBERS[..20])]);
        }
        if self.chance(5) {
            scalar["enum"] = json!([null, self.pick(&TEXTS), self.number(&NUMBERS), true]);
        }
        scalar
    }

    fn numeric(&mut self, scalar: &mut Value) {
        for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
            if self.chance(20) {
                scalar[keyword] = self.number(&LIMITS);
            }
        }
        if self.chance(20) {
            scalar["multipleOf"] = self.number(&STEPS);
        }
        if self.chance(10) {
            scalar["const"] = self.number(&NUMBERS);
        }
        if self.chance(15) {
            let values: Vec<Value> = (0..4).map(|_| self.number(&NUMBERS)).collect();
            scalar["enum"] = json!(values);
        }
    }

    fn textual(&mut self, scalar: &mut Value, beyond: bool) {
        if self.chance(30) {
            scalar["minLength"] = json!(self.0.random_range(0..3));
        }
        if self.chance(30) {
            scalar["maxLength"] = json!(self.0.random_range(0..4));
        }
        if self.chance(25) {
            let known = if beyond { &PATTERNS[..] } else { &PATTERNS[..6] };
            scalar["pattern"] = json!(self.pick(known));
        }
        if self.chance(20) {
            scalar["enum"] = json!([self.pick(&TEXTS), self.pick(&TEXTS), self.pick(&TEXTS)]);
        }
        if beyond && self.chance(10) {
            scalar["format"] = json!("email");
        }
    }

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
