//! Fields: what a column holds, whether it may be missing or null, and what its values must be.

use super::Types;
use crate::registry::Node;

/// An object: the record itself, or one inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its fields, in the order of the schema.
    pub fields: Vec<Field>,
    /// True if no other key may stand in it (`additionalProperties: false`).
    pub closed: bool,
}

/// A declared property.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Column name: the keys from the root joined by dots.
    pub name: String,
    /// The key in its object.
    pub key: String,
    /// True if the object must have it. A required field of an object that is itself missing is
    /// not missed.
    pub required: bool,
    /// What its value may be.
    pub shape: Shape,
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// What the column holds.
    pub kind: Kind,
    /// True if JSON `null` is a value of it. A missing field is another thing: see
    /// [`Field::required`].
    pub nullable: bool,
    /// What the rules judge, in the order of the schema.
    pub constraints: Vec<Constraint>,
}

/// A keyword that a rule judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// The keyword.
    pub keyword: &'static str,
    /// Its value, and where it stands.
    pub value: Node,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A number without a fraction that 64 bits hold.
    Integer,
    /// A 64-bit float.
    Number,
    /// Text.
    String,
    /// An RFC 3339 date and time, in microseconds since the epoch; further digits are cut off.
    DateTime,
    /// An RFC 3339 full date, in days since the epoch.
    Date,
    /// A list of one of the kinds above.
    List(Box<Shape>),
    /// An object: its fields have the columns.
    Object(Object),
    /// Any value of these types, as its JSON text.
    Text(Types),
}

impl Kind {
    /// True for the kinds a list may hold.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_) | Self::Text(_))
    }

    /// The kind in words, for a message.
    pub fn describe(&self) -> String {
        match self {
            Self::Boolean => "boolean".to_owned(),
            Self::Integer => "integer".to_owned(),
            Self::Number => "number".to_owned(),
            Self::String => "string".to_owned(),
            Self::DateTime => "date-time".to_owned(),
            Self::Date => "date".to_owned(),
            Self::List(_) => "array".to_owned(),
            Self::Object(_) => "object".to_owned(),
            Self::Text(types) => types.describe(),
        }
    }

    /// The JSON types of its values, without null.
    pub(super) fn types(&self) -> Types {
        match self {
            Self::Boolean => Types::BOOLEAN,
            Self::Integer => Types::INTEGER,
            Self::Number => Types::NUMBER,
            Self::String | Self::DateTime | Self::Date => Types::STRING,
            Self::List(_) => Types::ARRAY,
            Self::Object(_) => Types::OBJECT,
            Self::Text(types) => types.without(Types::NULL),
        }
    }
}

impl Shape {
    /// What was expected, for a message: `number or null`.
    pub fn describe(&self) -> String {
        let kind = self.kind.describe();
        match self.kind {
            Kind::Text(_) => kind,
            _ if self.nullable => format!("{kind} or null"),
            _ => kind,
        }
    }

    /// A value of these types as its JSON text.
    pub(super) fn text(types: Types) -> Self {
        let nullable = types.contains(Types::NULL);
        Self { kind: Kind::Text(types), nullable, constraints: Vec::new() }
    }
}

impl Object {
    /// Appends the fields that have a column, in column order.
    pub(super) fn collect_columns<'f>(&'f self, columns: &mut Vec<&'f Field>) {
        for field in &self.fields {
            match &field.shape.kind {
                Kind::Object(object) => object.collect_columns(columns),
                _ => columns.push(field),
            }
        }
    }
}
