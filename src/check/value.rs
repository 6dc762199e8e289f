//! A JSON value as the kit sees it: nothing a wire may legally carry is lost or refused.
//!
//! `serde_json::Value` cannot hold what the protocol allows: integers of any size (VAL-4), lone surrogates
//! (VAL-8), 512 levels of nesting (VAL-3); with `raw_value` its parser also knows a magic member that a peer could
//! send. This one keeps numbers as their text, compares integers exactly, and refuses an object that has
//! a member twice, which no two parsers read alike.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};

use indexmap::IndexMap;

use super::number::Number;
use super::parse;
pub use super::parse::ValueError;

/// The deepest value that the kit reads; beyond it a transcript says `raw`.
pub const MAX_DEPTH: usize = 1024;

/// The members of an object, in the order in which they stood.
pub type Object = IndexMap<Text, Value>;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number: kept as written, equal by value.
    Number(Number),
    /// Any string, lone surrogates included.
    String(Text),
    /// An array.
    Array(Vec<Value>),
    /// An object; equality does not look at the order of its members.
    Object(Object),
}

/// A JSON string: Unicode text, or UTF-16 code units when it escapes half a surrogate pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Unicode text.
    Unicode(String),
    /// Code units among which at least one surrogate stands alone.
    Units(Vec<u16>),
}

impl Value {
    /// Parses a JSON text of any type.
    ///
    /// # Errors
    /// [`ValueError`]: not JSON, a non-finite literal, a member twice in one object, or deeper than [`MAX_DEPTH`].
    pub fn parse(text: &[u8]) -> Result<Value, ValueError> {
        parse::parse(text)
    }

    /// A string value.
    pub fn string(text: impl Into<String>) -> Value {
        Value::String(Text::Unicode(text.into()))
    }

    /// What it is, with its article: "an object".
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }

    /// Whether both have the same JSON type.
    pub fn same_kind(&self, other: &Value) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The member `name`, when this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get(name)
    }

    /// The members, when this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items, when this is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The text, when this is a string of Unicode text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(Text::Unicode(text)) => Some(text),
            _ => None,
        }
    }

    /// The number, when this is an integer from 0 to 2⁶⁴−1.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// The truth value, when this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The compact JSON text, cut to about `limit` bytes for a reader; says how long the whole is when cut.
    pub fn excerpt(&self, limit: usize) -> String {
        excerpt(&self.to_string(), limit)
    }
}

/// `text` cut to about `limit` bytes; says how long the whole is when cut.
pub fn excerpt(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_string();
    }
    let cut = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… ({} bytes)", &text[..cut], text.len())
}

/// Compact JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::String(text) => write!(f, "{text}"),
            Value::Array(items) => {
                f.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index > 0 { "," } else { "" })?;
                    item.fmt(f)?;
                }
                f.write_char(']')
            }
            Value::Object(members) => {
                f.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{name}:{value}", if index > 0 { "," } else { "" })?;
                }
                f.write_char('}')
            }
        }
    }
}

impl Text {
    /// The string that `token` (quotes included) stands for; the token has been found legal.
    pub(super) fn from_token(token: &str) -> Text {
        match crate::wire::unescape(token) {
            Ok(text) => Text::Unicode(text.into_owned()),
            Err(_) => Text::Units(units(token)),
        }
    }

    /// The string as Unicode text; lone surrogates become U+FFFD.
    pub fn lossy(&self) -> Cow<'_, str> {
        match self {
            Text::Unicode(text) => Cow::Borrowed(text),
            Text::Units(units) => Cow::Owned(String::from_utf16_lossy(units)),
        }
    }
}

/// The UTF-16 code units of a string token that escapes a lone surrogate.
fn units(token: &str) -> Vec<u16> {
    let body = token.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(token);
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(character) = rest.chars().next() {
        let length = match rest.as_bytes() {
            [b'\\', b'u', ..] => {
                let unit = rest.get(2..6).and_then(|digits| u16::from_str_radix(digits, 16).ok());
                out.push(unit.unwrap_or(0xFFFD));
                6.min(rest.len())
            }
            [b'\\', other, ..] => {
                out.push(match other {
                    b'b' => 0x08,
                    b'f' => 0x0C,
                    b'n' => 0x0A,
                    b'r' => 0x0D,
                    b't' => 0x09,
                    other => u16::from(*other),
                });
                2
            }
            _ => {
                out.extend(character.encode_utf16(&mut [0; 2]).iter());
                character.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

/// The string as a JSON token.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        match self {
            Text::Unicode(text) => write_escaped(f, text)?,
            Text::Units(units) => {
                for decoded in char::decode_utf16(units.iter().copied()) {
                    match decoded {
                        Ok(character) => write_escaped(f, character.encode_utf8(&mut [0; 4]))?,
                        Err(lone) => write!(f, "\\u{:04x}", lone.unpaired_surrogate())?,
                    }
                }
            }
        }
        f.write_char('"')
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        f.write_str(&text[plain..at])?;
        plain = at + 1;
        match byte {
            b'"' => f.write_str("\\\"")?,
            b'\\' => f.write_str("\\\\")?,
            b'\n' => f.write_str("\\n")?,
            b'\r' => f.write_str("\\r")?,
            b'\t' => f.write_str("\\t")?,
            0x08 => f.write_str("\\b")?,
            0x0C => f.write_str("\\f")?,
            control => write!(f, "\\u{control:04x}")?,
        }
    }
    f.write_str(&text[plain..])
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Text::Unicode(text) => text.hash(state),
            Text::Units(units) => units.hash(state),
        }
    }
}

/// Lets members be looked up by plain text.
impl indexmap::Equivalent<Text> for str {
    fn equivalent(&self, key: &Text) -> bool {
        matches!(key, Text::Unicode(text) if text == self)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::Unicode(text.to_string())
    }
}

/// A JSON Pointer (RFC 6901) under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// The pointer to the member or item `token` of what this one points to.
    #[must_use]
    pub fn join(&self, token: impl fmt::Display) -> Pointer {
        let token = token.to_string().replace('~', "~0").replace('/', "~1");
        Pointer(format!("{}/{token}", self.0))
    }

    /// The pointer as RFC 6901 writes it; empty for the whole document.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number, from 1, of the step that it points into, when the document is a transcript.
    pub fn step(&self) -> Option<usize> {
        let index: usize = self.0.strip_prefix("/steps/")?.split('/').next()?.parse().ok()?;
        Some(index + 1)
    }
}

/// The pointer itself; the whole document reads "the top level".
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the top level" } else { &self.0 })
    }
}
