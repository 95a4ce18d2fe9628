//! From schema to shape.

use super::{
    Constraint, Kind, Object, Shape, Types,
    documents::{Documents, Draft, Place},
    keywords::{self, Judge, Keyword},
    object, types,
};
use crate::registry::{Node, Problem, Value};

/// Levels of objects and references that a schema may nest.
const DEPTH_MAX: usize = 32;
/// Schemas that the fields of a record may use together.
const SCHEMAS_MAX: usize = 4096;

/// Reads the record's own schema. Also true if it says more than kinds and constraints can.
pub(super) fn record(documents: &Documents) -> Result<(Object, bool), Problem> {
    let mut reader = Reader { documents, complete: false, open: Vec::new(), schemas: 0 };
    let place = documents.root();
    let shape = reader.shape(place, Types::OBJECT, "")?;
    match shape.kind {
        Kind::Object(root) => Ok((root, reader.complete)),
        Kind::Text(types) if types.intersects(Types::OBJECT) => {
            Err(Problem::new(place.node.at, "the schema declares no fields")
                .expected("`properties` at the top: one per column"))
        }
        kind => {
            let what = format!("the schema declares a record to be {}", kind.describe());
            Err(Problem::new(place.node.at("type"), what).expected("`type: object`"))
        }
    }
}

/// Reads schemas; notes whether the complete validator is needed.
pub(super) struct Reader<'d> {
    documents: &'d Documents,
    complete: bool,
    /// The schemas being read, outermost first.
    open: Vec<&'d Node>,
    schemas: usize,
}

impl<'d> Reader<'d> {
    /// The shape that `place` declares. `untyped` are the types where it names none.
    pub(super) fn shape(
        &mut self,
        place: Place<'d>,
        untyped: Types,
        name: &str,
    ) -> Result<Shape, Problem> {
        let node = place.node;
        match &node.value {
            Value::Bool(true) => return Ok(Shape::text(Types::ANY)),
            Value::Bool(false) => return Ok(self.beyond(Types::ANY)),
            Value::Map(_) => {}
            _ => {
                return Err(Problem::new(
                    node.at,
                    format!("{} where a schema belongs", node.kind()),
                )
                .expected("a map of keywords, or a boolean"));
            }
        }
        self.schemas += 1;
        if self.schemas > SCHEMAS_MAX {
            return Err(Problem::new(node.at, "the schema declares too many fields")
                .expected(format!("at most {SCHEMAS_MAX}, each use of a `$ref` counted")));
        }
        let recursive = self.open.iter().any(|open| std::ptr::eq(*open, node));
        if recursive || self.open.len() == DEPTH_MAX {
            // A schema inside itself has no end of columns.
            return Ok(self.beyond(Types::ANY));
        }
        self.open.push(node);
        let shape = self.map(place, untyped, name);
        self.open.pop();
        shape
    }

    /// The complete validator has to judge.
    pub(super) fn needs_complete(&mut self) {
        self.complete = true;
    }

    /// A value whose column holds its text and which the complete validator judges.
    fn beyond(&mut self, types: Types) -> Shape {
        self.complete = true;
        Shape::text(types)
    }

    fn map(&mut self, place: Place<'d>, untyped: Types, name: &str) -> Result<Shape, Problem> {
        if let Some(reference) = place.node.get("$ref") {
            return self.reference(place, reference, untyped, name);
        }
        if let Some(other) = nullable_union(place.node) {
            let inner = self.shape(Place { node: other, ..place }, untyped, name)?;
            // `oneOf` with null twice would refuse null.
            if !(inner.nullable && place.node.get("oneOf").is_some()) {
                let kind = match inner.kind {
                    Kind::Text(types) => Kind::Text(types | Types::NULL),
                    kind => kind,
                };
                return Ok(Shape { kind, nullable: true, ..inner });
            }
            return Ok(self.beyond(Types::ANY));
        }
        let declared = types::declared(place.node)?;
        let types = declared.or_else(|| types::literal(place.node)).unwrap_or(untyped);
        let kind = self.kind(place, types, name)?;
        self.finish(place.node, kind, types)
    }

    /// Follows a reference. Beside it a draft-07 schema says nothing, a later one says more.
    fn reference(
        &mut self,
        place: Place<'d>,
        reference: &Node,
        untyped: Types,
        name: &str,
    ) -> Result<Shape, Problem> {
        let target = reference.as_str().and_then(|r| self.documents.resolve(place.document, r));
        if self.documents.draft() == Draft::Draft202012 && asserts_beside_reference(place.node) {
            self.needs_complete();
        }
        match target {
            Some(target) => self.shape(target, untyped, name),
            None => Ok(self.beyond(Types::ANY)),
        }
    }

    fn kind(&mut self, place: Place<'d>, types: Types, name: &str) -> Result<Kind, Problem> {
        let solid = types.without(Types::NULL);
        Ok(match solid {
            Types::BOOLEAN => Kind::Boolean,
            Types::INTEGER => Kind::Integer,
            Types::NUMBER => Kind::Number,
            Types::STRING => match place.node.get("format").and_then(Node::as_str) {
                Some("date-time") => Kind::DateTime,
                Some("date") => Kind::Date,
                Some(_) => {
                    self.needs_complete();
                    Kind::String
                }
                None => Kind::String,
            },
            Types::ARRAY => self.list(place, types, name)?,
            Types::OBJECT => object::read(self, place, types, name)?,
            _ => {
                if solid.intersects(Types::INTEGER) && !solid.contains(Types::NUMBER) {
                    // `integer` beside other types: a text column does not look at fractions.
                    self.needs_complete();
                }
                Kind::Text(types)
            }
        })
    }

    fn list(&mut self, place: Place<'d>, types: Types, name: &str) -> Result<Kind, Problem> {
        let items = place.node.get("items");
        let tuple = place.node.get("prefixItems").is_some();
        match items {
            Some(items) if items.as_list().is_none() && !tuple => {
                let item = self.shape(Place { node: items, ..place }, Types::ANY, name)?;
                if item.kind.is_scalar() {
                    return Ok(Kind::List(Box::new(item)));
                }
                if items.value != Value::Bool(true) {
                    self.needs_complete();
                }
            }
            None => {}
            Some(_) => self.needs_complete(),
        }
        Ok(Kind::Text(types))
    }

    /// Sorts the remaining keywords: constraints, beyond, or nothing.
    fn finish(&mut self, node: &Node, kind: Kind, types: Types) -> Result<Shape, Problem> {
        let mut constraints = Vec::new();
        let mut nullable = types.contains(Types::NULL);
        for (key, _, value) in node.as_map().unwrap_or_default() {
            let Some(keyword) = keywords::find(key) else { continue };
            let read = keyword.judge == Judge::Shape && read_into(&kind, key, value);
            if read || !keyword.types.intersects(kind.types()) {
                continue;
            }
            if key == "enum" || key == "const" {
                nullable &= types::names_null(value);
            }
            if keyword.judge == Judge::Rule && has_rules(&kind, keyword) {
                keyword.check(value)?;
                constraints.push(Constraint { keyword: keyword.name, value: value.clone() });
            } else {
                self.needs_complete();
            }
        }
        let kind = match kind {
            Kind::Text(types) if !nullable => Kind::Text(types.without(Types::NULL)),
            kind => kind,
        };
        Ok(Shape { kind, nullable, constraints })
    }
}

/// True where the kind says all that a keyword of [`Judge::Shape`] does.
fn read_into(kind: &Kind, key: &str, value: &Node) -> bool {
    match kind {
        // Types and the items of a plain array were looked at; the rest was not.
        Kind::Text(types) => {
            key == "type"
                || (key == "items" && types.without(Types::NULL) == Types::ARRAY)
                || value.value == Value::Bool(true)
        }
        _ => true,
    }
}

/// True where rules judge the keyword on a column of that kind.
fn has_rules(kind: &Kind, keyword: &Keyword) -> bool {
    match kind {
        Kind::Integer | Kind::Number | Kind::String => true,
        Kind::List(_) => keyword.types == Types::ARRAY,
        Kind::Boolean | Kind::DateTime | Kind::Date | Kind::Object(_) | Kind::Text(_) => false,
    }
}

/// The other branch of `anyOf: [.., {type: null}]`, the way generators write a nullable field.
fn nullable_union(node: &Node) -> Option<&Node> {
    let asserts = |key: &str| keywords::find(key).is_some();
    let mut keys = node.as_map()?.iter().filter(|(key, ..)| asserts(key));
    let (key, _, branches) = keys.next()?;
    let is_union = matches!(key.as_str(), "anyOf" | "oneOf") && keys.next().is_none();
    let [a, b] = branches.as_list().filter(|_| is_union)? else { return None };
    let is_null = |n: &Node| {
        n.as_map().is_some_and(|m| m.len() == 1)
            && n.get("type").and_then(Node::as_str) == Some("null")
    };
    match (is_null(a), is_null(b)) {
        (true, false) => Some(b),
        (false, true) => Some(a),
        _ => None,
    }
}

fn asserts_beside_reference(node: &Node) -> bool {
    let entries = node.as_map().unwrap_or_default();
    entries.iter().any(|(key, ..)| key != "$ref" && keywords::find(key).is_some())
}
