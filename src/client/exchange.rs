//! Everything about one connection but its socket: shared by the clients, and without any I/O.
//!
//! Callers start calls, wait for events and leave; a driver (a task or threads) moves the bytes. They meet here,
//! behind a lock, and wake each other through `std::task::Waker`s, which a thread can have as well as a task.
//!
//! Flow: a stream whose unread items cost more than [`Flow::pause_at`] is *full*. While a stream is full, the
//! connection is read only for the sake of a caller that waits and has nothing: without one the driver stops
//! reading, and the socket pushes back to the worker. With one, reading goes on, and a stream that would come to
//! hold more than [`Flow::end_at`] ends with an error. So memory is bounded, a slow reader alone loses nothing, and
//! nobody waits for a slow reader.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::failure;
use super::inbox::{Event, Inbox, cost, remember};
use super::mux::{CallId, CallKind, Delivery, Mux, cause_of_end};
use super::outbox::Outbox;
use crate::error::DirtyError;
use crate::message::{DirtyMessage, RequestMessage};
use crate::wire::Limits;

/// When unread items hold up the connection, and when they end their stream; in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    pub pause_at: usize,
    pub end_at: usize,
}

#[derive(Debug)]
pub(super) struct Exchange {
    mux: Mux,
    calls: HashMap<CallId, Inbox>,
    outbox: Outbox,
    flow: Flow,
    /// How many streams are full.
    full: usize,
    /// Whether calls may be started: not after a failed write, and not after the end.
    open: bool,
    /// Whether the connection has ended.
    ended: bool,
    /// Wakes the driver when reading is to go on.
    reader: Option<Waker>,
    /// Wakes the driver when there is something to write.
    writer: Option<Waker>,
    /// The socket's path, for messages.
    path: Arc<Path>,
}

/// What the driver is to do about reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Go on.
    Wanted,
    /// Wait to be woken.
    Paused,
    /// Stop: the connection has ended, or nobody uses it any more.
    Over,
}

impl Exchange {
    pub fn new(path: Arc<Path>, limits: Limits, flow: Flow) -> Self {
        Exchange {
            mux: Mux::new(limits),
            calls: HashMap::new(),
            outbox: Outbox::default(),
            flow,
            full: 0,
            open: true,
            ended: false,
            reader: None,
            writer: None,
            path,
        }
    }

    /// Whether calls may be started.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the connection has ended.
    #[cfg(feature = "blocking")]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Starts a call: its request goes to the outbox.
    pub fn start(&mut self, kind: CallKind, request: &mut RequestMessage) -> Result<CallId, DirtyError> {
        let (call, frame) = self.mux.begin(kind, request)?;
        self.calls.insert(call, Inbox::default());
        self.outbox.push(Some(call), frame);
        self.wake_reader();
        Ok(call)
    }

    /// The next event of a call, or a promise to wake `waker`.
    pub fn poll(&mut self, call: CallId, waker: &Waker) -> Poll<Event> {
        let polled = self.update(call, |inbox| match inbox.pop() {
            Some(event) => Poll::Ready(event),
            None => {
                inbox.wait(waker);
                Poll::Pending
            }
        });
        self.wake_reader();
        // A call has an inbox until it is left.
        polled.unwrap_or(Poll::Ready(Event::Last(Ok(None))))
    }

    /// Notes that nobody waits for a call any more: its request is withdrawn, or a cancel goes to the outbox.
    pub fn leave(&mut self, call: CallId) {
        let Some(inbox) = self.calls.remove(&call) else { return };
        self.full -= usize::from(inbox.is_full(self.flow.pause_at));
        let cancel = self.mux.leave(call);
        let withdrawn = self.outbox.withdraw(call);
        if let Some(cancel) = cancel.filter(|_| !withdrawn && self.open) {
            self.outbox.push(None, cancel);
        }
        self.wake_reader();
    }

    /// Takes in a message. Returns who is to be woken, after the lock has been released.
    ///
    /// # Errors
    /// As [`Mux::on_message`]: the connection is to be ended with this error.
    pub fn on_message(&mut self, message: DirtyMessage) -> Result<Option<Waker>, DirtyError> {
        let (call, last) = match self.mux.on_message(message)? {
            Delivery::Dropped => return Ok(None),
            Delivery::Last(call, outcome) => (call, outcome),
            Delivery::Refused { call, error, cancel } => {
                self.outbox.push(None, cancel);
                (call, Err(error))
            }
            Delivery::Item(call, item) => {
                let held = self.calls.get(&call).map_or(0, Inbox::held);
                let fits = held == 0 || held + cost(&item) <= self.flow.end_at;
                // If nobody else waits, reading stops here, and what has been read already may stay.
                if fits || !self.somebody_waits() {
                    let woken = self.update(call, |inbox| {
                        inbox.push(item);
                        inbox.wake()
                    });
                    return Ok(woken.flatten());
                }
                let cancel = self.mux.leave(call);
                cancel.into_iter().for_each(|cancel| self.outbox.push(None, cancel));
                (call, Err(failure::too_slow(held, self.flow.end_at)))
            }
        };
        let woken = self.update(call, |inbox| {
            inbox.complete(last);
            inbox.wake()
        });
        Ok(woken.flatten())
    }

    /// Ends the connection: every call that is not complete gets the error, after what has arrived for it. Returns who
    /// is to be woken, after the lock has been released.
    pub fn end(&mut self, error: DirtyError) -> Vec<Waker> {
        self.open = false;
        if std::mem::replace(&mut self.ended, true) {
            return Vec::new();
        }
        self.outbox.clear();
        let error = cause_of_end(&self.mux, error);
        let mut wakers: Vec<Waker> = self.reader.take().into_iter().chain(self.writer.take()).collect();
        for inbox in self.calls.values_mut().filter(|inbox| !inbox.complete) {
            inbox.complete(Err(error.clone()));
            wakers.extend(inbox.wake());
        }
        // A stream that is complete is not full.
        self.full = 0;
        wakers
    }

    /// [`end`](Self::end) because the arbiter closed, or the socket failed.
    pub fn lose(&mut self, cause: impl std::fmt::Display) -> Vec<Waker> {
        let error = failure::lost(&self.path, cause);
        self.end(error)
    }

    /// Notes that the socket takes no more bytes; what has been sent may still be answered. Says whether nothing of
    /// the request of `call` has been written: then the call is as if it had never been started.
    pub fn stop_writing(&mut self, call: Option<CallId>) -> bool {
        self.open = false;
        let unsent = call.filter(|call| self.outbox.is_untouched(*call));
        self.outbox.clear();
        if let Some(call) = unsent {
            self.leave(call);
        }
        unsent.is_some()
    }

    /// Whether the driver is to read; if not now, `waker` is woken when it is.
    pub fn poll_reading(&mut self, waker: &Waker) -> Reading {
        if self.ended {
            return Reading::Over;
        }
        if self.wants_reading() {
            self.reader = None;
            return Reading::Wanted;
        }
        remember(&mut self.reader, waker);
        Reading::Paused
    }

    /// What the driver is to write next; `waker` is woken when there is something new.
    #[cfg(feature = "client")]
    pub fn poll_writing(&mut self, waker: &Waker) -> Option<Bytes> {
        remember(&mut self.writer, waker);
        self.outbox.take()
    }

    /// What is to be written next, for a caller that writes itself.
    pub fn next_outgoing(&mut self) -> Option<Bytes> {
        self.outbox.take()
    }

    /// Notes what has been written of it.
    pub fn written(&mut self, bytes: usize) {
        self.outbox.advance(bytes);
    }

    /// Whether nothing waits to be written.
    #[cfg(feature = "blocking")]
    pub fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Wakes the driver because there is something to write.
    #[cfg(feature = "client")]
    pub fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    /// Changes an inbox, and keeps count of the full ones.
    fn update<T>(&mut self, call: CallId, change: impl FnOnce(&mut Inbox) -> T) -> Option<T> {
        let inbox = self.calls.get_mut(&call)?;
        self.full -= usize::from(inbox.is_full(self.flow.pause_at));
        let result = change(inbox);
        self.full += usize::from(inbox.is_full(self.flow.pause_at));
        Some(result)
    }

    fn wants_reading(&self) -> bool {
        self.full == 0 || self.somebody_waits()
    }

    /// Whether a caller waits and has nothing to read.
    fn somebody_waits(&self) -> bool {
        self.calls.values().any(Inbox::is_hungry)
    }

    fn wake_reader(&mut self) {
        if self.reader.is_some() && self.wants_reading() {
            self.reader.take().into_iter().for_each(Waker::wake);
        }
    }
}
