//! Values that are JSON text already (`serde_json::value::RawValue`): they go out byte for byte.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::encode::Problem;
use super::writer::{Writer, Written};

impl Writer {
    /// Writes the one field of a `RawValue`, a string.
    pub(super) fn raw<T: Serialize + ?Sized>(&mut self, field: &T) -> Written {
        // A formatter takes a string as it is, and refuses arrays and objects.
        let mut sink = Sink { writer: self, written: Ok(()) };
        let formatted = write!(sink, "{}", AsDisplay(field));
        let written = sink.written;
        written.and(formatted.map_err(|_| Problem::Custom("raw JSON that is no text".to_owned())))
    }

    fn raw_text(&mut self, text: &str) -> Written {
        if is_large_integer(text.as_bytes()) {
            return self.large_integer(text);
        }
        if is_deeper(text.as_bytes(), self.levels_left()) {
            return Err(self.too_deep());
        }
        self.push(text)
    }
}

/// Shows a value that serializes as a string: `fmt::Formatter` is a serializer too.
struct AsDisplay<'v, T: ?Sized>(&'v T);

impl<T: Serialize + ?Sized> fmt::Display for AsDisplay<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

/// Takes the text, and keeps what is wrong with it.
struct Sink<'w> {
    writer: &'w mut Writer,
    written: Written,
}

impl fmt::Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.written.is_ok() {
            self.written = self.writer.raw_text(text);
        }
        self.written.as_ref().map_err(|_| fmt::Error).copied()
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
fn is_deeper(text: &[u8], limit: usize) -> bool {
    // Most values have fewer brackets than there are levels, wherever those stand.
    if text.len() / 2 <= limit || text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() <= limit {
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
