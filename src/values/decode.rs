//! JSON text to Rust values.

use std::cell::RefCell;
use std::fmt::Display;

use serde::de::value::SeqDeserializer;
use serde::de::{Deserialize, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::access::{Entries, Items};
use super::any::{ANY_VALUE, Parts};
use super::bytes::EXPECTED_BYTES;
use super::check::plain;
use super::hints::{HintTree, Node};
use super::key::Name;
use super::meaning::Meaning;
use super::{RAW_VALUE, ValueError, push_token};
use crate::message::{Hint, Hints};

/// Reads a value, which stands at the JSON Pointer `at` of its message, honouring the `hints` of that message.
///
/// A type that wants bytes gets them from a string with the hint `base64` only, or from an array of numbers.
/// `RawValue` gets the text as it is, hints or not; [`AnyValue`](super::AnyValue) gets it with its hints.
///
/// # Errors
/// [`ValueError`] with the place of what is not of the type, or of a hint that does not fit (VAL-5). Other than
/// for `RawValue` and `AnyValue`, nesting is limited to serde_json's 128 levels.
pub fn decode<'de, T: Deserialize<'de>>(
    value: &'de RawValue,
    at: &str,
    hints: Option<&Hints>,
) -> Result<T, ValueError> {
    let tree = hints.map(|hints| HintTree::new(hints, at)).unwrap_or_default();
    let root = tree.root();
    if let Some(root) = root {
        root.check(value)?;
    }
    decode_checked(value, at, root)
}

/// Reads a value, which stands at the JSON Pointer that `at` shows as, and whose hints, those at and below `node`,
/// have been checked.
///
/// # Errors
/// [`ValueError`] with the place of what is not of the type.
pub(crate) fn decode_checked<'de, T: Deserialize<'de>>(
    value: &'de RawValue,
    at: impl Display,
    node: Option<Node<'_>>,
) -> Result<T, ValueError> {
    let failed = RefCell::new(None);
    let place = Place { above: None, token: Token::Root };
    let mut json = serde_json::Deserializer::from_str(value.get());
    let reader = Reader { inner: &mut json, at: At { place: &place, node, failed: &failed } };
    T::deserialize(reader).map_err(|error| {
        let mut pointer = at.to_string();
        pointer.push_str(&failed.take().unwrap_or_default());
        ValueError { pointer, problem: plain(&error) }
    })
}

/// A place in the value: the innermost token, and the place that holds it.
pub(super) struct Place<'a> {
    above: Option<&'a Place<'a>>,
    token: Token<'a>,
}

pub(super) enum Token<'a> {
    Root,
    Index(usize),
    Name(&'a str),
}

impl Place<'_> {
    fn write(&self, pointer: &mut String) {
        if let Some(above) = self.above {
            above.write(pointer);
        }
        match self.token {
            Token::Root => {}
            Token::Index(index) => push_token(pointer, &index.to_string()),
            Token::Name(name) => push_token(pointer, name),
        }
    }
}

/// Where a reader is, and what the hints say about it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    place: &'a Place<'a>,
    node: Option<Node<'a>>,
    /// The place of the innermost error.
    failed: &'a RefCell<Option<String>>,
}

impl<'a> At<'a> {
    fn hint(&self) -> Option<Hint> {
        self.node.and_then(|node| node.here())
    }

    /// Runs `read` one level further down, and notes the place if it is the first to fail.
    pub fn below<T, E>(&self, token: Token<'_>, read: impl FnOnce(At<'_>) -> Result<T, E>) -> Result<T, E> {
        let node = self.node.and_then(|node| match &token {
            Token::Root => None,
            Token::Index(index) => node.below(&index.to_string()),
            Token::Name(name) => node.below(name),
        });
        let place = Place { above: Some(self.place), token };
        let result = read(At { place: &place, node, failed: self.failed });
        if result.is_err() {
            self.failed.borrow_mut().get_or_insert_with(|| {
                let mut pointer = String::new();
                place.write(&mut pointer);
                pointer
            });
        }
        result
    }
}

/// A deserializer, a visitor or an access that knows where it is.
pub(super) struct Reader<'a, X> {
    pub inner: X,
    pub at: At<'a>,
}

impl<'a, X> Reader<'a, X> {
    pub fn with<Y>(&self, inner: Y) -> Reader<'a, Y> {
        Reader { inner, at: self.at }
    }
}

/// Gives `visitor` what the string at a hint stands for.
fn hinted<'de, D: Deserializer<'de>, V: Visitor<'de>>(
    hint: Hint,
    deserializer: D,
    visitor: V,
) -> Result<V::Value, D::Error> {
    match Meaning::of(&Name::deserialize(deserializer)?.0, hint).map_err(expected)? {
        Meaning::Bytes(bytes) => visitor.visit_byte_buf(bytes),
        Meaning::Float(value) => visitor.visit_f64(value),
        Meaning::Integer(digits) => {
            if let Ok(value) = digits.parse() {
                visitor.visit_u64(value)
            } else if let Ok(value) = digits.parse() {
                visitor.visit_i64(value)
            } else if let Ok(value) = digits.parse() {
                visitor.visit_u128(value)
            } else if let Ok(value) = digits.parse() {
                visitor.visit_i128(value)
            } else {
                Err(D::Error::invalid_value(Unexpected::Other("an integer beyond 128 bits"), &visitor))
            }
        }
    }
}

fn expected<E: Error>(what: &str) -> E {
    E::custom(format_args!("expected {what}"))
}

macro_rules! forward {
    ($($function:ident($($argument:ident: $type:ty),*)),* $(,)?) => {$(
        fn $function<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            match self.at.hint() {
                Some(hint) => hinted(hint, self.inner, visitor),
                None => {
                    let visitor = self.with(visitor);
                    self.inner.$function($($argument,)* visitor)
                }
            }
        }
    )*};
}

/// Bytes are no text, even if they would be UTF-8; an integer, too large perhaps for any type, is its digits.
macro_rules! texts {
    ($($function:ident),*) => {$(
        fn $function<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            match self.at.hint() {
                Some(Hint::Base64) => Err(D::Error::invalid_type(Unexpected::Other("bytes"), &visitor)),
                Some(Hint::Float) => hinted(Hint::Float, self.inner, visitor),
                Some(Hint::Int) | None => self.inner.$function(visitor),
            }
        }
    )*};
}

/// A list of bytes is a spelling of bytes.
macro_rules! sequences {
    ($($function:ident($($argument:ident: $type:ty),*)),* $(,)?) => {$(
        fn $function<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            match self.at.hint() {
                Some(hint) => hinted(hint, self.inner, ByteList(visitor)),
                None => {
                    let visitor = self.with(visitor);
                    self.inner.$function($($argument,)* visitor)
                }
            }
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Reader<'_, D> {
    type Error = D::Error;

    forward!(
        deserialize_any(),
        deserialize_bool(),
        deserialize_i8(),
        deserialize_i16(),
        deserialize_i32(),
        deserialize_i64(),
        deserialize_i128(),
        deserialize_u8(),
        deserialize_u16(),
        deserialize_u32(),
        deserialize_u64(),
        deserialize_u128(),
        deserialize_f32(),
        deserialize_f64(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_map(),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
    );

    texts!(deserialize_char, deserialize_str, deserialize_string, deserialize_identifier);

    sequences!(
        deserialize_seq(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
    );

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        match self.at.hint() {
            Some(hint) => hinted(hint, self.inner, visitor),
            // Not as bytes: serde_json would give the text of a plain string.
            None => self.inner.deserialize_any(PlainBytes(visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.at.hint().is_some() {
            return visitor.visit_some(self);
        }
        let visitor = self.with(visitor);
        self.inner.deserialize_option(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name == RAW_VALUE {
            return self.inner.deserialize_newtype_struct(name, visitor);
        }
        if name == ANY_VALUE {
            let hints = self.at.node.iter().flat_map(Node::relative);
            let hints = hints.flat_map(|(pointer, hint)| [pointer, hint.as_str()]);
            return visitor.visit_seq(Parts { text: Some(self.inner), hints });
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! pass {
    ($($function:ident: $type:ty),* $(,)?) => {$(
        fn $function<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$function(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Reader<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.expecting(f)
    }

    pass!(
        visit_bool: bool,
        visit_i64: i64,
        visit_i128: i128,
        visit_u64: u64,
        visit_u128: u128,
        visit_f64: f64,
        visit_str: &str,
        visit_borrowed_str: &'de str,
        visit_string: String,
    );

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        let items = Items { reader: self.with(items), index: 0 };
        self.inner.visit_seq(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        let members = Entries { reader: self.with(members), name: "".into() };
        self.inner.visit_map(members)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        let data = self.with(data);
        self.inner.visit_enum(data)
    }
}

/// Refuses a plain string where bytes are expected.
struct PlainBytes<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for PlainBytes<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        Err(E::invalid_type(Unexpected::Str(text), &EXPECTED_BYTES))
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(items)
    }
}

/// Gives bytes to a visitor that wants a sequence.
struct ByteList<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for ByteList<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(f)
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<V::Value, E> {
        self.0.visit_seq(SeqDeserializer::new(bytes.into_iter()))
    }
}
