//! The options of a component, from the JSON Schema that editors get.

use serde_json::Value;

/// One option.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opt {
    pub(super) name: String,
    /// What it takes, in words.
    pub(super) takes: String,
    /// What it is where it is not given, `required`, or nothing.
    pub(super) default: String,
    /// What it says, with what each of its values says.
    pub(super) meaning: String,
}

/// The options of a component, those that have to be given first; none where its value is not a map.
pub(super) fn options(schema: &Value) -> Vec<Opt> {
    let Some(map) = with_properties(schema) else { return Vec::new() };
    let required: Vec<&str> = strings(map.get("required"));
    let properties = map["properties"].as_object().into_iter().flatten();
    let mut options: Vec<Opt> = properties
        .map(|(name, schema)| Opt::new(name, schema, required.contains(&name.as_str())))
        .collect();
    options.sort_by_key(|option| option.default != REQUIRED);
    options
}

const REQUIRED: &str = "required";

impl Opt {
    fn new(name: &str, schema: &Value, is_required: bool) -> Self {
        let default = match schema.get("default") {
            _ if is_required => REQUIRED.to_owned(),
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => format!("`{text}`"),
            Some(value) => format!("`{value}`"),
        };
        let mut meaning = vec![said(schema).to_owned()];
        meaning
            .extend(values(schema).into_iter().map(|(value, says)| format!("`{value}`: {says}")));
        meaning.retain(|part| !part.is_empty());
        Self { name: name.to_owned(), takes: takes(schema), default, meaning: meaning.join(" ") }
    }
}

/// The alternative of a schema that is a map of named options.
fn with_properties(schema: &Value) -> Option<&Value> {
    if schema.get("properties").is_some() {
        return Some(schema);
    }
    alternatives(schema).iter().find_map(with_properties)
}

fn alternatives(schema: &Value) -> &[Value] {
    let listed = schema.get("oneOf").or_else(|| schema.get("anyOf"));
    listed.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn strings(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn said(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// Values that are explained one by one.
fn values(schema: &Value) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for one in alternatives(schema) {
        match one.get("const").and_then(Value::as_str) {
            Some(value) if !said(one).is_empty() => found.push((value, said(one))),
            _ => found.extend(values(one)),
        }
    }
    if let Some(items) = schema.get("items") {
        found.extend(values(items));
    }
    found
}

/// What a value may be.
fn takes(schema: &Value) -> String {
    if let Some(value) = schema.get("const").and_then(Value::as_str) {
        return format!("`{value}`");
    }
    if let Some(values) = schema.get("enum") {
        let quoted: Vec<String> = strings(Some(values)).iter().map(|v| format!("`{v}`")).collect();
        return quoted.join(", ");
    }
    let alternatives = alternatives(schema);
    if !alternatives.is_empty() {
        let mut each: Vec<String> =
            alternatives.iter().map(takes).filter(|t| t != "null").collect();
        each.dedup();
        return each.join(", ");
    }
    let mut types = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        several => strings(several),
    };
    if types.len() > 1 {
        types.retain(|name| *name != "null");
    }
    types.into_iter().map(|name| of_type(name, schema)).collect::<Vec<_>>().join(" or ")
}

fn of_type(name: &str, schema: &Value) -> String {
    let is_duration =
        schema.get("pattern").and_then(Value::as_str).is_some_and(|p| p.contains("us|ms|s|m|h"));
    match name {
        "string" if is_duration => "duration".to_owned(),
        "string" => "text".to_owned(),
        "array" => match schema.get("items") {
            Some(items) => format!("list of: {}", takes(items)),
            None => "list".to_owned(),
        },
        "object" => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => format!("map to: {}", takes(values)),
            _ => "map".to_owned(),
        },
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_editor_is_told_is_a_table_of_options() {
        let schema = json!({
            "properties": {
                "how": {
                    "description": "Between two.",
                    "default": "linear",
                    "anyOf": [
                        { "oneOf": [{ "const": "linear", "description": "On the line." },
                                    { "const": "lower", "description": "The lower one." }] },
                        { "type": "null" }
                    ]
                },
                "over": { "type": ["string", "null"], "pattern": "^([0-9]+\\s*(us|ms|s|m|h|d|w)\\s*)+$" },
                "edges": { "type": "array", "items": { "type": "number" } },
            },
            "required": ["edges"]
        });
        let found = options(&json!({ "anyOf": [{ "type": "string" }, schema] }));
        let option = |name: &str, takes: &str, default: &str, meaning: &str| Opt {
            name: name.to_owned(),
            takes: takes.to_owned(),
            default: default.to_owned(),
            meaning: meaning.to_owned(),
        };
        let meaning = "Between two. `linear`: On the line. `lower`: The lower one.";
        assert_eq!(
            found,
            [
                option("edges", "list of: number", "required", ""),
                option("how", "`linear`, `lower`", "`linear`", meaning),
                option("over", "duration", "", ""),
            ]
        );
    }
}
