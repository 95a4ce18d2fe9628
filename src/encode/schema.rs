//! What a vector looks like, for those who read it.

use arrow::datatypes::{DataType, Field, Schema};
use std::fmt::Write;

/// The JSON Schema (draft 2020-12) of one message of a JSON format as indented text; none for a
/// format that is not JSON.
pub fn json_schema(format: &str, schema: &Schema) -> Option<String> {
    let fields = schema.fields();
    let mut text =
        String::from("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n");
    match format {
        "json" => {
            text.push_str("  \"type\": \"object\",\n  \"properties\": {");
            push_list(&mut text, fields.iter().map(|f| format!("{}: {}", quoted(f.name()), of(f))));
            text.push_str("},\n  \"required\": [");
            push_list(&mut text, fields.iter().map(|f| quoted(f.name())));
            text.push_str("],\n  \"additionalProperties\": false\n}\n");
        }
        "json_array" => {
            text.push_str("  \"type\": \"array\",\n  \"prefixItems\": [");
            push_list(&mut text, fields.iter().map(|f| of(f)));
            let count = fields.len();
            write!(text, "],\n  \"items\": false,\n  \"minItems\": {count}\n}}\n")
                .expect("writing to a string");
        }
        _ => return None,
    }
    Some(text)
}

/// The Arrow schema as text, one field per line: name, type, `null` where nulls occur.
pub fn arrow_schema(schema: &Schema) -> String {
    let line = |field: &Field| {
        let nullable = if field.is_nullable() { " null" } else { "" };
        format!("{}: {}{nullable}\n", field.name(), field.data_type())
    };
    schema.fields().iter().map(|f| line(f)).collect()
}

fn push_list(text: &mut String, items: impl ExactSizeIterator<Item = String>) {
    if items.len() == 0 {
        return;
    }
    for (index, item) in items.enumerate() {
        text.push_str(if index > 0 { ",\n    " } else { "\n    " });
        text.push_str(&item);
    }
    text.push_str("\n  ");
}

/// NaN and infinity are written null, so a float is always nullable.
fn of(field: &Field) -> String {
    let (name, more) = match field.data_type() {
        DataType::Boolean => ("boolean", String::new()),
        DataType::Int32 | DataType::Int64 => ("integer", String::new()),
        DataType::Float64 | DataType::Float32 => ("number", String::new()),
        DataType::Date32 => ("string", ", \"format\": \"date\"".to_owned()),
        DataType::Timestamp(..) => ("string", ", \"format\": \"date-time\"".to_owned()),
        DataType::List(item) => ("array", format!(", \"items\": {}", of(item))),
        DataType::Map(entries, _) => {
            let values = match entries.data_type() {
                DataType::Struct(members) => of(&members[1]),
                other => unreachable!("a map has entries of type {other}"),
            };
            ("object", format!(", \"additionalProperties\": {values}"))
        }
        DataType::FixedSizeList(item, count) => {
            let more =
                format!(", \"items\": {}, \"minItems\": {count}, \"maxItems\": {count}", of(item));
            ("array", more)
        }
        _ => ("string", String::new()),
    };
    if field.is_nullable() || field.data_type().is_floating() {
        format!("{{ \"type\": [\"{name}\", \"null\"]{more} }}")
    } else {
        format!("{{ \"type\": \"{name}\"{more} }}")
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}
