//! Numbers: kept as written, compared as numbers.

use std::fmt;

/// A JSON number, as written.
///
/// Two integers (no fraction, no exponent) are equal when they are the same integer, however large; any other pair
/// is compared as IEEE 754 doubles. So `1`, `1.0` and `10e-1` are equal, and 9007199254740993 is not
/// 9007199254740992.
#[derive(Debug, Clone)]
pub struct Number(String);

impl Number {
    /// The number that `text` writes, which has been found a legal JSON number.
    pub(super) fn from_text(text: &str) -> Number {
        Number(text.to_string())
    }

    /// The number as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest double; infinite beyond their range.
    pub fn as_f64(&self) -> f64 {
        // Every JSON number is a legal float literal of Rust.
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The number, when it is written as an integer from 0 to 2⁶⁴−1.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The text, when it writes an integer without fraction or exponent; negative zero is zero.
    fn as_integer(&self) -> Option<&str> {
        match self.0.as_str() {
            "-0" => Some("0"),
            text if text.contains(['.', 'e', 'E']) => None,
            text => Some(text),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        match (self.as_integer(), other.as_integer()) {
            (Some(one), Some(other)) => one == other,
            _ => self.as_f64() == other.as_f64(),
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Number {
        Number(number.to_string())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
