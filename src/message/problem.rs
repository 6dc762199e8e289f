//! What can be wrong with a message whose frame is good.

use super::{MessageType, RequestId, Role};
use crate::wire::{FrameError, JsonKind};

/// A bad message: a JSON object that is no message of the protocol. The connection it came on lives (MSG-5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad message at {}: {problem} ({requirement})", Pointer(pointer))]
pub struct MessageError {
    /// The id of the message, when it has one that may be used in the answer (MSG-5).
    pub id: Option<RequestId>,
    /// JSON Pointer (RFC 6901) to what is wrong. It names a missing member too; empty means the whole message.
    pub pointer: String,
    /// What is wrong there.
    pub problem: Problem,
    pub(super) requirement: &'static str,
}

impl MessageError {
    /// The id of the requirement that the message breaks.
    pub fn requirement(&self) -> &'static str {
        self.requirement
    }

    /// A message that `sender` may not send (MSG-11).
    pub fn not_allowed(message: MessageType, sender: Role, id: Option<RequestId>) -> Self {
        MessageError {
            id,
            pointer: "/type".to_owned(),
            problem: Problem::NotAllowed { message, sender },
            requirement: "MSG-11",
        }
    }
}

/// What is wrong at one place of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A required member is absent.
    #[error("missing member, expected {expected}")]
    Missing {
        /// What should have been there.
        expected: &'static str,
    },
    /// A value of the wrong JSON type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What should have been there.
        expected: &'static str,
        /// What was there.
        found: JsonKind,
    },
    /// A string that is too short or too long.
    #[error("expected {expected}, found one of {found}")]
    WrongLength {
        /// What should have been there.
        expected: &'static str,
        /// The length of what was there, in Unicode characters.
        found: usize,
    },
    /// A number outside its range, or a fraction where an integer is expected.
    #[error("expected {expected}, found {found}")]
    OutOfRange {
        /// What should have been there.
        expected: &'static str,
        /// The number as it stood in the message, shortened.
        found: String,
    },
    /// A string that is none of a closed list of names.
    #[error("expected {expected}, found {found:?}")]
    UnknownName {
        /// What should have been there.
        expected: &'static str,
        /// The string, shortened.
        found: String,
    },
    /// A message type that is not registered.
    #[error("unknown message type {found:?}")]
    UnknownType {
        /// The type, shortened.
        found: String,
    },
    /// A message type that this kind of socket does not serve.
    #[error("message type {found:?} is not served on this socket")]
    ReservedType {
        /// The type.
        found: String,
    },
    /// A message type that its sender may not send.
    #[error("the {sender} may not send messages of type {message}")]
    NotAllowed {
        /// The type of the message.
        message: MessageType,
        /// Who sent it.
        sender: Role,
    },
    /// A member that stands twice in the message.
    #[error("repeated member")]
    Repeated,
    /// A string, or a member's name, that is no Unicode text.
    #[error("lone surrogate escape, expected Unicode text")]
    LoneSurrogate,
    /// A NaN or Infinity literal.
    #[error("non-finite number literal, which is not JSON")]
    NonFinite,
    /// Arrays and objects nested too deeply.
    #[error("nested {depth} levels deep, expected at most {limit}")]
    TooDeep {
        /// The depth of the message.
        depth: usize,
        /// The receiver's limit.
        limit: usize,
    },
}

/// Why a payload is no message: a bad frame or a bad message. They have different consequences
/// (FRAME-7 closes the connection, MSG-5 does not).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The payload is not one JSON object.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The object is no message of the protocol.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl DecodeError {
    /// The id of the requirement that the payload breaks.
    pub fn requirement(&self) -> &'static str {
        match self {
            DecodeError::Frame(error) => error.requirement(),
            DecodeError::Message(error) => error.requirement(),
        }
    }
}

/// A value that cannot be part of a message, refused when it is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {name}: expected {expected}, found {found}")]
pub struct InvalidValue {
    /// The type that refused it.
    pub name: &'static str,
    /// What it accepts.
    pub expected: &'static str,
    /// What it was given, shortened.
    pub found: String,
}

/// Shows a JSON Pointer; the empty one in words.
struct Pointer<'a>(&'a str);

impl std::fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "the top level" } else { self.0 })
    }
}
