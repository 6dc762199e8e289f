//! What a peer reads and writes, where it is not what the event loop works with: JSON.

use std::cell::{Cell, RefCell};

use bytes::{Bytes, BytesMut};

use super::answers;
use crate::DirtyError;
use crate::message::{ErrorMessage, MessageType, RequestId};
use crate::transcode::{Fault, GdFrame, Untranslatable, to_gd, to_json};
use crate::wire::gd::{HEADER_LEN, Header};
use crate::wire::{Codec, Frame, FrameError, Limits};

/// An error of the arbiter's own making, as a client of this codec reads it.
pub(super) fn error(codec: Codec, id: Option<RequestId>, error: DirtyError) -> Bytes {
    let number = id.as_ref().and_then(|id| id.as_str().parse().ok()).unwrap_or_default();
    let frame = answers::to_frame(ErrorMessage::new(id, error));
    match codec {
        Codec::Json => frame.into_bytes(),
        Codec::Gd => {
            to_gd(frame.payload(), MessageType::Error, number, &Limits::default()).unwrap_or_else(|_| {
                // Its texts are Unicode, its numbers small: seconds, signals, exit codes.
                unreachable!("an error of the arbiter's own that gd/1 cannot carry")
            })
        }
    }
}

/// A client's frame as JSON. Its id in the message layer is the number in its header (GD-10).
pub(super) fn from_client(frame: Bytes, limits: &Limits) -> Result<Frame, FromClient> {
    if Codec::of(&frame) == Codec::Json {
        return Ok(Frame::from_whole(frame));
    }
    let frame = GdFrame::read(&frame).map_err(FromClient::Frame)?;
    let id = frame.header.id.to_string();
    to_json(frame, Some(&id), true, limits).map_err(|fault| match fault {
        Fault::Frame(error) => FromClient::Frame(error),
        Fault::Value(error) => FromClient::Value { id, error },
    })
}

/// Why a client's frame is none.
pub(super) enum FromClient {
    Frame(FrameError),
    /// It cannot be relayed as JSON: it would be too long.
    Value {
        id: String,
        error: Untranslatable,
    },
}

/// How the worker and the client of one slot's present request speak.
#[derive(Debug, Default)]
pub(super) struct Hop {
    /// The worker's codec.
    pub worker: Codec,
    /// The client's.
    client: Cell<Codec>,
    /// Whether the client reads hints.
    hints: Cell<bool>,
    /// The number that the request has on this hop, and its id: a worker of `gd/1` reads no other ids than numbers.
    alias: RefCell<(u64, String)>,
}

impl Hop {
    /// The hop to a worker that speaks this codec.
    pub fn to(worker: Codec) -> Hop {
        Hop { worker, ..Hop::default() }
    }

    /// Whether frames pass as they are.
    pub fn is_plain(&self) -> bool {
        self.worker == Codec::Json && self.client.get() == Codec::Json
    }

    /// What the client of the next request reads.
    pub fn answers(&self, client: Codec) {
        self.client.set(client);
    }

    /// The request as a worker of `gd/1` reads it.
    pub fn begin(&self, id: &str, request: Bytes, limits: &Limits) -> Result<Bytes, Untranslatable> {
        let payload = &request[crate::wire::HEADER_LEN..];
        let members = crate::wire::Members::read(payload, limits);
        let reads_hints = |members: &crate::wire::Members<'_>| {
            members.get("accept_hints").is_some_and(|member| member.value == "true")
        };
        self.hints.set(members.as_ref().is_ok_and(reads_hints));
        let mut alias = self.alias.borrow_mut();
        alias.0 += 1;
        id.clone_into(&mut alias.1);
        to_gd(payload, MessageType::Request, alias.0, limits)
    }

    /// A worker's frame as JSON.
    pub fn read_worker(&self, frame: &Bytes, limits: &Limits) -> Result<Frame, FromWorker> {
        if Codec::of(frame) == Codec::Json {
            return Ok(Frame::from_whole(frame.clone()));
        }
        let frame = GdFrame::read(frame).map_err(FromWorker::Frame)?;
        let id = self.id_of(frame.header.id);
        let hints = self.hints.get() || self.client.get() == Codec::Gd;
        to_json(frame, id.as_deref(), hints, limits).map_err(|fault| match fault {
            Fault::Frame(error) => FromWorker::Frame(error),
            Fault::Value(error) => FromWorker::Value { id, kind: frame.header.kind, error },
        })
    }

    /// The id in the message layer of a number on this hop.
    fn id_of(&self, number: u64) -> Option<String> {
        let alias = self.alias.borrow();
        match number {
            _ if number == alias.0 => Some(alias.1.clone()),
            0 => None,
            // Of a request that has ended.
            _ => Some(number.to_string()),
        }
    }

    /// A reply as its client reads it: `frame` is what the worker sent, `json` the same as JSON.
    pub fn write_client(
        &self,
        frame: Bytes,
        json: &Frame,
        kind: MessageType,
        id: Option<&str>,
        limits: &Limits,
    ) -> Result<Bytes, Untranslatable> {
        if self.client.get() == Codec::Json {
            return Ok(json.clone().into_bytes());
        }
        // An id that is no number is none of a client of `gd/1`: the core drops the frame, whatever it is.
        let number = id.and_then(|id| id.parse().ok()).unwrap_or_default();
        if Codec::of(&frame) == Codec::Json {
            return to_gd(json.payload(), kind, number, limits);
        }
        let mut frame = BytesMut::from(frame);
        if let Ok(Some(header)) = Header::read(&frame) {
            frame[..HEADER_LEN].copy_from_slice(&Header { id: number, ..header }.to_bytes());
        }
        Ok(frame.freeze())
    }
}

/// Why a worker's frame has no counterpart.
pub(super) enum FromWorker {
    Frame(FrameError),
    Value { id: Option<String>, kind: u8, error: Untranslatable },
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str =
        r#"{"type":"request","id":"an id","app_path":"a:B","action":"c","args":[],"kwargs":{}}"#;

    fn request() -> Bytes {
        Frame::from_payload(REQUEST.as_bytes(), &Limits::default()).unwrap().into_bytes()
    }

    fn end(number: u64) -> Bytes {
        Bytes::copy_from_slice(&Header { kind: 5, length: 0, id: number }.to_bytes())
    }

    fn read(hop: &Hop, number: u64) -> String {
        let Ok(frame) = hop.read_worker(&end(number), &Limits::default()) else { panic!("no frame") };
        String::from_utf8(frame.payload().to_vec()).unwrap()
    }

    #[test]
    fn a_worker_of_numbers_answers_the_id_of_the_request_that_runs_and_of_no_earlier_one() {
        let hop = Hop::to(Codec::Gd);
        for number in 1..=3 {
            let sent = hop.begin("an id", request(), &Limits::default()).unwrap();
            assert_eq!(Header::read(&sent).unwrap().unwrap().id, number);
            assert_eq!(read(&hop, number), r#"{"type":"end","id":"an id"}"#);
            // A late one belongs to nobody, although the request before had the same id.
            assert!(!read(&hop, number - 1).contains("an id"));
        }
    }

    #[test]
    fn a_reply_gets_the_number_that_its_client_knows() {
        let hop = Hop::to(Codec::Gd);
        hop.answers(Codec::Gd);
        let _ = hop.begin("77", request(), &Limits::default()).unwrap();
        let Ok(json) = hop.read_worker(&end(1), &Limits::default()) else { panic!("no frame") };
        let sent = hop.write_client(end(1), &json, MessageType::End, Some("77"), &Limits::default()).unwrap();
        assert_eq!(sent, end(77));
    }
}
