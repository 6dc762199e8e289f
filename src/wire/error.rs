//! What can be wrong with a frame: its length, its end, or its text.

use super::JsonKind;
use super::gd::TlvError;

/// A bad frame. The connection it came on cannot be trusted any further (FRAME-7, FRAME-12).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The header announced a payload of 0 bytes.
    #[error("frame with an empty payload: expected a length of at least 1 byte (FRAME-3)")]
    Empty,
    /// The header announced more than the receiver's limit.
    #[error("frame of {length} bytes: expected at most {limit} bytes (FRAME-3)")]
    TooLarge {
        /// The announced length, in bytes; `usize` because an outgoing payload may exceed a `u32`.
        length: usize,
        /// The limit, in bytes.
        limit: u32,
    },
    /// The stream ended inside a header.
    #[error("connection ended inside a frame header: got {got} of 4 bytes (FRAME-9)")]
    TruncatedHeader {
        /// Bytes of the header that had arrived.
        got: usize,
    },
    /// The stream ended inside a payload.
    #[error("connection ended inside a payload: got {got} of {expected} bytes (FRAME-9)")]
    TruncatedPayload {
        /// Bytes of the payload that had arrived.
        got: usize,
        /// The announced length, in bytes.
        expected: usize,
    },
    /// The payload is not UTF-8.
    #[error("payload is not UTF-8: invalid byte at offset {offset} (FRAME-10)")]
    NotUtf8 {
        /// Offset of the first invalid byte in the payload.
        offset: usize,
    },
    /// The payload is not one JSON text.
    #[error("payload is not JSON: {0} (FRAME-10)")]
    NotJson(JsonError),
    /// The payload is JSON, but not an object.
    #[error("payload is {found}: expected an object (FRAME-10)")]
    NotObject {
        /// What it is.
        found: JsonKind,
    },
    /// A frame that begins like one of `gd/1` and goes on otherwise.
    #[error("frame begins with {:02x} {:02x}: expected 47 44 (GD-2)", found[0], found[1])]
    BadMagic {
        /// Its first bytes.
        found: [u8; 2],
    },
    /// A frame of `gd/1` of another version.
    #[error("frame of version {found}: expected 1 (GD-2)")]
    BadVersion {
        /// The version.
        found: u8,
    },
    /// The stream ended inside a header of `gd/1`.
    #[error("connection ended inside a frame header: got {got} of 16 bytes (GD-3)")]
    TruncatedGdHeader {
        /// Bytes of the header that had arrived.
        got: usize,
    },
    /// The payload is not one dict of typed values.
    #[error("payload is not a dict of typed values: {0} (GD-5)")]
    NotTlv(TlvError),
    /// A frame of the other codec than the connection's first.
    #[error("frame of another codec than the first of its connection (GD-9)")]
    OtherCodec,
}

impl FrameError {
    /// The requirement that the frame broke.
    pub fn requirement(&self) -> &'static str {
        match self {
            FrameError::Empty | FrameError::TooLarge { .. } => "FRAME-3",
            FrameError::TruncatedHeader { .. } | FrameError::TruncatedPayload { .. } => "FRAME-9",
            FrameError::NotUtf8 { .. } | FrameError::NotJson(_) | FrameError::NotObject { .. } => "FRAME-10",
            FrameError::BadMagic { .. } | FrameError::BadVersion { .. } => "GD-2",
            FrameError::TruncatedGdHeader { .. } => "GD-3",
            FrameError::NotTlv(_) => "GD-5",
            FrameError::OtherCodec => "GD-9",
        }
    }

    /// Where in the payload the fault is, in bytes, when it has a place.
    pub fn offset(&self) -> Option<usize> {
        match self {
            FrameError::NotUtf8 { offset } => Some(*offset),
            FrameError::NotJson(error) => Some(error.offset),
            FrameError::NotTlv(error) => Some(error.offset),
            _ => None,
        }
    }
}

/// Where and how a text departs from JSON (RFC 8259).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {offset}")]
pub struct JsonError {
    /// Byte offset in the payload.
    pub offset: usize,
    /// What was found there.
    pub kind: JsonErrorKind,
}

/// The ways in which a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The text ended inside a value.
    #[error("unexpected end of text, expected {expected}")]
    UnexpectedEnd {
        /// What would have been legal.
        expected: &'static str,
    },
    /// A character that cannot stand here.
    #[error("unexpected {found:?}, expected {expected}")]
    Unexpected {
        /// The character.
        found: char,
        /// What would have been legal.
        expected: &'static str,
    },
    /// An unescaped control character in a string.
    #[error("unescaped control character U+{0:04X} in a string")]
    ControlCharacter(u8),
    /// A backslash followed by something else than an escape.
    #[error("invalid escape in a string")]
    InvalidEscape,
    /// A number with a missing digit.
    #[error("number without a digit where one is required")]
    InvalidNumber,
    /// A misspelt `true`, `false` or `null`.
    #[error("invalid literal, expected true, false or null")]
    InvalidLiteral,
    /// Text after the value.
    #[error("text after the end of the value")]
    TrailingText,
    /// A byte order mark before the value.
    #[error("byte order mark")]
    ByteOrderMark,
}
