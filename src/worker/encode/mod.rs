//! Replies as frames, written straight into one reused buffer.
//!
//! A value is serialised once, into the frame that carries it. The encoder keeps the path to the value it is at,
//! so that what cannot be sent is refused by its JSON Pointer, and never written as something else: `serde_json`
//! would write NaN as `null` and bytes as a list of numbers.

mod compound;
mod key;
mod raw;
mod serializer;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::message::{Hint, RequestId};
use crate::wire::{HEADER_LEN, Limits, unescape};

/// Why a value cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0} is no JSON number (ERR-7); it can be sent if the request has \"accept_hints\": true")]
    NonFinite(&'static str),
    #[error("bytes have no JSON form (VAL-7); they can be sent if the request has \"accept_hints\": true")]
    Bytes,
    #[error("{0} cannot be the name of a member: expected a string (ERR-7)")]
    Key(&'static str),
    #[error("nested deeper than {0} levels (VAL-3)")]
    TooDeep(usize),
    #[error("the message would be longer than a frame may be, {0} bytes (ERR-8)")]
    TooLong(u32),
    #[error("{0} (ERR-7)")]
    Custom(String),
}

impl Fault {
    fn requirement(&self) -> &'static str {
        match self {
            Fault::NonFinite(_) | Fault::Key(_) | Fault::Custom(_) => "ERR-7",
            Fault::Bytes => "VAL-7",
            Fault::TooDeep(_) => "VAL-3",
            Fault::TooLong(_) => "ERR-8",
        }
    }
}

impl serde::ser::Error for Fault {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Fault::Custom(message.to_string())
    }
}

/// A result or item that cannot be sent: what is wrong, and where in the message (ERR-7).
#[derive(Debug, thiserror::Error)]
#[error("cannot send the value at {pointer}: {fault}")]
pub(crate) struct EncodeError {
    pub(crate) pointer: String,
    fault: Fault,
}

impl EncodeError {
    /// The requirement that the value breaks.
    pub(crate) fn requirement(&self) -> &'static str {
        self.fault.requirement()
    }
}

/// One step on the way to a value.
#[derive(Clone, Copy)]
enum Segment {
    Index(usize),
    /// A member; its name stands, as a JSON string, at these offsets of the buffer.
    Member(usize, usize),
}

/// Writes the replies to one request after the other.
pub(crate) struct Encoder {
    buffer: Vec<u8>,
    path: Vec<Segment>,
    hints: Vec<(String, Hint)>,
    /// The id of the request, as JSON text.
    id: Vec<u8>,
    /// The member of the message that holds the value.
    member: &'static str,
    accept_hints: bool,
    /// A part of the value has failed, whatever the code around it made of that.
    broken: bool,
    limits: Limits,
}

/// A buffer that grew beyond this for one message is not kept for the next.
const KEPT_CAPACITY: usize = 1024 * 1024;

impl Encoder {
    pub(crate) fn new(limits: Limits) -> Self {
        Encoder {
            buffer: Vec::new(),
            path: Vec::new(),
            hints: Vec::new(),
            id: Vec::new(),
            member: "",
            accept_hints: false,
            broken: false,
            limits,
        }
    }

    /// Takes up a request: what follows are its replies.
    pub(crate) fn begin(&mut self, id: &RequestId, accept_hints: bool) {
        self.id.clear();
        write_string(&mut self.id, id.as_str());
        self.accept_hints = accept_hints;
    }

    /// The frame of a `response`.
    pub(crate) fn response<T: Serialize + ?Sized>(&mut self, result: &T) -> Result<&[u8], EncodeError> {
        self.message("response", "result", result)
    }

    /// The frame of a `chunk`.
    pub(crate) fn chunk<T: Serialize + ?Sized>(&mut self, data: &T) -> Result<&[u8], EncodeError> {
        self.message("chunk", "data", data)
    }

    /// The frame of an `end`.
    pub(crate) fn end(&mut self) -> &[u8] {
        self.open("end");
        self.buffer.push(b'}');
        self.close()
    }

    fn message<T: Serialize + ?Sized>(
        &mut self,
        kind: &str,
        member: &'static str,
        value: &T,
    ) -> Result<&[u8], EncodeError> {
        self.open(kind);
        self.member = member;
        self.buffer.extend_from_slice(b",\"");
        self.buffer.extend_from_slice(member.as_bytes());
        self.buffer.extend_from_slice(b"\":");
        let written = value.serialize(&mut *self);
        if let Err(fault) = written.and_then(|()| self.conclude()) {
            return Err(EncodeError { pointer: self.pointer(), fault });
        }
        Ok(self.close())
    }

    fn open(&mut self, kind: &str) {
        if self.buffer.capacity() > KEPT_CAPACITY {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.path.clear();
        self.hints.clear();
        self.broken = false;
        self.buffer.extend_from_slice(&[0; HEADER_LEN]);
        self.buffer.extend_from_slice(b"{\"type\":\"");
        self.buffer.extend_from_slice(kind.as_bytes());
        self.buffer.extend_from_slice(b"\",\"id\":");
        self.buffer.extend_from_slice(&self.id);
    }

    /// Writes what follows the value.
    fn conclude(&mut self) -> Result<(), Fault> {
        self.path.clear();
        if self.broken {
            return Err(Fault::Custom("a part of it failed, and the failure was ignored".to_owned()));
        }
        if !self.hints.is_empty() {
            self.buffer.extend_from_slice(b",\"hints\":{");
            for (index, (pointer, hint)) in self.hints.iter().enumerate() {
                if index > 0 {
                    self.buffer.push(b',');
                }
                write_string(&mut self.buffer, pointer);
                self.buffer.push(b':');
                write_string(&mut self.buffer, hint.as_str());
            }
            self.buffer.push(b'}');
        }
        self.buffer.push(b'}');
        self.room(0)
    }

    /// Fills in the header.
    fn close(&mut self) -> &[u8] {
        let length = self.buffer.len() - HEADER_LEN;
        // Within the limit, which is a u32: `conclude` has seen to it, and an `end` is short.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.buffer[..HEADER_LEN].copy_from_slice(&length.to_be_bytes());
        &self.buffer
    }

    /// Whether `more` bytes still fit into the frame.
    fn room(&self, more: usize) -> Result<(), Fault> {
        let limit = self.limits.max_payload;
        if self.buffer.len() - HEADER_LEN + more > limit as usize {
            return Err(Fault::TooLong(limit));
        }
        Ok(())
    }

    fn push(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.room(text.len())?;
        self.buffer.extend_from_slice(text);
        Ok(())
    }

    fn string(&mut self, text: &str) -> Result<(), Fault> {
        self.room(text.len() + 2)?;
        write_string(&mut self.buffer, text);
        self.room(0)
    }

    /// The level at which an array or object stands that is opened here; the message itself is level 1.
    fn level(&self) -> usize {
        self.path.len() + 2
    }

    /// Opens an array or object.
    fn enter(&mut self, bracket: u8) -> Result<(), Fault> {
        if self.level() > self.limits.max_depth {
            return Err(Fault::TooDeep(self.limits.max_depth));
        }
        self.push(&[bracket])
    }

    /// Writes a string that stands for another value.
    fn hinted(&mut self, text: &str, hint: Hint) -> Result<(), Fault> {
        self.hint(hint);
        self.string(text)
    }

    fn hint(&mut self, hint: Hint) {
        let pointer = self.pointer();
        self.hints.push((pointer, hint));
    }

    /// The JSON Pointer to the value that is being written.
    fn pointer(&self) -> String {
        let mut pointer = format!("/{}", self.member);
        for segment in &self.path {
            pointer.push('/');
            match *segment {
                Segment::Index(index) => pointer.push_str(&index.to_string()),
                Segment::Member(start, end) => {
                    let token = std::str::from_utf8(&self.buffer[start..end]).unwrap_or_default();
                    let name = unescape(token).unwrap_or(std::borrow::Cow::Borrowed(token));
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                }
            }
        }
        pointer
    }
}

/// Appends `text` as a JSON string.
fn write_string(out: &mut Vec<u8>, text: &str) {
    use serde::Serializer as _;
    // Cannot fail: a Vec takes every write.
    let _ = serde_json::Serializer::new(out).serialize_str(text);
}
