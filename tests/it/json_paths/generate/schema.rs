//! Schemas of every supported kind, half of them beyond the rules.

use super::{Generator, NUMBERS, TEXTS};
use rand::Rng;
use serde_json::{Map, Value, json};

const KEYS: [&str; 8] = ["a", "b", "amount", "é", "k\"q", "x y", "tab\t", "long_name_of_a_field"];
const PATTERNS: [&str; 8] =
    ["^[A-Z]{3}$", "a", "^\\w+$", "\\d", "^(a|b)*$", "^.{1,2}$", "\\bab", "^(?=a)"];
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

impl Generator {
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
}
