//! Scalars, and how arrays and objects begin.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter as _};

use super::compound::Compound;
use super::{Encoder, Fault, Segment, raw};
use crate::message::Hint;

/// The largest integer up to which every reader that holds numbers as doubles is exact: 2^53 - 1 (VAL-9).
const MAX_EXACT: u64 = (1 << 53) - 1;

type Done = Result<(), Fault>;

impl Encoder {
    fn float(&mut self, value: f64, write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Done {
        if value.is_finite() {
            return self.number(write);
        }
        let name = match value {
            _ if value.is_nan() => "NaN",
            _ if value > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        if self.accept_hints { self.hinted(name, Hint::Float) } else { Err(Fault::NonFinite(name)) }
    }

    /// An integer whose distance from 0 is beyond [`MAX_EXACT`].
    pub(super) fn large_integer(&mut self, digits: &str) -> Done {
        if self.accept_hints { self.hinted(digits, Hint::Int) } else { self.push(digits.as_bytes()) }
    }

    fn number(&mut self, write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Done {
        // No number is longer than this; the exact length is checked with the bracket or member behind it.
        self.room(1)?;
        write(&mut self.buffer).map_err(|error| Fault::Custom(error.to_string()))
    }

    fn base64(&mut self, bytes: &[u8]) -> Done {
        if !self.accept_hints {
            return Err(Fault::Bytes);
        }
        let length = bytes.len().div_ceil(3) * 4;
        self.room(length + 2)?;
        self.hint(Hint::Base64);
        self.buffer.push(b'"');
        let start = self.buffer.len();
        self.buffer.resize(start + length, 0);
        // Cannot fail: the slice has the length of the encoded text.
        let _ = STANDARD.encode_slice(bytes, &mut self.buffer[start..]);
        self.buffer.push(b'"');
        Ok(())
    }

    /// Opens an object with the one member `name`, whose value follows.
    pub(super) fn tag(&mut self, name: &str) -> Done {
        self.enter(b'{')?;
        let start = self.buffer.len();
        self.string(name)?;
        self.path.push(Segment::Member(start, self.buffer.len()));
        self.push(b":")
    }
}

macro_rules! integers {
    ($($method:ident($type:ty)),*) => {$(
        fn $method(self, value: $type) -> Done {
            #[allow(irrefutable_let_patterns, reason = "the small types never exceed 64 bits")]
            if let Ok(value) = i64::try_from(value) && value.unsigned_abs() <= MAX_EXACT {
                return self.number(|out| CompactFormatter.write_i64(out, value));
            }
            self.large_integer(&value.to_string())
        }
    )*};
}

impl<'e> serde::Serializer for &'e mut Encoder {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Compound<'e>;
    type SerializeTuple = Compound<'e>;
    type SerializeTupleStruct = Compound<'e>;
    type SerializeTupleVariant = Compound<'e>;
    type SerializeMap = Compound<'e>;
    type SerializeStruct = Compound<'e>;
    type SerializeStructVariant = Compound<'e>;

    integers! {
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128)
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.push(if value { b"true" } else { b"false" })
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.float(f64::from(value), |out| CompactFormatter.write_f32(out, value))
    }

    fn serialize_f64(self, value: f64) -> Done {
        self.float(value, |out| CompactFormatter.write_f64(out, value))
    }

    fn serialize_char(self, value: char) -> Done {
        self.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.base64(value)
    }

    fn serialize_none(self) -> Done {
        self.push(b"null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.push(b"null")
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        self.push(b"null")
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Done {
        self.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.tag(variant)?;
        value.serialize(&mut *self)?;
        self.path.pop();
        self.push(b"}")
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Compound<'e>, Fault> {
        Compound::array(self)
    }

    fn serialize_tuple(self, _length: usize) -> Result<Compound<'e>, Fault> {
        Compound::array(self)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<Compound<'e>, Fault> {
        Compound::array(self)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'e>, Fault> {
        Compound::tagged_array(self, variant)
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Compound<'e>, Fault> {
        Compound::object(self)
    }

    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Compound<'e>, Fault> {
        if name == raw::TOKEN { Ok(Compound::raw(self)) } else { Compound::object(self) }
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'e>, Fault> {
        Compound::tagged_object(self, variant)
    }
}
