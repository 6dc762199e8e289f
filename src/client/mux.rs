//! Which reply belongs to which call: the client's side of the correlation rules, without any I/O.
//!
//! One [`Mux`] goes with one connection. It gives every request an id of its own making, says what each frame
//! from the arbiter means for whom, and says when the connection has to be closed. Both clients of this crate
//! are built on it, and so can be others.
//!
//! An id is a random part, drawn once per connection, and a counter: `5c0f…9b2e-17`. The random part makes ids
//! unique among all clients (CORR-8). The counter settles for good, with the memory of one integer, which ids
//! were ever sent on the connection: those of lower number. So the table holds only calls that somebody waits
//! for, a late frame for any other is dropped however late it comes (CORR-3), and a frame with an id that was
//! never sent is recognised with certainty (CORR-4).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure;
use crate::error::DirtyError;
use crate::message::{CancelMessage, DecodeError, DirtyMessage, ErrorType, Hints, RequestId, RequestMessage};
use crate::values;
use crate::wire::{Frame, Limits, Members};

/// What the caller asked for, which the wire does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// One result.
    Execute,
    /// A stream of items.
    Stream,
}

/// A call on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u64);

/// A result or an item: JSON text, and what it says about values that JSON does not have.
#[derive(Debug, Clone)]
pub struct Payload {
    /// The text, as the worker wrote it.
    pub value: Box<RawValue>,
    /// The hints of the message (VAL-5).
    pub hints: Option<Hints>,
    /// Where the value stands in its message: `/result` or `/data`.
    pub pointer: &'static str,
}

impl Payload {
    /// Reads the value, honouring the hints.
    ///
    /// # Errors
    /// `DirtyError`, naming the place of what is not of type `T`.
    pub fn decode<'de, T: Deserialize<'de>>(&'de self) -> Result<T, DirtyError> {
        values::decode(&self.value, self.pointer, self.hints.as_ref()).map_err(failure::unreadable)
    }
}

/// What a frame means.
#[derive(Debug)]
pub enum Delivery {
    /// An item for a stream. The call goes on.
    Item(CallId, Payload),
    /// The last that a call gets: a result, the end of a stream (`None`), or an error.
    Last(CallId, Result<Option<Payload>, DirtyError>),
    /// A call ends here with this error, but the arbiter does not know it yet: the cancel is to be sent (CALL-9).
    Refused {
        /// The call.
        call: CallId,
        /// What its caller gets.
        error: DirtyError,
        /// What the arbiter gets.
        cancel: Frame,
    },
    /// Nobody waits for it (CORR-3), or it is about the connection and answers no call (CORR-10).
    Dropped,
}

/// The calls of one connection.
#[derive(Debug)]
pub struct Mux {
    prefix: String,
    /// The number of the next call; all lower ones have been used.
    next: u64,
    waiting: HashMap<u64, Waiting>,
    notice: Option<DirtyError>,
    limits: Limits,
}

#[derive(Debug)]
struct Waiting {
    kind: CallKind,
    /// Whether a chunk has come: from then on it is a stream.
    streaming: bool,
}

impl Mux {
    /// The multiplexer of a new connection.
    pub fn new(limits: Limits) -> Self {
        let prefix = uuid::Uuid::new_v4().simple().to_string();
        Mux { prefix, next: 0, waiting: HashMap::new(), notice: None, limits }
    }

    /// Takes up a call: gives the request its id and makes its frame, which is to be sent.
    ///
    /// # Errors
    /// `DirtyProtocolError` when the request would be a bad message or exceed the frame limit. Nothing is to be sent
    /// then, and the connection is as it was.
    pub fn begin(
        &mut self,
        kind: CallKind,
        request: &mut RequestMessage,
    ) -> Result<(CallId, Frame), DirtyError> {
        let number = self.next;
        request.id = self.id(number)?;
        let frame = self.frame_of(request)?;
        self.next += 1;
        self.waiting.insert(number, Waiting { kind, streaming: false });
        Ok((CallId(number), frame))
    }

    /// Ends a call whose caller no longer waits. If it was still in flight, returns the cancel to be sent
    /// (STREAM-7); what still comes for it is dropped.
    pub fn leave(&mut self, call: CallId) -> Option<Frame> {
        self.waiting.remove(&call.0)?;
        self.cancel(call)
    }

    /// Says what a frame means: [`decode`](Self::decode) and [`on_message`](Self::on_message).
    ///
    /// # Errors
    /// `DirtyProtocolError` when the connection cannot be trusted any further: a bad frame, a bad message, or an id
    /// that was never sent (FRAME-12, CORR-4). It is to be closed, and every call on it gets this error.
    pub fn on_frame(&mut self, frame: &Frame) -> Result<Delivery, DirtyError> {
        self.on_message(Self::decode(frame, &self.limits)?)
    }

    /// Decodes a frame. It needs no multiplexer, so a large frame need not be decoded behind a lock.
    ///
    /// # Errors
    /// `DirtyProtocolError` when it is a bad frame or a bad message.
    pub fn decode(frame: &Frame, limits: &Limits) -> Result<DirtyMessage, DirtyError> {
        DirtyMessage::decode(frame.payload(), limits)
            .map_err(|error| failure::bad_reply(&error, frame.payload()))
    }

    /// Says what a message means.
    ///
    /// # Errors
    /// `DirtyProtocolError` when no arbiter may send it, or its id was never sent.
    pub fn on_message(&mut self, message: DirtyMessage) -> Result<Delivery, DirtyError> {
        let Some(id) = message.request_id() else {
            if let DirtyMessage::Error(message) = message {
                self.notice = Some(message.error.into());
            }
            return Ok(Delivery::Dropped);
        };
        if matches!(message, DirtyMessage::Request(_) | DirtyMessage::Cancel(_)) {
            return Err(failure::not_for_clients(message.message_type()));
        }
        let number = self.number(id).ok_or_else(|| failure::foreign_id(id))?;
        let Some(waiting) = self.waiting.get_mut(&number) else { return Ok(Delivery::Dropped) };
        let kind = waiting.kind;
        let after_chunk = std::mem::replace(&mut waiting.streaming, true);
        if after_chunk && matches!(message, DirtyMessage::Response(_)) {
            return Err(failure::response_in_stream());
        }
        Ok(self.deliver(CallId(number), kind, message))
    }

    /// The last error with id null: it is about the connection, and the cause if the connection closes next (CORR-10).
    pub fn notice(&self) -> Option<&DirtyError> {
        self.notice.as_ref()
    }

    /// How many calls are waited for.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn deliver(&mut self, call: CallId, kind: CallKind, message: DirtyMessage) -> Delivery {
        let payload = |value, hints, pointer| Payload { value, hints, pointer };
        match (message, kind) {
            (DirtyMessage::Chunk(chunk), CallKind::Stream) => {
                Delivery::Item(call, payload(chunk.data, chunk.hints, "/data"))
            }
            (DirtyMessage::Chunk(_), CallKind::Execute) => {
                let error = failure::not_a_plain_result();
                match self.leave(call) {
                    Some(cancel) => Delivery::Refused { call, error, cancel },
                    None => Delivery::Last(call, Err(error)),
                }
            }
            (DirtyMessage::Response(response), _) => {
                self.last(call, Ok(Some(payload(response.result, response.hints, "/result"))))
            }
            (DirtyMessage::End(_), CallKind::Stream) => self.last(call, Ok(None)),
            (DirtyMessage::End(_), CallKind::Execute) => self.last(call, Err(failure::not_a_plain_result())),
            (DirtyMessage::Error(message), _) => self.last(call, Err(message.error.into())),
            // Refused before.
            (DirtyMessage::Request(_) | DirtyMessage::Cancel(_), _) => Delivery::Dropped,
        }
    }

    fn last(&mut self, call: CallId, outcome: Result<Option<Payload>, DirtyError>) -> Delivery {
        self.waiting.remove(&call.0);
        Delivery::Last(call, outcome)
    }

    fn cancel(&self, call: CallId) -> Option<Frame> {
        let message = DirtyMessage::from(CancelMessage::new(self.id(call.0).ok()?));
        // Fails only under a limit so small that no request fits either.
        message.to_frame(&self.limits).ok()
    }

    fn id(&self, number: u64) -> Result<RequestId, DirtyError> {
        RequestId::new(format!("{}-{number}", self.prefix)).map_err(failure::invalid)
    }

    /// The number of the call that was sent with this id; only the one spelling that was sent counts.
    fn number(&self, id: &RequestId) -> Option<u64> {
        let digits = id.as_str().strip_prefix(&self.prefix)?.strip_prefix('-')?;
        let number: u64 = digits.parse().ok()?;
        let spelled_alike = !digits.starts_with('+') && (digits == "0" || !digits.starts_with('0'));
        (spelled_alike && number < self.next).then_some(number)
    }

    fn frame_of(&self, request: &mut RequestMessage) -> Result<Frame, DirtyError> {
        // Lent to a message for as long as it takes to write it.
        let stand_in =
            RequestMessage::new(request.id.clone(), request.app_path.clone(), request.action.clone());
        let message = DirtyMessage::from(std::mem::replace(request, stand_in));
        let payload = message.encode();
        if let DirtyMessage::Request(lent) = message {
            *request = lent;
        }
        let frame =
            Frame::from_payload(&payload, &self.limits).map_err(|error| failure::own_frame(&error))?;
        let check = |members: Members<'_>| DirtyMessage::check(&members).map_err(DecodeError::from);
        Members::read(&payload, &self.limits)
            .map_err(DecodeError::from)
            .and_then(check)
            .map_err(|error| failure::own_message(&error))?;
        Ok(frame)
    }
}

/// Why a connection that ended takes its calls with it: the arbiter's own words, if it left any (ERR-10).
pub(super) fn cause_of_end(mux: &Mux, error: DirtyError) -> DirtyError {
    match mux.notice() {
        Some(notice) if error.error_type() == &ErrorType::DirtyConnectionError => {
            failure::after_notice(notice)
        }
        _ => error,
    }
}
