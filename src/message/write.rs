//! Writes messages as JSON text; the generated encoders are made of these functions.

use indexmap::IndexMap;
use serde_json::value::RawValue;

/// A string, with no more escapes than JSON demands.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(control >> 4), digit(control & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

/// `true` or `false`.
pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// A finite number; Rust prints the shortest decimal that reads back as the same value, without an exponent.
pub(crate) fn number(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    out.extend_from_slice(value.to_string().as_bytes());
}

/// A payload value, byte for byte.
pub(super) fn raw(out: &mut Vec<u8>, value: &RawValue) {
    out.extend_from_slice(value.get().as_bytes());
}

/// An array of payload values.
pub(super) fn raw_list(out: &mut Vec<u8>, values: &[Box<RawValue>]) {
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        raw(out, value);
    }
    out.push(b']');
}

/// An object of payload values.
pub(super) fn raw_map(out: &mut Vec<u8>, values: &IndexMap<String, Box<RawValue>>) {
    map(out, values, |out, value| raw(out, value));
}

/// An object whose values are all written the same way.
pub(super) fn map<T>(out: &mut Vec<u8>, values: &IndexMap<String, T>, write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'{');
    for (index, (name, value)) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        write(out, value);
    }
    out.push(b'}');
}

/// A value or null.
pub(super) fn nullable<T>(out: &mut Vec<u8>, value: &Option<T>, write: impl Fn(&mut Vec<u8>, &T)) {
    match value {
        Some(value) => write(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

/// Whether two writers write the same text.
pub(super) fn same(one: impl Fn(&mut Vec<u8>), other: impl Fn(&mut Vec<u8>)) -> bool {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    one(&mut left);
    other(&mut right);
    left == right
}

/// Writes the members of one object, with commas between those that are there.
pub(crate) struct Members<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl<'o> Members<'o> {
    pub fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Members { out, first: true }
    }

    /// Begins a member; the value is to be written to what this returns. The name must need no escapes.
    pub fn name(&mut self, name: &str) -> &mut Vec<u8> {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Further members, as they stand.
    pub fn others(&mut self, values: &IndexMap<String, Box<RawValue>>) {
        for (name, value) in values {
            self.comma();
            text(self.out, name);
            self.out.push(b':');
            raw(self.out, value);
        }
    }

    pub fn close(self) {
        self.out.push(b'}');
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }
}
