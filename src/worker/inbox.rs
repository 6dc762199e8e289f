//! The receiving side of a slot: requests one after the other, and `cancel` at any time.

use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use crate::message::DirtyMessage;
use crate::wire::{Frame, FrameDecoder, FrameError, Limits};

/// Bytes read at a time.
const READ: usize = 64 * 1024;

/// How often, at most, a running action looks for a `cancel`: looking costs a system call.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// What ends a slot's connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a slot and the calls on it share.
pub(super) struct Link {
    inbox: Mutex<Inbox>,
    /// The number of the call that runs; 0 between calls.
    running: AtomicU64,
    /// The number of the last call that was cancelled.
    cancelled: AtomicU64,
}

/// The number of a call on its connection, from 1.
pub(super) type CallNumber = u64;

impl Link {
    pub(super) fn new(stream: UnixStream, limits: Limits) -> Arc<Self> {
        Arc::new(Link {
            inbox: Mutex::new(Inbox::new(stream, limits)),
            running: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
        })
    }

    /// Waits for the next frame; `None` when the peer has closed the connection between frames.
    pub(super) fn next_frame(&self) -> Result<Option<Frame>, Broken> {
        self.lock().next_frame()
    }

    /// Starts a call: from here on a `cancel` with this id is for it. One may have come together with the request.
    pub(super) fn begin(&self, id: &str) -> CallNumber {
        let mut inbox = self.lock();
        inbox.calls += 1;
        id.clone_into(&mut inbox.id);
        if inbox.sort() {
            self.cancelled.store(inbox.calls, Ordering::Release);
        }
        self.running.store(inbox.calls, Ordering::Release);
        inbox.calls
    }

    /// Ends the call that runs.
    pub(super) fn finish(&self) {
        self.running.store(0, Ordering::Release);
    }

    /// Whether the call has been cancelled, or has ended. Never waits.
    pub(super) fn is_cancelled(&self, call: CallNumber) -> bool {
        if self.running.load(Ordering::Acquire) != call || self.was_cancelled(call) {
            return true;
        }
        // Whoever else holds the lock is looking too, or waits for the next request: then this call has just ended.
        let Ok(mut inbox) = self.inbox.try_lock() else { return false };
        // Before the lock was taken the call may have ended and another begun.
        if inbox.calls == call && inbox.due() {
            self.look(&mut inbox);
        }
        drop(inbox);
        self.was_cancelled(call)
    }

    /// Whether the call is known to have been cancelled.
    pub(super) fn was_cancelled(&self, call: CallNumber) -> bool {
        self.cancelled.load(Ordering::Acquire) == call
    }

    /// Reads what has arrived. Never waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] unless the running call is now known to be cancelled.
    pub(super) fn look_now(&self) -> io::Result<()> {
        if self.look(&mut self.lock()) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn look(&self, inbox: &mut Inbox) -> bool {
        let cancelled = inbox.look();
        if cancelled {
            self.cancelled.store(inbox.calls, Ordering::Release);
        }
        cancelled
    }

    /// Whether reading on could still bring a `cancel`.
    pub(super) fn is_open(&self) -> bool {
        self.lock().is_open()
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // Nothing in here panics half-way through a change.
        self.inbox.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The bytes and frames that have arrived.
struct Inbox {
    stream: UnixStream,
    decoder: FrameDecoder,
    scratch: Box<[u8]>,
    limits: Limits,
    /// A frame that came while a call ran and is no `cancel`. No arbiter sends one (WORK-3).
    later: Option<Frame>,
    /// What is wrong with the stream.
    fault: Option<Broken>,
    at_end: bool,
    calls: CallNumber,
    /// The id of the call that runs, or ran last.
    id: String,
    looked: Instant,
}

impl Inbox {
    fn new(stream: UnixStream, limits: Limits) -> Self {
        Inbox {
            stream,
            decoder: FrameDecoder::new(limits),
            scratch: vec![0; READ].into_boxed_slice(),
            limits,
            later: None,
            fault: None,
            at_end: false,
            calls: 0,
            id: String::new(),
            looked: Instant::now(),
        }
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Broken> {
        if let Some(frame) = self.later.take() {
            return Ok(Some(frame));
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(frame));
            }
            if self.at_end {
                self.decoder.finish()?;
                return Ok(None);
            }
            match (&self.stream).read(&mut self.scratch) {
                Ok(0) => self.at_end = true,
                Ok(read) => self.decoder.push(&self.scratch[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The other end is gone; so is whoever waited for an answer.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.at_end = true,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_open(&self) -> bool {
        !self.at_end && self.fault.is_none() && self.later.is_none()
    }

    /// Whether it is time to look again.
    fn due(&mut self) -> bool {
        let now = Instant::now();
        let due = now.duration_since(self.looked) >= LOOK_EVERY;
        if due {
            self.looked = now;
        }
        due
    }

    /// Reads what has arrived, without waiting, up to a `cancel` for the running call. Whether it came.
    fn look(&mut self) -> bool {
        while self.is_open() {
            match recv(self.stream.as_raw_fd(), &mut self.scratch, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => self.at_end = true,
                Ok(read) => self.decoder.push(&self.scratch[..read]),
                Err(Errno::EINTR) => continue,
                // EAGAIN: nothing more now. Anything else: the next read will say so again.
                Err(_) => return false,
            }
            if self.sort() {
                return true;
            }
        }
        false
    }

    /// Takes up what has arrived, up to a frame that is no `cancel`. Whether one for the running call was there.
    fn sort(&mut self) -> bool {
        loop {
            let frame = match self.later.take() {
                Some(frame) => frame,
                None => match self.decoder.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => return false,
                    Err(error) => {
                        self.fault = Some(error.into());
                        return false;
                    }
                },
            };
            match DirtyMessage::decode(frame.payload(), &self.limits) {
                Ok(DirtyMessage::Cancel(cancel)) if cancel.id.as_str() == self.id => return true,
                // For another call, which has ended (CANCEL-2).
                Ok(DirtyMessage::Cancel(_)) => {}
                _ => {
                    self.later = Some(frame);
                    return false;
                }
            }
        }
    }
}
