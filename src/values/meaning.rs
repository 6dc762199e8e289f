//! What a hinted string stands for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::message::Hint;

/// What a hinted string stands for (VAL-5).
pub(super) enum Meaning<'t> {
    Bytes(Vec<u8>),
    /// An integer of any size, as JSON writes it.
    Integer(&'t str),
    Float(f64),
}

impl<'t> Meaning<'t> {
    /// Reads a string as its hint says.
    ///
    /// # Errors
    /// What the string would have to be.
    pub fn of(text: &'t str, hint: Hint) -> Result<Self, &'static str> {
        match hint {
            Hint::Base64 => {
                let bytes = STANDARD.decode(text.as_bytes());
                bytes.map(Meaning::Bytes).map_err(|_| "base64 with padding, as its hint says (VAL-5)")
            }
            Hint::Float => match text {
                "NaN" => Ok(Meaning::Float(f64::NAN)),
                "Infinity" => Ok(Meaning::Float(f64::INFINITY)),
                "-Infinity" => Ok(Meaning::Float(f64::NEG_INFINITY)),
                _ => Err("\"NaN\", \"Infinity\" or \"-Infinity\", as its hint says (VAL-5)"),
            },
            Hint::Int if is_integer(text) => Ok(Meaning::Integer(text)),
            Hint::Int => Err("a decimal integer, as its hint says (VAL-5)"),
        }
    }
}

/// Whether `text` is an integer as JSON writes it.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits[0] != b'0')
}
