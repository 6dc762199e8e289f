//! Items, members and variants, each read at its own place.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::decode::{At, Reader, Token};
use super::key::{Name, NameReader};

pub(super) struct Items<'a, A> {
    pub reader: Reader<'a, A>,
    pub index: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let token = Token::Index(self.index);
        self.index += 1;
        let items = &mut self.reader.inner;
        self.reader.at.below(token, |at| items.next_element_seed(Reader { inner: seed, at }))
    }

    fn size_hint(&self) -> Option<usize> {
        self.reader.inner.size_hint()
    }
}

pub(super) struct Entries<'a, 'de, A> {
    pub reader: Reader<'a, A>,
    /// The name of the member whose value comes next.
    pub name: Cow<'de, str>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Some(Name(name)) = self.reader.inner.next_key()? else { return Ok(None) };
        self.name = name;
        seed.deserialize(NameReader::new(self.name.clone())).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let members = &mut self.reader.inner;
        self.reader
            .at
            .below(Token::Name(&self.name), |at| members.next_value_seed(Reader { inner: seed, at }))
    }

    fn size_hint(&self) -> Option<usize> {
        self.reader.inner.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Reader<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.with(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Reader<'a, A> {
    type Error = A::Error;
    type Variant = Variant<'a, 'de, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (Name(name), variant) = self.inner.variant()?;
        let value = seed.deserialize(NameReader::new(name.clone()))?;
        Ok((value, Variant { inner: variant, at: self.at, name }))
    }
}

/// The value of an enum's variant: it stands at the variant's name, `{"name": …}`.
pub(super) struct Variant<'a, 'de, A> {
    inner: A,
    at: At<'a>,
    name: Cow<'de, str>,
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Variant<'_, 'de, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let variant = self.inner;
        self.at.below(Token::Name(&self.name), |at| variant.newtype_variant_seed(Reader { inner: seed, at }))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let variant = self.inner;
        self.at.below(Token::Name(&self.name), |at| variant.tuple_variant(len, Reader { inner: visitor, at }))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let variant = self.inner;
        self.at.below(Token::Name(&self.name), |at| {
            variant.struct_variant(fields, Reader { inner: visitor, at })
        })
    }
}
