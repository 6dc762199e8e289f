//! A deserializer of JSON text that honours hints.

use serde::de::value::{MapAccessDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};

use super::access::{Elements, Members};
use super::{Meaning, Under, meaning};
use crate::message::Hint;
use crate::worker::values::ANY;

type Error = serde_json::Error;

/// A JSON text and the hints at and below it. Text without hints is left to `serde_json`.
pub(crate) struct Hinted<'de, 'h> {
    text: &'de str,
    hints: Under<'h>,
}

impl<'de, 'h> Hinted<'de, 'h> {
    pub(crate) fn new(text: &'de str, hints: Under<'h>) -> Self {
        Hinted { text, hints }
    }

    /// Hands the visitor what the hint at this value says.
    fn visit_meaning<V: Visitor<'de>>(&self, hint: Hint, visitor: V) -> Result<V::Value, Error> {
        match meaning(self.text, hint).map_err(|expected| Error::custom(format!("expected {expected}")))? {
            Meaning::Bytes(bytes) => visitor.visit_byte_buf(bytes),
            Meaning::Float(value) => visitor.visit_f64(value),
            Meaning::Integer(digits) => {
                if let Ok(value) = digits.parse() {
                    visitor.visit_i64(value)
                } else if let Ok(value) = digits.parse() {
                    visitor.visit_u64(value)
                } else if let Ok(value) = digits.parse() {
                    visitor.visit_i128(value)
                } else if let Ok(value) = digits.parse() {
                    visitor.visit_u128(value)
                } else {
                    Err(Error::invalid_value(Unexpected::Other("an integer beyond 128 bits"), &visitor))
                }
            }
        }
    }
}

/// Without hints: as `serde_json` does. With hints: by what is there.
macro_rules! by_value {
    ($($method:ident($($argument:ident: $type:ty),*)),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            if self.hints.is_empty() {
                return serde_json::Deserializer::from_str(self.text).$method($($argument,)* visitor);
            }
            self.deserialize_any(visitor)
        }
    )*};
}

/// The same, for text: bytes are no text, even if they would be UTF-8.
macro_rules! text {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.hints.is_empty() {
                return serde_json::Deserializer::from_str(self.text).$method(visitor);
            }
            if self.hints.own() == Some(Hint::Base64) {
                return Err(Error::invalid_type(Unexpected::Other("bytes"), &visitor));
            }
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Hinted<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(hint) = self.hints.own() {
            return self.visit_meaning(hint, visitor);
        }
        match self.text.as_bytes().first() {
            Some(b'[') if !self.hints.is_empty() => visitor.visit_seq(Elements::read(self.text, self.hints)?),
            Some(b'{') if !self.hints.is_empty() => visitor.visit_map(Members::read(self.text, self.hints)?),
            _ => serde_json::Deserializer::from_str(self.text).deserialize_any(visitor),
        }
    }

    by_value! {
        deserialize_bool(), deserialize_i8(), deserialize_i16(), deserialize_i32(), deserialize_i64(),
        deserialize_i128(), deserialize_u8(), deserialize_u16(), deserialize_u32(), deserialize_u64(),
        deserialize_u128(), deserialize_f32(), deserialize_f64(), deserialize_bytes(), deserialize_byte_buf(),
        deserialize_unit(), deserialize_map(), deserialize_ignored_any(),
        deserialize_unit_struct(name: &'static str),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
    }

    text!(deserialize_char, deserialize_str, deserialize_string, deserialize_identifier);

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.text == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.hints.is_empty() || name.starts_with("$serde_json::") {
            return serde_json::Deserializer::from_str(self.text).deserialize_newtype_struct(name, visitor);
        }
        if name == ANY {
            let hints = self.hints.iter().flat_map(|(pointer, hint)| [pointer, hint.as_str()]);
            return visitor.visit_seq(SeqDeserializer::new(std::iter::once(self.text).chain(hints)));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.hints.is_empty() {
            return serde_json::Deserializer::from_str(self.text).deserialize_seq(visitor);
        }
        match self.hints.own().map(|hint| meaning(self.text, hint)) {
            // A list of bytes is a spelling of bytes.
            Some(Ok(Meaning::Bytes(bytes))) => visitor.visit_seq(SeqDeserializer::new(bytes.into_iter())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.hints.own().is_none() && self.text.starts_with('{') && !self.hints.is_empty() {
            return visitor.visit_enum(MapAccessDeserializer::new(Members::read(self.text, self.hints)?));
        }
        if self.hints.is_empty() {
            return serde_json::Deserializer::from_str(self.text).deserialize_enum(name, variants, visitor);
        }
        Err(Error::invalid_type(Unexpected::Other("a hinted value"), &visitor))
    }
}
