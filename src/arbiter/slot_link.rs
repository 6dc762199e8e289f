//! One slot's connection to its worker: relays the worker's frames by way of the core.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use nix::errno::Errno;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::codec::{FromWorker, Hop};
use super::core::{Event, ReplyKind, SlotId, Violation};
use super::hub::{Hub, SlotLink};
use super::intake::Intake;
use super::outbox::Outbox;
use super::stream::Stream;
use crate::message::{DecodeError, RequestId, Role};
use crate::wire::gd::Kind;
use crate::wire::{Codec, FrameDecoder, HEADER_LEN, Head, Limits, Members, unescape};

/// How long a worker may take no more connections (WORK-2).
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause before another try to connect.
const PAUSE: Duration = Duration::from_millis(50);

/// Connects a slot and serves it until its worker or the arbiter ends the connection.
pub(super) async fn run(hub: Rc<Hub>, slot: SlotId) {
    match connect(slot, &hub.worker_socket(slot.worker)).await {
        Ok(stream) => serve(hub, slot, Stream::Socket(stream)).await,
        Err(error) => {
            let what = format!("said READY but cannot be connected to: {error}");
            hub.feed(Event::SlotBroken { slot, violation: Some(Violation { requirement: "WORK-2", what }) });
        }
    }
}

/// Serves a slot until its worker or the arbiter ends the connection.
pub(super) async fn serve(hub: Rc<Hub>, slot: SlotId, stream: Stream) {
    let stream = Rc::new(stream);
    let link = Rc::new(SlotLink {
        outbox: Outbox::new(Rc::clone(&stream)),
        hop: Hop::to(hub.worker_codecs.borrow().get(&slot.worker).copied().unwrap_or_default()),
        paused_by: RefCell::default(),
    });
    hub.slots.borrow_mut().insert(slot, Rc::clone(&link));
    hub.feed(Event::SlotOpened(slot));
    hub.pool_changed.notify_one();
    let violation = read_replies(&hub, slot, &stream, &link).await;
    hub.slots.borrow_mut().remove(&slot);
    hub.feed(Event::SlotBroken { slot, violation });
}

/// Connects to a worker. One that takes no more connections, because its backlog is full, has some time to accept; a shortage
/// of this process's own is no fault of the worker's, and passes or not.
async fn connect(slot: SlotId, path: &Path) -> io::Result<UnixStream> {
    let patience = Instant::now() + PATIENCE;
    let mut is_news = true;
    loop {
        let error = match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let is_news = std::mem::take(&mut is_news);
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EAGAIN) if Instant::now() < patience => {
                if is_news {
                    tracing::debug!(%slot, "a worker takes no more connections: trying again");
                }
            }
            Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                if is_news {
                    tracing::warn!(%slot, %error, "failed to connect to a worker: trying again");
                }
            }
            _ => return Err(error),
        }
        sleep(PAUSE).await;
    }
}

/// Reads until the connection ends; returns how the worker broke the protocol, if it did.
async fn read_replies(hub: &Hub, slot: SlotId, stream: &Rc<Stream>, link: &SlotLink) -> Option<Violation> {
    let limits = hub.config().limits;
    let mut intake =
        Intake::new(Rc::clone(stream), limits, link.hop.worker == Codec::Gd, Rc::clone(&hub.buffers));
    let mut replies = Replies { hub, slot, hop: &link.hop, limits, run: Run::default() };
    loop {
        wait_for_reader(hub, link).await;
        let read = intake.read().await;
        let taken = match read {
            // A worker that dies in the middle of a frame is dead, not faulty: its exit says how.
            Ok(0) | Err(_) => Ok(()),
            Ok(_) => replies.take(&mut intake.decoder),
        };
        hub.flush();
        intake.keep();
        match (read, taken) {
            (_, Err(violation)) => return Some(violation),
            (Ok(0) | Err(_), Ok(())) => return None,
            (Ok(_), Ok(())) => (),
        }
    }
}

/// Reads no more from the worker while its client's buffer is full: the kernel then stops the worker (STREAM-10).
async fn wait_for_reader(hub: &Hub, link: &SlotLink) {
    loop {
        let Some(client) = link.paused_by.borrow().clone() else { return };
        if client.waiting() <= hub.config().client_buffer / 2 || client.is_dead() {
            link.paused_by.replace(None);
            return;
        }
        client.progressed().await;
    }
}

/// What a worker sends on one slot.
struct Replies<'a> {
    hub: &'a Hub,
    slot: SlotId,
    hop: &'a Hop,
    limits: Limits,
    run: Run,
}

/// Chunks of one stream that have come one after the other: they are relayed together.
#[derive(Default)]
struct Run {
    id: String,
    frames: u32,
    /// How many bytes they are on the wire.
    length: usize,
}

impl Replies<'_> {
    /// Feeds every whole frame to the core.
    fn take(&mut self, decoder: &mut FrameDecoder) -> Result<(), Violation> {
        loop {
            let frame = match decoder.frame_at(self.run.length) {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    self.relay_run(decoder);
                    return Ok(());
                }
                Err(error) => {
                    self.relay_run(decoder);
                    return Err(Violation { requirement: error.requirement(), what: error.to_string() });
                }
            };
            if !self.hop.is_plain() || Codec::of(frame) != Codec::Json {
                let length = frame.len();
                self.relay_run(decoder);
                self.translate(decoder.take(length))?;
                continue;
            }
            let (payload, length) = (&frame[HEADER_LEN..], frame.len());
            match Head::read(payload, &self.limits).and_then(|head| head.sent_by(Role::Worker)) {
                Ok(Head::Chunk { id }) => {
                    if self.run.frames == 0 || self.run.id != id {
                        let id = id.into_owned();
                        self.relay_run(decoder);
                        self.run.id = id;
                    }
                    self.run.frames += 1;
                    self.run.length += length;
                }
                Ok(head) => {
                    let Some(kind) = kind_of(&head) else { return Ok(()) };
                    let id = head.id().map(str::to_owned);
                    let error_type = head.error_type().map(str::to_owned);
                    self.relay_run(decoder);
                    let frame = decoder.take(length);
                    let (id, error_type) = (id.as_deref(), error_type.as_deref());
                    let slot = self.slot;
                    self.hub.on(Event::Reply { slot, kind, id, error_type, frames: 1, frame });
                }
                Err(error) => {
                    let frame = Bytes::copy_from_slice(payload);
                    self.relay_run(decoder);
                    decoder.take(length);
                    self.refuse(&frame, error)?;
                }
            }
        }
    }

    /// Feeds a frame to the core that its client reads in another form, or that its worker wrote in another.
    fn translate(&self, frame: Bytes) -> Result<(), Violation> {
        let slot = self.slot;
        let json = match self.hop.read_worker(&frame, &self.limits) {
            Ok(json) => json,
            Err(FromWorker::Frame(error)) => {
                return Err(Violation { requirement: error.requirement(), what: error.to_string() });
            }
            Err(FromWorker::Value { id, kind, error }) => {
                let kind = if kind == Kind::Chunk as u8 { ReplyKind::Chunk } else { ReplyKind::Response };
                let id = id.as_deref().unwrap_or_default();
                self.hub.on(Event::Unrelayable { slot, kind, id, problem: error.to_string() });
                return Ok(());
            }
        };
        let head = match Head::read(json.payload(), &self.limits).and_then(|head| head.sent_by(Role::Worker))
        {
            Ok(head) => head,
            Err(error) => return self.refuse(json.payload(), error),
        };
        let Some(kind) = kind_of(&head) else { return Ok(()) };
        let (id, error_type) = (head.id(), head.error_type());
        match self.hop.write_client(frame, &json, head.message_type(), id, &self.limits) {
            Ok(frame) => self.hub.on(Event::Reply { slot, kind, id, error_type, frames: 1, frame }),
            Err(error) => {
                let id = id.unwrap_or_default();
                self.hub.on(Event::Unrelayable { slot, kind, id, problem: error.to_string() });
            }
        }
        Ok(())
    }

    /// Feeds a bad message to the core. The error is that of a payload that is none.
    fn refuse(&self, payload: &[u8], error: DecodeError) -> Result<(), Violation> {
        let violation = Violation { requirement: error.requirement(), what: error.to_string() };
        let kind = intended_kind(payload, &self.limits);
        let DecodeError::Message(error) = error else { return Err(violation) };
        let id = error.id.as_ref().map(RequestId::as_str);
        self.hub.on(Event::BadReply { slot: self.slot, kind, id, violation });
        Ok(())
    }

    /// Feeds the chunks that were seen and not taken yet to the core.
    fn relay_run(&mut self, decoder: &mut FrameDecoder) {
        let Run { frames, length, .. } = self.run;
        if frames > 0 {
            let frame = decoder.take(length);
            let (slot, kind, id) = (self.slot, ReplyKind::Chunk, Some(self.run.id.as_str()));
            self.hub.on(Event::Reply { slot, kind, id, error_type: None, frames, frame });
            (self.run.frames, self.run.length) = (0, 0);
        }
    }
}

/// What a message of a worker's is; nothing else than these is let through.
fn kind_of(head: &Head<'_>) -> Option<ReplyKind> {
    match head {
        Head::Chunk { .. } => Some(ReplyKind::Chunk),
        Head::Response { .. } => Some(ReplyKind::Response),
        Head::End { .. } => Some(ReplyKind::End),
        Head::Error { .. } => Some(ReplyKind::Error),
        Head::Request { .. } | Head::Cancel { .. } => None,
    }
}

/// What a bad message was meant to be: whether its worker has ended the request with it.
fn intended_kind(payload: &[u8], limits: &Limits) -> Option<ReplyKind> {
    let members = Members::read(payload, limits).ok()?;
    match unescape(members.get("type")?.value).ok()?.as_ref() {
        "response" => Some(ReplyKind::Response),
        "chunk" => Some(ReplyKind::Chunk),
        "end" => Some(ReplyKind::End),
        "error" => Some(ReplyKind::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};

    use super::super::core::WorkerId;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_takes_no_connection_is_waited_for_but_not_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("w1");
        let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &UnixAddr::new(&path).unwrap()).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let slot = SlotId { worker: WorkerId(1), index: 0 };
        let begun = Instant::now();
        let _first = connect(slot, &path).await.unwrap();
        let error = connect(slot, &path).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(begun.elapsed() >= PATIENCE);
        // What does not pass is not waited for.
        std::fs::remove_file(&path).unwrap();
        let begun = Instant::now();
        assert_eq!(connect(slot, &path).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
