//! Values of any shape, as they came.

use std::borrow::Cow;

use serde::de::{Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use super::hints::{HintTree, Node};
use super::meaning::Meaning;
use super::{ValueError, decode};
use crate::message::{Hint, Hints};
use crate::wire::unescape;

/// A value of any shape: the JSON text as it came, and the hints below it.
///
/// Use it for what is only passed on or kept. It is sent byte for byte, except where hints stand in it: those values
/// are sent as if they were made here, so bytes are again refused unless the receiver accepts hints. Do not use
/// `serde_json::Value` for such values: it rounds numbers.
///
/// ```
/// use dirty_arbiter::message::{Hint, Hints};
/// use dirty_arbiter::values::{self, AnyValue, Hinting};
///
/// let text = serde_json::from_str(r#"{"price": 1.10, "photo": "iVBORw=="}"#)?;
/// let hints = Hints::from([("/args/0/photo".to_owned(), Hint::Base64)]);
/// let value: AnyValue = values::decode(text, "/args/0", Some(&hints))?;
/// assert_eq!(value.hints().collect::<Vec<_>>(), [("/photo", Hint::Base64)]);
///
/// let mut hints = Hints::default();
/// let text = values::encode(&value, "/result", Hinting::All, &mut hints)?;
/// assert_eq!(text.get(), r#"{"price":1.10,"photo":"iVBORw=="}"#);
/// assert_eq!(hints["/result/photo"], Hint::Base64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AnyValue<'a> {
    text: Cow<'a, RawValue>,
    /// By pointers from the value on.
    hints: Hints,
}

/// The name by which [`AnyValue`] makes itself known to a deserializer.
pub(super) const ANY_VALUE: &str = "$dirty_arbiter::AnyValue";

impl<'a> AnyValue<'a> {
    /// The value with this text, and the hints in it.
    #[cfg(feature = "worker")]
    pub(crate) fn new(text: &'a RawValue, hints: Option<Node<'_>>) -> Self {
        let hints = hints.iter().flat_map(Node::relative);
        let hints = hints.map(|(pointer, hint)| (pointer.to_owned(), hint)).collect();
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
    /// [`ValueError`] with the place, from the value on, of what is not of the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        decode(&self.text, "", Some(&self.hints))
    }
}

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Part { text: &self.text, node: HintTree::new(&self.hints, "").root() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyValue<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ANY_VALUE, AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = AnyValue<'static>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    /// From a deserializer that knows no hints.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let text = Cow::Owned(Box::<RawValue>::deserialize(deserializer)?);
        Ok(AnyValue { text, hints: Hints::default() })
    }

    /// From this crate's deserializer: the text, then pointers and hints in turn.
    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let text: Box<RawValue> = parts.next_element()?.ok_or(A::Error::custom("expected a text"))?;
        let mut hints = Hints::default();
        while let (Some(pointer), Some(name)) = (parts.next_element()?, parts.next_element::<String>()?) {
            hints.extend(Hint::from_name(&name).map(|hint| (pointer, hint)));
        }
        Ok(AnyValue { text: Cow::Owned(text), hints })
    }
}

/// Hands an [`AnyValue`] its text, still in its deserializer, and its hints.
pub(super) struct Parts<D, H> {
    pub text: Option<D>,
    /// Pointers and names of hints in turn.
    pub hints: H,
}

impl<'de, 't, D, H> SeqAccess<'de> for Parts<D, H>
where
    D: Deserializer<'de>,
    H: Iterator<Item = &'t str>,
{
    type Error = D::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, D::Error> {
        match self.text.take() {
            Some(text) => seed.deserialize(text).map(Some),
            None => self.hints.next().map(|part| seed.deserialize(part.into_deserializer())).transpose(),
        }
    }
}

/// A part of an [`AnyValue`]. Only the way to hinted values is taken apart; all else stays text.
struct Part<'t> {
    text: &'t RawValue,
    node: Option<Node<'t>>,
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text.get();
        let Some(node) = self.node else { return self.text.serialize(serializer) };
        if let Some(hint) = node.here() {
            let string = unescape(text).map_err(S::Error::custom)?;
            return match Meaning::of(&string, hint).map_err(S::Error::custom)? {
                Meaning::Bytes(bytes) => serializer.serialize_bytes(&bytes),
                Meaning::Float(value) => serializer.serialize_f64(value),
                Meaning::Integer(digits) => {
                    let digits = serde_json::from_str::<&RawValue>(digits).map_err(S::Error::custom)?;
                    digits.serialize(serializer)
                }
            };
        }
        if text.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(S::Error::custom)?;
            let mut array = serializer.serialize_seq(Some(items.len()))?;
            for (index, text) in items.into_iter().enumerate() {
                array.serialize_element(&Part { text, node: node.below(&index.to_string()) })?;
            }
            return array.end();
        }
        let Members(members) = serde_json::from_str(text).map_err(S::Error::custom)?;
        let mut object = serializer.serialize_map(Some(members.len()))?;
        for (name, text) in members {
            object.serialize_entry(&name, &Part { text, node: node.below(&name) })?;
        }
        object.end()
    }
}

/// The members of an object in their order, repeated ones included.
struct Members<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}
