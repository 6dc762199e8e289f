//! Names of members: strings, and what has one obvious spelling as a string.

use serde::Serialize;
use serde::ser::Impossible;

use super::{Encoder, Fault};

type Done = Result<(), Fault>;

/// Writes the key of a map. Integers, booleans and characters become strings, as in `serde_json`.
pub(super) struct Key<'e>(pub(super) &'e mut Encoder);

macro_rules! spelled {
    ($($method:ident($type:ty)),*) => {$(
        fn $method(self, value: $type) -> Done {
            self.0.string(&value.to_string())
        }
    )*};
}

macro_rules! refused {
    ($($method:ident($type:ty) $what:literal),*) => {$(
        fn $method(self, _value: $type) -> Done {
            Err(Fault::Key($what))
        }
    )*};
}

impl serde::Serializer for Key<'_> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Impossible<(), Fault>;
    type SerializeTuple = Impossible<(), Fault>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeMap = Impossible<(), Fault>;
    type SerializeStruct = Impossible<(), Fault>;
    type SerializeStructVariant = Impossible<(), Fault>;

    spelled!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_char(char)
    );
    refused!(
        serialize_f32(f32) "a floating point number",
        serialize_f64(f64) "a floating point number",
        serialize_bytes(&[u8]) "a byte string"
    );

    fn serialize_str(self, value: &str) -> Done {
        self.0.string(value)
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Done {
        self.0.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_none(self) -> Done {
        Err(Fault::Key("nothing"))
    }

    fn serialize_unit(self) -> Done {
        Err(Fault::Key("nothing"))
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        Err(Fault::Key("nothing"))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Done {
        Err(Fault::Key("an object"))
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Self::SerializeSeq, Fault> {
        Err(Fault::Key("an array"))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Self::SerializeTuple, Fault> {
        Err(Fault::Key("an array"))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleStruct, Fault> {
        Err(Fault::Key("an array"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeTupleVariant, Fault> {
        Err(Fault::Key("an object"))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Self::SerializeMap, Fault> {
        Err(Fault::Key("an object"))
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Self::SerializeStruct, Fault> {
        Err(Fault::Key("an object"))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self::SerializeStructVariant, Fault> {
        Err(Fault::Key("an object"))
    }
}
