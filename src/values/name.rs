//! The names of members: strings, and what has one obvious spelling as a string.

use serde::Serialize;
use serde::ser::{Impossible, Serializer};

use super::encode::Problem;
use super::writer::{Writer, Written};

/// Writes the key of a map. Integers, booleans, characters and variants become strings, as in `serde_json`.
pub(super) struct NameWriter<'w>(pub &'w mut Writer);

macro_rules! spelled {
    ($($function:ident: $type:ty),*) => {$(
        fn $function(self, value: $type) -> Written {
            self.0.text(&value.to_string())
        }
    )*};
}

macro_rules! refused {
    ($($function:ident$(<$generic:ident>)?($($type:ty),*) -> $result:ty: $what:literal),* $(,)?) => {$(
        fn $function$(<$generic: Serialize + ?Sized>)?(self, $(_: $type),*) -> Result<$result, Problem> {
            Err(Problem::Name($what))
        }
    )*};
}

type Never = Impossible<(), Problem>;

impl Serializer for NameWriter<'_> {
    type Ok = ();
    type Error = Problem;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    spelled!(
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_char: char
    );

    fn serialize_str(self, value: &str) -> Written {
        self.0.text(value)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.0.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    refused!(
        serialize_f32(f32) -> (): "a floating point number",
        serialize_f64(f64) -> (): "a floating point number",
        serialize_bytes(&[u8]) -> (): "a byte string",
        serialize_none() -> (): "nothing",
        serialize_unit() -> (): "nothing",
        serialize_unit_struct(&'static str) -> (): "nothing",
        serialize_newtype_variant<T>(&'static str, u32, &'static str, &T) -> (): "an object",
        serialize_seq(Option<usize>) -> Never: "an array",
        serialize_tuple(usize) -> Never: "an array",
        serialize_tuple_struct(&'static str, usize) -> Never: "an array",
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never: "an object",
        serialize_map(Option<usize>) -> Never: "an object",
        serialize_struct(&'static str, usize) -> Never: "an object",
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never: "an object",
    );
}
