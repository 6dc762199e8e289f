//! What the arbiter needs of a message, without parsing its payload.

use std::borrow::Cow;
use std::time::Duration;

use super::{Limits, Members, unescape};
use crate::message::{DecodeError, DirtyMessage, MessageError, MessageType, RequestId, Role, Timeout};

/// The head of a well-formed message: its type, its id, and where it goes. Borrows from the payload.
///
/// [`Head::read`] refuses exactly what [`DirtyMessage::decode`] refuses.
#[derive(Debug, Clone, PartialEq)]
pub enum Head<'a> {
    /// A request.
    Request {
        /// Its id.
        id: Cow<'a, str>,
        /// The app it is for.
        app_path: Cow<'a, str>,
        /// The action it calls.
        action: Cow<'a, str>,
        /// Its own limit (TIME-2).
        timeout: Option<Duration>,
    },
    /// The one result of a plain call.
    Response {
        /// The id of the request.
        id: Cow<'a, str>,
    },
    /// One item of a stream.
    Chunk {
        /// The id of the request.
        id: Cow<'a, str>,
    },
    /// The end of a stream.
    End {
        /// The id of the request.
        id: Cow<'a, str>,
    },
    /// An error.
    Error {
        /// The id of the request, or `None` when its sender could not read one (MSG-12).
        id: Option<Cow<'a, str>>,
        /// The type of the error (ERR-1).
        error_type: Cow<'a, str>,
    },
    /// The wish to end a request.
    Cancel {
        /// The id of the request.
        id: Cow<'a, str>,
    },
}

impl<'a> Head<'a> {
    /// Scans and judges a payload.
    ///
    /// # Errors
    /// [`DecodeError::Frame`] or [`DecodeError::Message`], as [`DirtyMessage::decode`].
    pub fn read(payload: &'a [u8], limits: &Limits) -> Result<Head<'a>, DecodeError> {
        let members = Members::read(payload, limits)?;
        let kind = DirtyMessage::check(&members)?;
        let head = Self::of(kind, &members);
        // `check` has seen every member that `of` looks for.
        Ok(head.unwrap_or(Head::Error { id: None, error_type: Cow::Borrowed("") }))
    }

    fn of(kind: MessageType, members: &Members<'a>) -> Option<Head<'a>> {
        let text = |name| members.get(name).and_then(|member| unescape(member.value).ok());
        let id = || text("id");
        Some(match kind {
            MessageType::Request => Head::Request {
                id: id()?,
                app_path: text("app_path")?,
                action: text("action")?,
                timeout: members.get("timeout").and_then(|member| duration(member.value)),
            },
            MessageType::Response => Head::Response { id: id()? },
            MessageType::Chunk => Head::Chunk { id: id()? },
            MessageType::End => Head::End { id: id()? },
            MessageType::Error => {
                let null = members.get("id").is_none_or(|member| member.value == "null");
                Head::Error { id: if null { None } else { id() }, error_type: error_type(members) }
            }
            MessageType::Cancel => Head::Cancel { id: id()? },
        })
    }

    /// The type of the message.
    pub fn message_type(&self) -> MessageType {
        match self {
            Head::Request { .. } => MessageType::Request,
            Head::Response { .. } => MessageType::Response,
            Head::Chunk { .. } => MessageType::Chunk,
            Head::End { .. } => MessageType::End,
            Head::Error { .. } => MessageType::Error,
            Head::Cancel { .. } => MessageType::Cancel,
        }
    }

    /// The id of the request that the message is about.
    pub fn id(&self) -> Option<&str> {
        match self {
            Head::Error { id, .. } => id.as_deref(),
            Head::Request { id, .. }
            | Head::Response { id }
            | Head::Chunk { id }
            | Head::End { id }
            | Head::Cancel { id } => Some(id),
        }
    }

    /// The type of an error (ERR-1).
    pub fn error_type(&self) -> Option<&str> {
        match self {
            Head::Error { error_type, .. } => Some(error_type),
            _ => None,
        }
    }

    /// Passes the head on if `sender` may send such a message.
    ///
    /// # Errors
    /// A [`MessageError`] that names the type and the sender (MSG-11).
    pub fn sent_by(self, sender: Role) -> Result<Self, DecodeError> {
        let kind = self.message_type();
        if kind.senders().contains(&sender) {
            return Ok(self);
        }
        let id = self.id().and_then(|id| RequestId::new(id).ok());
        Err(MessageError::not_allowed(kind, sender, id).into())
    }
}

/// The `error_type` inside an error message's `error`, which has been checked.
fn error_type<'a>(members: &Members<'a>) -> Cow<'a, str> {
    let limits = Limits { max_payload: u32::MAX, ..Limits::default() };
    let error = members.get("error").and_then(|error| Members::read(error.value.as_bytes(), &limits).ok());
    let name = error.as_ref().and_then(|error| unescape(error.get("error_type")?.value).ok());
    name.unwrap_or_default()
}

/// A `timeout` member's value, which has been checked to be a number of seconds in range.
fn duration(number: &str) -> Option<Duration> {
    let seconds: f64 = number.parse().ok()?;
    Timeout::new(seconds).ok().map(Duration::from)
}
