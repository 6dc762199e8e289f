//! The messages of the protocol.
//!
//! The types are generated from `schemas/dirty-v1.schema.json`, which is normative. A message is decoded in one
//! pass over its members; payload values (`args`, `kwargs`, `result`, `data`) stay text and are never parsed.
//!
//! ```
//! use dirty_arbiter::message::{DirtyMessage, RequestMessage};
//! use dirty_arbiter::wire::Limits;
//!
//! let payload = br#"{"type":"request","id":"1","app_path":"shop:Cart","action":"add","args":[1.10],"kwargs":{}}"#;
//! let message = DirtyMessage::decode(payload, &Limits::default())?;
//! let DirtyMessage::Request(request) = &message else { panic!("not a request") };
//! assert_eq!(request.args[0].get(), "1.10");
//! assert_eq!(message.encode(), payload);
//!
//! let error = DirtyMessage::decode(br#"{"type":"end","id":7}"#, &Limits::default()).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "bad message at /id: expected a string of 1 to 256 characters, found a number (MSG-7)"
//! );
//! # Ok::<(), dirty_arbiter::message::DecodeError>(())
//! ```

#[rustfmt::skip]
mod generated;
mod locate;
mod make;
mod problem;
pub(crate) mod read;
mod role;
#[cfg(feature = "schema")]
pub(crate) mod schema;
#[cfg(test)]
mod tests;
mod values;
pub(crate) mod write;

pub use generated::*;
pub use problem::{DecodeError, InvalidValue, MessageError, Problem};
pub use role::Role;
#[cfg(feature = "schema")]
pub use schema::{JsonValue, derived_schema};

use std::borrow::Cow;

use read::{Fault, Object};

use crate::wire::{self, Frame, FrameError, JsonKind, Limits, Members};

impl DirtyMessage {
    /// Decodes the payload of a frame.
    ///
    /// # Errors
    /// [`DecodeError::Frame`] when the payload is not one JSON object, [`DecodeError::Message`] when the object is
    /// no message.
    pub fn decode(payload: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        Ok(Self::from_members(&Members::read(payload, limits)?)?)
    }

    /// Decodes a message whose members have been read.
    ///
    /// # Errors
    /// A [`MessageError`] with the first thing that is wrong, in the order of the schema, whatever the order in
    /// the text (FRAME-11).
    pub fn from_members(members: &Members<'_>) -> Result<Self, MessageError> {
        let read = |object: &Object<'_, '_>| DirtyMessage::read(kind_of(members)?, object);
        judge(members, read)
    }

    /// Judges a message without building it: fails exactly when [`from_members`](Self::from_members) does, and
    /// allocates next to nothing.
    ///
    /// # Errors
    /// As [`from_members`](Self::from_members).
    pub fn check(members: &Members<'_>) -> Result<MessageType, MessageError> {
        judge(members, |object| {
            let kind = kind_of(members)?;
            DirtyMessage::check_as(kind, object).map(|()| kind)
        })
    }

    /// The JSON text of the message: all members of its type in the order of the schema, optional ones if they
    /// are set, payload values byte for byte.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        self.write(&mut out);
        out
    }

    /// The message as a frame.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] when the text is longer than a frame may be (FRAME-3).
    pub fn to_frame(&self, limits: &Limits) -> Result<Frame, FrameError> {
        Frame::from_payload(&self.encode(), limits)
    }

    /// The id of the request that the message is about; `None` only for an error whose id is null.
    pub fn id(&self) -> Option<&str> {
        self.request_id().map(RequestId::as_str)
    }

    /// Whether the message ends its request (CALL-1).
    pub fn is_terminal(&self) -> bool {
        self.message_type().is_terminal()
    }

    /// Passes the message on if `sender` may send it.
    ///
    /// # Errors
    /// A [`MessageError`] that names the type and the sender (MSG-11).
    pub fn sent_by(self, sender: Role) -> Result<Self, MessageError> {
        let message = self.message_type();
        if message.senders().contains(&sender) {
            return Ok(self);
        }
        Err(MessageError::not_allowed(message, sender, self.request_id().cloned()))
    }
}

/// The id of a message, if it is one that may be used in an answer: there once, and well-formed (MSG-5, MSG-7).
pub fn readable_id(members: &Members<'_>) -> Option<RequestId> {
    let mut named = members.iter().filter(|member| member.key == "id");
    let member = named.next()?;
    if member.kind != JsonKind::String || named.next().is_some() {
        return None;
    }
    RequestId::new(wire::unescape(member.value).ok()?).ok()
}

/// Judges the message as a whole, then lets `read` judge its members.
pub(crate) fn judge<T>(
    members: &Members<'_>,
    read: impl FnOnce(&Object<'_, '_>) -> read::Read<T>,
) -> Result<T, MessageError> {
    whole(members)
        .and_then(|()| read(&Object::top(members.iter().as_slice())))
        .map_err(|fault| fault.with_id(readable_id(members)))
}

/// The rules that no schema can state.
fn whole(members: &Members<'_>) -> read::Read<()> {
    let summary = members.summary();
    let limits = members.limits();
    let limit = limits.max_depth;
    if let Some(offset) = summary.non_finite.filter(|_| !limits.allow_non_finite) {
        let pointer = locate::at_offset(members.iter().as_slice(), offset);
        return Err(Box::new(Fault { pointer, problem: Problem::NonFinite, requirement: "VAL-2" }));
    }
    if summary.depth > limit {
        let problem = Problem::TooDeep { depth: summary.depth, limit };
        return Err(Box::new(Fault { pointer: String::new(), problem, requirement: "VAL-3" }));
    }
    if let Some(name) = members.first_duplicate() {
        let mut pointer = String::new();
        read::push_token(&mut pointer, &read::excerpt(name));
        return Err(Box::new(Fault { pointer, problem: Problem::Repeated, requirement: "MSG-6" }));
    }
    Ok(())
}

/// The registered type that the member `type` names.
fn kind_of(members: &Members<'_>) -> read::Read<MessageType> {
    let name = type_name(members)?;
    let fault = |problem, requirement| Box::new(Fault { pointer: "/type".to_owned(), problem, requirement });
    match MessageType::from_name(&name) {
        Some(kind) => Ok(kind),
        None if RESERVED.contains(&&*name) => {
            Err(fault(Problem::ReservedType { found: name.into_owned() }, "EXT-1"))
        }
        None => Err(fault(Problem::UnknownType { found: read::excerpt(&name) }, "MSG-11")),
    }
}

/// What the member `type` says.
pub(crate) fn type_name<'a>(members: &Members<'a>) -> read::Read<Cow<'a, str>> {
    let expected = "the name of a message type, a string";
    let fault = |problem| Box::new(Fault { pointer: "/type".to_owned(), problem, requirement: "MSG-1" });
    let Some(member) = members.get("type") else {
        return Err(fault(Problem::Missing { expected }));
    };
    if member.kind != JsonKind::String {
        return Err(fault(Problem::WrongType { expected, found: member.kind }));
    }
    wire::unescape(member.value).map_err(|_| fault(Problem::LoneSurrogate))
}

/// Message types with a meaning that a call socket does not serve (EXT-1).
const RESERVED: [&str; 3] = ["status", "manage", "stash"];
