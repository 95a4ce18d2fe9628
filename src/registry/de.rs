//! Reads a [`Node`] into any serde type; errors carry the place of the innermost value.

use super::{Node, Position, Problem, Value};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// A serde deserializer over a node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'n> {
    node: &'n Node,
}

impl<'n> Reader<'n> {
    pub(super) fn new(node: &'n Node) -> Self {
        Self { node }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let at = self.node.at;
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Int(i) => visitor.visit_i64(*i),
            Value::Float(x) => visitor.visit_f64(*x),
            Value::String(s) => visitor.visit_borrowed_str(s),
            Value::List(items) => visitor.visit_seq(Items { rest: items.iter() }),
            Value::Map(entries) => {
                let mut map = Entries { rest: entries.iter(), value: None, key_at: at };
                return visitor.visit_map(&mut map).map_err(|e| {
                    // A missing key is the map's fault, any other complaint the last key's.
                    let place = if e.what.starts_with("missing key") { at } else { map.key_at };
                    e.or_at(place)
                });
            }
        };
        result.map_err(|e| e.or_at(at))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.node.value {
            #[expect(clippy::cast_precision_loss, reason = "an integer where a float is asked")]
            Value::Int(i) => visitor.visit_f64(i as f64),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        let at = self.node.at;
        let variant = match &self.node.value {
            Value::String(_) => Variant { name: self.node, value: None, text: None, at },
            Value::Map(entries) if entries.len() == 1 => {
                let (name, at, value) = &entries[0];
                Variant { name: self.node, value: Some(value), text: Some(name), at: *at }
            }
            _ => return Err(Problem::new(at, self.node.kind()).expected("a name, or one key")),
        };
        visitor.visit_enum(variant).map_err(|e| e.or_at(at))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'n> {
    rest: std::slice::Iter<'n, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Problem;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Problem> {
        self.rest.next().map(|node| seed.deserialize(Reader { node })).transpose()
    }
}

struct Entries<'n> {
    rest: std::slice::Iter<'n, (String, Position, Node)>,
    value: Option<&'n Node>,
    key_at: Position,
}

impl<'de> MapAccess<'de> for &mut Entries<'de> {
    type Error = Problem;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Problem> {
        let Some((key, at, value)) = self.rest.next() else { return Ok(None) };
        self.key_at = *at;
        self.value = Some(value);
        let key = serde::de::value::BorrowedStrDeserializer::<Problem>::new(key);
        seed.deserialize(key).map(Some).map_err(|e| e.or_at(*at))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Problem> {
        let node = self.value.take().ok_or_else(|| Problem::custom("a value without a key"))?;
        seed.deserialize(Reader { node }).map_err(|e| e.or_at(node.at))
    }
}

struct Variant<'n> {
    name: &'n Node,
    text: Option<&'n String>,
    value: Option<&'n Node>,
    at: Position,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Problem> {
        let name = match self.text {
            Some(text) => text.as_str(),
            None => self.name.as_str().unwrap_or_default(),
        };
        let name = serde::de::value::BorrowedStrDeserializer::<Problem>::new(name);
        let value = seed.deserialize(name).map_err(|e| e.or_at(self.at))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        match self.value {
            None => Ok(()),
            Some(node) => Err(Problem::new(node.at, "a value where none belongs")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Problem> {
        seed.deserialize(Reader { node: self.required()? })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Problem> {
        Reader { node: self.required()? }.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        Reader { node: self.required()? }.deserialize_any(visitor)
    }
}

impl<'n> Variant<'n> {
    fn required(&self) -> Result<&'n Node, Problem> {
        self.value.ok_or_else(|| Problem::new(self.at, "a name without its options"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Options {
        column: String,
        min: f64,
        max: Option<f64>,
    }

    fn error(text: &str) -> String {
        crate::registry::options::<Options>(&Node::parse(text).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn errors_say_where_what_was_expected_and_what_is_nearest() {
        assert_eq!(
            error("column: a\nmni: 1"),
            "2:1: unknown key `mni`; expected one of `column`, `min`, `max`; did you mean `min`?"
        );
        assert_eq!(error("column: a\nmin: x"), "2:6: wrong type: string \"x\"; expected f64");
        assert_eq!(error("column: a"), "1:1: missing key `min`");
    }
}
