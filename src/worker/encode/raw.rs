//! Values that are JSON text already (`serde_json::value::RawValue`): they go out byte for byte.

use serde::Serialize;
use serde::ser::Impossible;

use super::{Encoder, Fault};

/// The name by which a `RawValue` makes itself known to a serializer. It comes from app code, never from the wire.
pub(super) const TOKEN: &str = "$serde_json::private::RawValue";

type Done = Result<(), Fault>;

impl Encoder {
    fn raw(&mut self, text: &str) -> Done {
        let bytes = text.as_bytes();
        if is_large_integer(bytes) {
            return self.large_integer(text);
        }
        let free = (self.limits.max_depth + 1).saturating_sub(self.level());
        if depth_exceeds(bytes, free) {
            return Err(Fault::TooDeep(self.limits.max_depth));
        }
        self.push(bytes)
    }
}

/// Whether a JSON text is an integer beyond ±(2^53 − 1).
fn is_large_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.len() < 16 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    // JSON has no leading zeros, so among numbers of equal length the text's order is the value's.
    digits.len() > 16 || digits > b"9007199254740991".as_slice()
}

/// Whether arrays and objects are nested more than `limit` deep in a JSON text.
fn depth_exceeds(text: &[u8], limit: usize) -> bool {
    if text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= limit {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    false
}

/// Takes the one string that a `RawValue` consists of.
pub(super) struct Text<'e>(pub(super) &'e mut Encoder);

macro_rules! not_text {
    ($($method:ident($($type:ty),*) -> $result:ty;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<$result, Fault> {
            Err(Fault::Custom("raw JSON that is no text".to_owned()))
        }
    )*};
}

impl serde::Serializer for Text<'_> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Impossible<(), Fault>;
    type SerializeTuple = Impossible<(), Fault>;
    type SerializeTupleStruct = Impossible<(), Fault>;
    type SerializeTupleVariant = Impossible<(), Fault>;
    type SerializeMap = Impossible<(), Fault>;
    type SerializeStruct = Impossible<(), Fault>;
    type SerializeStructVariant = Impossible<(), Fault>;

    fn serialize_str(self, text: &str) -> Done {
        self.0.raw(text)
    }

    not_text! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Done {
        Err(Fault::Custom("raw JSON that is no text".to_owned()))
    }
}
