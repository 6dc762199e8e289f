//! A worker on paused time: what takes time is done here, everything else by the library's own host.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::Shutdown;
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::pipe::End;
use crate::DirtyError;
use crate::message::{
    ChunkMessage, DecodeError, DirtyMessage, EndMessage, ErrorMessage, RequestMessage, ResponseMessage,
};
use crate::wire::{Frame, FrameDecoder, Limits};
use crate::worker::{Setup, Worker};

/// What stands for a worker process. Its actions run in a host inside this process, and take no time there.
#[derive(Debug)]
pub(super) struct VirtualWorker {
    setup: Setup,
    _host: Worker,
    /// The exit code, once an action has ended the process.
    exit: Cell<Option<i32>>,
    pub died: Notify,
}

impl VirtualWorker {
    /// Starts a worker that listens at `socket`.
    pub fn start(socket: &Path, apps: &[String], threads: usize) -> Rc<VirtualWorker> {
        let setup = Setup::new(socket, apps).with_threads(NonZeroUsize::new(threads).unwrap());
        let host = crate::apps::host().start(&setup).unwrap();
        Rc::new(VirtualWorker { setup, _host: host, exit: Cell::new(None), died: Notify::new() })
    }

    /// Its exit code, if it has ended.
    pub fn exit(&self) -> Option<i32> {
        self.exit.get()
    }

    /// Serves one slot until either side ends it.
    pub async fn serve(self: Rc<Self>, arbiter: End) {
        let host = UnixStream::connect(&self.setup.socket).unwrap();
        let slot = Slot {
            worker: Rc::clone(&self),
            arbiter,
            host,
            requests: FrameDecoder::new(Limits::default()),
            replies: FrameDecoder::new(Limits::default()),
            later: VecDeque::new(),
        };
        tokio::select! {
            // An error is the end of the connection.
            _ = slot.serve() => (),
            () = self.died.notified() => (),
        }
    }
}

/// One connection of the arbiter's.
struct Slot {
    worker: Rc<VirtualWorker>,
    arbiter: End,
    host: UnixStream,
    requests: FrameDecoder,
    replies: FrameDecoder,
    /// Frames that came while a request was running.
    later: VecDeque<Frame>,
}

impl Slot {
    async fn serve(mut self) -> io::Result<()> {
        loop {
            let Some(frame) = self.next_frame().await? else { return self.hand_over().await };
            match DirtyMessage::decode(frame.payload(), &Limits::default()) {
                Ok(DirtyMessage::Request(request)) => match Pastime::of(&request) {
                    Some(pastime) => self.pass(&request, pastime).await?,
                    None => self.ask(&frame).await?,
                },
                // Nothing comes back for it.
                Ok(DirtyMessage::Cancel(_)) => self.host.write_all(frame.as_bytes())?,
                Ok(_) | Err(DecodeError::Message(_)) => self.ask(&frame).await?,
                Err(DecodeError::Frame(_)) => {
                    self.host.write_all(frame.as_bytes())?;
                    return self.hand_over().await;
                }
            }
        }
    }

    /// The next frame; `None` when the bytes have ended, or are none.
    async fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        if let Some(frame) = self.later.pop_front() {
            return Ok(Some(frame));
        }
        loop {
            match self.requests.next_frame() {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => (),
                Err(_) => return Ok(None),
            }
            self.arbiter.readable().await?;
            match self.arbiter.try_read_buf(self.requests.buffer_mut()) {
                Ok(0) => return Ok(None),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => (),
            }
        }
    }

    /// Has the host deal with bytes that make no frame, or have ended, and ends the connection as it does.
    async fn hand_over(mut self) -> io::Result<()> {
        let _ = self.host.write_all(self.requests.buffered());
        self.host.shutdown(Shutdown::Write)?;
        let mut rest = Vec::new();
        let _ = self.host.read_to_end(&mut rest);
        self.write(rest.into()).await
    }

    /// Has the host answer a frame.
    async fn ask(&mut self, frame: &Frame) -> io::Result<()> {
        self.host.write_all(frame.as_bytes())?;
        loop {
            let Some(reply) = self.read_reply()? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            // So the host begins each message; reading them whole would cost more than all the rest.
            let goes_on = reply.payload().starts_with(br#"{"type":"chunk""#);
            self.write(reply.into_bytes()).await?;
            if !goes_on {
                return Ok(());
            }
            // The arbiter's turn: it may have something to say about the stream.
            tokio::task::yield_now().await;
            while let Some(frame) = self.next_frame_now()? {
                match DirtyMessage::decode(frame.payload(), &Limits::default()) {
                    Ok(DirtyMessage::Cancel(_)) => self.host.write_all(frame.as_bytes())?,
                    _ => self.later.push_back(frame),
                }
            }
        }
    }

    /// The host's next frame. Waits for it in real time: no other passes meanwhile.
    fn read_reply(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.replies.next_frame().map_err(io::Error::other)? {
                return Ok(Some(frame));
            }
            let mut bytes = [0; 64 * 1024];
            match self.host.read(&mut bytes)? {
                0 => return Ok(None),
                count => self.replies.push(&bytes[..count]),
            }
        }
    }

    fn next_frame_now(&mut self) -> io::Result<Option<Frame>> {
        match self.arbiter.try_read_buf(self.requests.buffer_mut()) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => (),
        }
        Ok(self.requests.next_frame().ok().flatten())
    }

    async fn write(&self, bytes: Bytes) -> io::Result<()> {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            self.arbiter.writable().await?;
            match self.arbiter.try_write_vectored(&[IoSlice::new(&bytes)]) {
                Ok(written) => bytes.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn say(&self, message: impl Into<DirtyMessage>) -> io::Result<()> {
        let frame = message.into().to_frame(&Limits::default()).map_err(io::Error::other)?;
        self.write(frame.into_bytes()).await
    }

    /// Does what takes time.
    async fn pass(&mut self, request: &RequestMessage, pastime: Pastime) -> io::Result<()> {
        let id = request.id.clone();
        let cancelled = match pastime {
            Pastime::Sleep { seconds, tag } => {
                if !self.is_cancelled_within(request, seconds).await? {
                    return self.say(ResponseMessage::new(id, tag)).await;
                }
                true
            }
            Pastime::Count { n, seconds } => {
                let mut cancelled = false;
                for number in 0..n {
                    if number > 0 && self.is_cancelled_within(request, seconds).await? {
                        cancelled = true;
                        break;
                    }
                    let data = serde_json::value::to_raw_value(&number).map_err(io::Error::other)?;
                    self.say(ChunkMessage::new(id.clone(), data)).await?;
                }
                cancelled
            }
            Pastime::Die { code } => {
                self.worker.exit.set(Some(code));
                self.worker.died.notify_waiters();
                return std::future::pending().await;
            }
        };
        if cancelled {
            let error = DirtyError::cancelled()
                .with_app_path(request.app_path.clone())
                .with_action(request.action.clone());
            return self.say(ErrorMessage::new(Some(id), error)).await;
        }
        self.say(EndMessage::new(id)).await
    }

    /// Lets time pass; whether the request was cancelled meanwhile.
    async fn is_cancelled_within(&mut self, request: &RequestMessage, time: Duration) -> io::Result<bool> {
        let end = tokio::time::Instant::now() + time;
        let mut later = std::mem::take(&mut self.later);
        let cancelled = loop {
            let frame = match tokio::time::timeout_at(end, self.next_frame()).await {
                Err(_) => break false,
                Ok(frame) => frame?,
            };
            let Some(frame) = frame else {
                // Nothing more comes; the work goes on.
                tokio::time::sleep_until(end).await;
                break false;
            };
            match DirtyMessage::decode(frame.payload(), &Limits::default()) {
                Ok(DirtyMessage::Cancel(cancel)) if cancel.id == request.id => break true,
                Ok(DirtyMessage::Cancel(_)) => (),
                _ => later.push_back(frame),
            }
        };
        self.later = later;
        Ok(cancelled)
    }
}

/// An action of the fixture that takes time, or ends the process.
enum Pastime {
    Sleep { seconds: Duration, tag: Box<RawValue> },
    Count { n: u64, seconds: Duration },
    Die { code: i32 },
}

impl Pastime {
    fn of(request: &RequestMessage) -> Option<Pastime> {
        let number = |index: usize| request.args.get(index)?.get().parse::<f64>().ok();
        let seconds = |index| Duration::try_from_secs_f64(number(index)?).ok();
        match (request.app_path.as_str(), request.action.as_str(), request.args.len()) {
            ("fixture:App", "sleep", 2) => {
                Some(Pastime::Sleep { seconds: seconds(0)?, tag: request.args[1].clone() })
            }
            ("fixture:App", "slow_count", 2) => {
                Some(Pastime::Count { n: request.args[0].get().parse().ok()?, seconds: seconds(1)? })
            }
            ("fixture:App", "die", 1) => Some(Pastime::Die { code: request.args[0].get().parse().ok()? }),
            _ => None,
        }
    }
}
