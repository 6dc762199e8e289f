//! Rust values to JSON text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{self, Serialize};
use serde_json::value::RawValue;

use super::compound::Compound;
use super::{RAW_VALUE, ValueError, push_token};
use crate::message::{Hint, Hints};

/// Integers beyond ±this lose digits in readers that hold numbers as doubles (VAL-9).
const EXACT: u128 = (1 << 53) - 1;

/// What to do with values that JSON does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hinting {
    /// Bytes and non-finite numbers are refused: the reader did not say that it reads hints (VAL-6, VAL-7).
    None,
    /// Bytes become hinted strings, non-finite numbers are refused.
    Bytes,
    /// Bytes, non-finite numbers and integers beyond ±(2^53 − 1) become hinted strings (VAL-9).
    All,
}

/// Writes `value`, which stands at the JSON Pointer `at` of its message, and adds its hints to `hints`.
///
/// # Errors
/// [`ValueError`] with the place of what has no JSON form, or none that `hinting` allows (ERR-7, VAL-7). `hints`
/// is then as it was.
pub fn encode<T: Serialize + ?Sized>(
    value: &T,
    at: &str,
    hinting: Hinting,
    hints: &mut Hints,
) -> Result<Box<RawValue>, ValueError> {
    let mut writer =
        Writer { out: String::new(), pointer: at.to_owned(), hinting, found: Vec::new(), failed: None };
    let written = value.serialize(&mut writer);
    let Writer { out, found, failed, .. } = writer;
    let outermost = |problem| ValueError { pointer: at.to_owned(), problem };
    match (failed, written) {
        // A part failed, whatever the code around it made of that.
        (Some(error), _) => Err(error),
        (None, Err(Problem(problem))) => Err(outermost(problem)),
        (None, Ok(())) => {
            let text = RawValue::from_string(out).map_err(|error| outermost(error.to_string()))?;
            hints.extend(found);
            Ok(text)
        }
    }
}

/// What is wrong; where is known by the writer.
#[derive(Debug)]
pub(super) struct Problem(pub String);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}

impl ser::Error for Problem {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Problem(message.to_string())
    }
}

pub(super) type Written = Result<(), Problem>;

pub(super) struct Writer {
    pub out: String,
    /// The place of the value that is being written.
    pub pointer: String,
    hinting: Hinting,
    found: Vec<(String, Hint)>,
    /// The innermost failure.
    failed: Option<ValueError>,
}

impl Writer {
    pub fn display(&mut self, value: impl std::fmt::Display) -> Written {
        use std::fmt::Write;
        write!(self.out, "{value}").map_err(ser::Error::custom)
    }

    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.out.push_str(&serde_json::to_string(value).map_err(ser::Error::custom)?);
        Ok(())
    }

    pub fn text(&mut self, text: &str) -> Written {
        // Most strings need no escapes; serde_json knows how to write the others.
        if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.out.extend(["\"", text, "\""]);
            return Ok(());
        }
        self.json(text)
    }

    fn hinted(&mut self, text: &str, hint: Hint) -> Written {
        self.found.push((self.pointer.clone(), hint));
        self.text(text)
    }

    fn integer(&mut self, value: impl std::fmt::Display, magnitude: u128) -> Written {
        if magnitude > EXACT && self.hinting == Hinting::All {
            return self.hinted(&value.to_string(), Hint::Int);
        }
        self.display(value)
    }

    fn non_finite(&mut self, value: f64) -> Written {
        let name = match value {
            value if value.is_nan() => "NaN",
            value if value > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        if self.hinting == Hinting::All {
            return self.hinted(name, Hint::Float);
        }
        Err(Problem(format!("{name} is not JSON and can be sent only where hints are accepted (VAL-2)")))
    }

    /// Writes `value` as the value that stands at `token` below the current place.
    pub fn below<T: Serialize + ?Sized>(&mut self, token: &str, value: &T) -> Written {
        let here = self.pointer.len();
        push_token(&mut self.pointer, token);
        let written = value.serialize(&mut *self);
        if let (None, Err(Problem(problem))) = (&self.failed, &written) {
            self.failed = Some(ValueError { pointer: self.pointer.clone(), problem: problem.clone() });
        }
        self.pointer.truncate(here);
        written
    }

    pub fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Written {
        self.text(name)?;
        self.out.push(':');
        self.below(name, value)
    }

    fn open(&mut self, open: &str, close: &'static str, tokens: usize) -> Compound<'_> {
        self.out.push_str(open);
        Compound { writer: self, close, index: 0, tokens, name: String::new(), raw: false }
    }

    /// Opens the value of an enum's variant, as serde_json writes it: `{"variant": …}`.
    fn open_variant(
        &mut self,
        variant: &str,
        open: &str,
        close: &'static str,
    ) -> Result<Compound<'_>, Problem> {
        self.out.push('{');
        self.text(variant)?;
        self.out.push(':');
        let here = self.pointer.len();
        push_token(&mut self.pointer, variant);
        let tokens = self.pointer.len() - here;
        Ok(self.open(open, close, tokens))
    }
}

macro_rules! integers {
    ($($name:ident(|$value:ident: $type:ty| $magnitude:expr)),*) => {$(
        fn $name(self, $value: $type) -> Written {
            self.integer($value, u128::from($magnitude))
        }
    )*};
}

impl<'w> ser::Serializer for &'w mut Writer {
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
        self.display(value)
    }

    fn serialize_f32(self, value: f32) -> Written {
        if value.is_finite() { self.json(&value) } else { self.non_finite(value.into()) }
    }

    fn serialize_f64(self, value: f64) -> Written {
        if value.is_finite() { self.json(&value) } else { self.non_finite(value) }
    }

    fn serialize_char(self, value: char) -> Written {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        if self.hinting == Hinting::None {
            let problem = "bytes are not JSON and can be sent only where hints are accepted (VAL-7)";
            return Err(Problem(problem.to_owned()));
        }
        self.hinted(&STANDARD.encode(value), Hint::Base64)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
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
        self.out.push('{');
        self.member(variant, value)?;
        self.out.push('}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'w>, Problem> {
        Ok(self.open("[", "]", 0))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'w>, Problem> {
        Ok(self.open("[", "]", 0))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'w>, Problem> {
        Ok(self.open("[", "]", 0))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Problem> {
        self.open_variant(variant, "[", "]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'w>, Problem> {
        Ok(self.open("{", "}", 0))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'w>, Problem> {
        if name == RAW_VALUE {
            let mut raw = self.open("", "", 0);
            raw.raw = true;
            return Ok(raw);
        }
        Ok(self.open("{", "}", 0))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Problem> {
        self.open_variant(variant, "{", "}}")
    }
}
