//! Objects: properties, required, additional.

use super::{Field, Kind, Object, Types, documents::Place, read::Reader};
use crate::registry::{Node, Problem, Value};

/// An object with its fields, or its text where none are declared.
pub(super) fn read<'d>(
    reader: &mut Reader<'d>,
    place: Place<'d>,
    types: Types,
    name: &str,
) -> Result<Kind, Problem> {
    let properties = match place.node.get("properties") {
        None => return Ok(Kind::Text(types)),
        Some(node) => node.as_map().ok_or_else(|| {
            Problem::new(node.at, format!("`properties` is {}", node.kind()))
                .expected("a map of names to schemas")
        })?,
    };
    if properties.is_empty() {
        return Ok(Kind::Text(types));
    }
    let required = required(place.node)?;
    if required.iter().any(|r| properties.iter().all(|p| p.0 != *r)) {
        // A key that must be there and has no column.
        reader.needs_complete();
    }
    let mut fields = Vec::with_capacity(properties.len());
    for (key, at, schema) in properties {
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let inner = Place { node: schema, ..place };
        let shape = reader.shape(inner, Types::ANY, &name).map_err(|e| e.or_at(*at))?;
        let required = required.contains(&key.as_str());
        fields.push(Field { name, key: key.clone(), required, shape });
    }
    Ok(Kind::Object(Object { fields, closed: closed(reader, place.node) }))
}

/// True for `additionalProperties: false` where the declared keys are all that count.
fn closed(reader: &mut Reader<'_>, node: &Node) -> bool {
    match node.get("additionalProperties").map(|n| &n.value) {
        None | Some(Value::Bool(true)) => false,
        Some(Value::Bool(false)) if node.get("patternProperties").is_none() => true,
        Some(_) => {
            reader.needs_complete();
            false
        }
    }
}

fn required(node: &Node) -> Result<Vec<&str>, Problem> {
    let Some(node) = node.get("required") else { return Ok(Vec::new()) };
    let wrong = |node: &Node| {
        Problem::new(node.at, format!("`required` is {}", node.kind()))
            .expected("a list of property names")
    };
    let items = node.as_list().ok_or_else(|| wrong(node))?;
    items.iter().map(|item| item.as_str().ok_or_else(|| wrong(item))).collect()
}
