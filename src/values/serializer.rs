//! Scalars, and how arrays and objects begin.

use serde::ser::{Serialize, Serializer};

use super::RAW_VALUE;
use super::compound::Compound;
use super::encode::Problem;
use super::writer::{Writer, Written};

macro_rules! integers {
    ($($name:ident(|$value:ident: $type:ty| $magnitude:expr)),*) => {$(
        fn $name(self, $value: $type) -> Written {
            self.integer($value, u128::from($magnitude))
        }
    )*};
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = Problem;
    type SerializeSeq = Compound<'w>;
    type SerializeTuple = Compound<'w>;
    type SerializeTupleStruct = Compound<'w>;
    type SerializeTupleVariant = Compound<'w>;
    type SerializeMap = Compound<'w>;
    type SerializeStruct = Compound<'w>;
    type SerializeStructVariant = Compound<'w>;

    integers!(
        serialize_i8(|value: i8| value.unsigned_abs()),
        serialize_i16(|value: i16| value.unsigned_abs()),
        serialize_i32(|value: i32| value.unsigned_abs()),
        serialize_i64(|value: i64| value.unsigned_abs()),
        serialize_i128(|value: i128| value.unsigned_abs()),
        serialize_u8(|value: u8| value),
        serialize_u16(|value: u16| value),
        serialize_u32(|value: u32| value),
        serialize_u64(|value: u64| value),
        serialize_u128(|value: u128| value)
    );

    fn serialize_bool(self, value: bool) -> Written {
        self.push(if value { "true" } else { "false" })
    }

    fn serialize_f32(self, value: f32) -> Written {
        if value.is_finite() { self.scalar(&value) } else { self.non_finite(value.into()) }
    }

    fn serialize_f64(self, value: f64) -> Written {
        if value.is_finite() { self.scalar(&value) } else { self.non_finite(value) }
    }

    fn serialize_char(self, value: char) -> Written {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.bytes(value)
    }

    fn serialize_none(self) -> Written {
        self.push("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.push("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.push("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.tag(variant)?;
        self.value(value)?;
        self.path.pop();
        self.push("}")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'w>, Problem> {
        Compound::open(self, None, "[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'w>, Problem> {
        Compound::open(self, None, "[", "]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'w>, Problem> {
        Compound::open(self, None, "[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Problem> {
        Compound::open(self, Some(variant), "[", "]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'w>, Problem> {
        Compound::open(self, None, "{", "}")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'w>, Problem> {
        if name == RAW_VALUE { Ok(Compound::raw(self)) } else { Compound::open(self, None, "{", "}") }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Problem> {
        Compound::open(self, Some(variant), "{", "}}")
    }
}
