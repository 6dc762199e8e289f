//! What the value types of the messages have in common, and a few conveniences of single ones.

use std::time::Duration;

use super::{ErrorType, RawData, Seconds, Timeout};

/// The inherent functions and conversions of a string type with a length in Unicode characters.
macro_rules! text_type {
    ($name:ident, $min:literal, $max:literal, $expected:literal) => {
        impl $name {
            /// The longest value, in Unicode characters.
            pub const MAX_CHARACTERS: usize = $max;

            /// Checks the length of `text` and takes it.
            ///
            /// # Errors
            /// [`InvalidValue`](crate::message::InvalidValue) when it is too short or too long.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::message::InvalidValue> {
                let text = text.into();
                match $crate::message::read::wrong_length(&text, $min, $max) {
                    None => Ok($name(text)),
                    Some(characters) => Err($crate::message::InvalidValue {
                        name: stringify!($name),
                        expected: $expected,
                        found: format!("one of {characters}"),
                    }),
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub(crate) fn read(
                value: &$crate::message::read::Value<'_, '_>,
            ) -> $crate::message::read::Read<Self> {
                let text = $crate::message::read::bounded(value, $min, $max)?;
                Ok($name(text.into_owned()))
            }

            pub(super) fn check(
                value: &$crate::message::read::Value<'_, '_>,
            ) -> $crate::message::read::Read<()> {
                $crate::message::read::bounded(value, $min, $max).map(|_| ())
            }

            pub(super) fn write(&self, out: &mut Vec<u8>) {
                $crate::message::write::text(out, &self.0);
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::message::InvalidValue;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::message::InvalidValue;
            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::message::InvalidValue;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}
pub(super) use text_type;

/// The inherent functions and conversions of a number type with a range, given as a condition on `$value`.
macro_rules! number_type {
    ($name:ident, |$value:ident| $accept:expr, $expected:literal) => {
        impl $name {
            fn accepts($value: f64) -> bool {
                $accept
            }

            /// Checks the range of `value` and takes it.
            ///
            /// # Errors
            /// [`InvalidValue`](crate::message::InvalidValue) when it is out of range or not a number.
            pub fn new(value: f64) -> Result<Self, $crate::message::InvalidValue> {
                if Self::accepts(value) {
                    return Ok($name(value));
                }
                let found = value.to_string();
                Err($crate::message::InvalidValue { name: stringify!($name), expected: $expected, found })
            }

            /// The number.
            pub fn get(self) -> f64 {
                self.0
            }

            pub(super) fn read(
                value: &$crate::message::read::Value<'_, '_>,
            ) -> $crate::message::read::Read<Self> {
                $crate::message::read::number(value, Self::accepts).map($name)
            }

            pub(super) fn check(
                value: &$crate::message::read::Value<'_, '_>,
            ) -> $crate::message::read::Read<()> {
                Self::read(value).map(|_| ())
            }

            pub(super) fn write(&self, out: &mut Vec<u8>) {
                $crate::message::write::number(out, self.0);
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<f64> for $name {
            type Error = $crate::message::InvalidValue;
            fn try_from(value: f64) -> Result<Self, Self::Error> {
                Self::new(value)
            }
        }
    };
}
pub(super) use number_type;

macro_rules! durations {
    ($($name:ident),*) => {$(
        impl From<$name> for Duration {
            fn from(seconds: $name) -> Duration {
                // In range by construction: neither negative nor near the end of Duration.
                Duration::try_from_secs_f64(seconds.get()).unwrap_or(Duration::MAX)
            }
        }

        impl TryFrom<Duration> for $name {
            type Error = super::InvalidValue;
            fn try_from(duration: Duration) -> Result<Self, Self::Error> {
                Self::new(duration.as_secs_f64())
            }
        }
    )*};
}
durations!(Seconds, Timeout);

impl RawData {
    /// The first 100 bytes of `bytes`, in hexadecimal.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
        let shown = &bytes[..bytes.len().min(Self::MAX_CHARACTERS / 2)];
        RawData(shown.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
    }
}

impl ErrorType {
    /// The type to act upon: a name that is not registered counts as `DirtyError` (ERR-2).
    pub fn known(&self) -> &ErrorType {
        if matches!(self, ErrorType::Other(_)) { &ErrorType::DirtyError } else { self }
    }
}
