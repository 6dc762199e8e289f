//! Elements and members, one level at a time, each with the hints for it.

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{Hinted, Under};

/// The members of an object in their order, repeated ones included.
pub(crate) struct MemberList<'de>(pub(crate) Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for MemberList<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = MemberList<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(MemberList(members))
            }
        }
        deserializer.deserialize_map(List)
    }
}

/// The elements of an array.
pub(super) struct Elements<'de, 'h> {
    elements: std::iter::Enumerate<std::vec::IntoIter<&'de RawValue>>,
    hints: Under<'h>,
}

impl<'de, 'h> Elements<'de, 'h> {
    pub(super) fn read(text: &'de str, hints: Under<'h>) -> Result<Self, serde_json::Error> {
        let elements: Vec<&RawValue> = serde_json::from_str(text)?;
        Ok(Elements { elements: elements.into_iter().enumerate(), hints })
    }
}

impl<'de> SeqAccess<'de> for Elements<'de, '_> {
    type Error = serde_json::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Self::Error> {
        let Some((index, element)) = self.elements.next() else { return Ok(None) };
        let hints = self.hints.below(&index.to_string());
        seed.deserialize(Hinted::new(element.get(), hints)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len())
    }
}

/// The members of an object.
pub(super) struct Members<'de, 'h> {
    members: std::vec::IntoIter<(String, &'de RawValue)>,
    value: Option<(Under<'h>, &'de RawValue)>,
    hints: Under<'h>,
}

impl<'de, 'h> Members<'de, 'h> {
    pub(super) fn read(text: &'de str, hints: Under<'h>) -> Result<Self, serde_json::Error> {
        let members: MemberList<'de> = serde_json::from_str(text)?;
        Ok(Members { members: members.0.into_iter(), value: None, hints })
    }
}

impl<'de> MapAccess<'de> for Members<'de, '_> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        let Some((name, value)) = self.members.next() else { return Ok(None) };
        self.value = Some((self.hints.below(&name), value));
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Self::Error> {
        let Some((hints, value)) = self.value.take() else {
            return Err(serde::de::Error::custom("a value was read before its name"));
        };
        seed.deserialize(Hinted::new(value.get(), hints))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}
