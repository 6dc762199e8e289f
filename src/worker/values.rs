//! Values that typed actions take and return beside those of serde: bytes, and values of any shape.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::hints::{Meaning, Under, meaning};
use crate::message::Hint;

/// A byte string, as a parameter or as (part of) a result.
///
/// JSON has no bytes. On the wire they are a base64 string with a hint, so a parameter of this type takes only
/// strings for which the request has a `base64` hint, and a result with bytes can only be sent if the request
/// carries `"accept_hints": true` (VAL-5, VAL-7). Without it the call ends in a `DirtyAppError`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Bytes(pub Vec<u8>);

/// The name by which [`Bytes`] makes itself known to a deserializer.
const BYTES: &str = "$dirty_arbiter::Bytes";

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl<'de> Visitor<'de> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes (a base64 string with a hint)")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }

            // A deserializer without hints has no bytes to give: whatever is there has the wrong type.
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bytes, D::Error> {
                deserializer.deserialize_any(self)
            }
        }
        deserializer.deserialize_newtype_struct(BYTES, BytesVisitor)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(bytes)
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A value of any shape: the JSON text as it came, and the hints below it.
///
/// Use it for what an action only passes on or keeps. As a result it goes out byte for byte, except where hints
/// stand in it: those values are sent as if the action had made them itself, so bytes are again refused unless
/// the request accepts hints. Do not use `serde_json::Value` for such parameters: it rounds numbers.
#[derive(Debug, Clone)]
pub struct AnyValue<'a> {
    text: Cow<'a, RawValue>,
    hints: Vec<(String, Hint)>,
}

/// The name by which [`AnyValue`] makes itself known to a deserializer.
pub(super) const ANY: &str = "$dirty_arbiter::AnyValue";

impl<'a> AnyValue<'a> {
    pub(super) fn new(text: &'a RawValue, hints: &Under<'_>) -> Self {
        let hints = hints.iter().map(|(pointer, hint)| (pointer.to_owned(), hint)).collect();
        AnyValue { text: Cow::Borrowed(text), hints }
    }

    /// The JSON text as it came. Strings in it may stand for other values: see [`hints`](Self::hints).
    pub fn json(&self) -> &str {
        self.text.get()
    }

    /// The hints that stand in the value, each with a JSON Pointer from the value on (VAL-5).
    pub fn hints(&self) -> impl Iterator<Item = (&str, Hint)> {
        self.hints.iter().map(|(pointer, hint)| (pointer.as_str(), *hint))
    }

    /// Reads the value as a type of one's own.
    ///
    /// # Errors
    /// What serde finds wrong with it.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(super::hints::Hinted::new(self.json(), Under::new(self.hints())))
    }
}

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Part { text: &self.text, hints: Under::new(self.hints()) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyValue<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_newtype_struct(ANY, AnyVisitor)
            .map(|(text, hints)| AnyValue { text: Cow::Owned(text), hints })
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = (Box<RawValue>, Vec<(String, Hint)>);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    /// From a deserializer without hints.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Ok((Box::<RawValue>::deserialize(deserializer)?, Vec::new()))
    }

    /// From the deserializer with hints: the text, then pointers and hints in turn.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let text: String = seq.next_element()?.unwrap_or_default();
        let mut hints = Vec::new();
        while let (Some(pointer), Some(name)) = (seq.next_element()?, seq.next_element::<String>()?) {
            hints.extend(Hint::from_name(&name).map(|hint| (pointer, hint)));
        }
        let text = RawValue::from_string(text).map_err(serde::de::Error::custom)?;
        Ok((text, hints))
    }
}

/// A part of an [`AnyValue`]. Only the way to hinted values is taken apart; all else stays text.
struct Part<'t, 'h> {
    text: &'t RawValue,
    hints: Under<'h>,
}

impl Serialize for Part<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let text = self.text.get();
        if self.hints.is_empty() {
            return self.text.serialize(serializer);
        }
        if let Some(hint) = self.hints.own() {
            return match meaning(text, hint).map_err(S::Error::custom)? {
                Meaning::Bytes(bytes) => serializer.serialize_bytes(&bytes),
                Meaning::Float(value) => serializer.serialize_f64(value),
                Meaning::Integer(digits) => RawValue::from_string(digits.into_owned())
                    .map_err(S::Error::custom)?
                    .serialize(serializer),
            };
        }
        if text.starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(S::Error::custom)?;
            let mut seq = serializer.serialize_seq(Some(elements.len()))?;
            for (index, text) in elements.into_iter().enumerate() {
                seq.serialize_element(&Part { text, hints: self.hints.below(&index.to_string()) })?;
            }
            return seq.end();
        }
        let members: super::hints::MemberList<'_> = serde_json::from_str(text).map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(Some(members.0.len()))?;
        for (name, text) in members.0 {
            map.serialize_entry(&name, &Part { text, hints: self.hints.below(&name) })?;
        }
        map.end()
    }
}
