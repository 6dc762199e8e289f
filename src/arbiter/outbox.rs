//! What is to be written to one peer: straight away if it reads, later if it does not.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::rc::Rc;

use bytes::{Buf, Bytes};
use nix::sys::socket::Shutdown;
use tokio::sync::Notify;

use super::intake::detached;
use super::stream::Stream;
use super::tasks;
use crate::wire::Codec;

/// Slices handed to one write.
const MAX_SLICES: usize = 64;

/// The sending half of a connection. Shared within the event loop's thread.
#[derive(Debug)]
pub(super) struct Outbox {
    stream: Rc<Stream>,
    /// What its peer reads; the first frame of a client says it (GD-9).
    codec: Cell<Option<Codec>>,
    queue: RefCell<VecDeque<Bytes>>,
    /// Bytes in the queue.
    waiting: Cell<usize>,
    /// A task watches how it is emptied.
    congested: Cell<bool>,
    /// A task is writing the queue out.
    draining: Cell<bool>,
    /// Shut the connection down once the queue is empty.
    closing: Cell<bool>,
    /// It is shut down.
    done: Cell<bool>,
    /// The peer is gone; nothing more is written.
    dead: Cell<bool>,
    /// Woken when bytes were written or the peer is gone.
    progress: Notify,
}

impl Outbox {
    pub fn new(stream: Rc<Stream>) -> Rc<Outbox> {
        Rc::new(Outbox {
            stream,
            codec: Cell::new(None),
            queue: RefCell::default(),
            waiting: Cell::new(0),
            congested: Cell::new(false),
            draining: Cell::new(false),
            closing: Cell::new(false),
            done: Cell::new(false),
            dead: Cell::new(false),
            progress: Notify::new(),
        })
    }

    /// What its peer reads: JSON, as long as nothing else is known.
    pub fn codec(&self) -> Codec {
        self.codec.get().unwrap_or_default()
    }

    /// The peer has sent a frame of this codec: it keeps to that of its first.
    pub fn keeps_to(&self, codec: Codec) -> bool {
        let known = self.codec.get().unwrap_or(codec);
        self.codec.set(Some(known));
        known == codec
    }

    /// Queues bytes; [`flush`](Self::flush) sends them.
    pub fn push(&self, bytes: Bytes) {
        if !self.dead.get() && !self.closing.get() {
            self.waiting.set(self.waiting.get() + bytes.len());
            let bytes = if self.draining.get() { detached(bytes) } else { bytes };
            self.queue.borrow_mut().push_back(bytes);
        }
    }

    /// Bytes that wait for the peer.
    pub fn waiting(&self) -> usize {
        self.waiting.get()
    }

    /// Whether the peer is gone.
    pub fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// Notes that too much waits; true the first time.
    pub fn mark_congested(&self) -> bool {
        !self.congested.replace(true)
    }

    /// Notes that the peer has caught up.
    pub fn clear_congested(&self) {
        self.congested.set(false);
    }

    /// Shuts the sending side down once everything queued is written. Later pushes are ignored.
    pub fn close(self: &Rc<Self>) {
        self.closing.set(true);
        self.flush();
    }

    /// Writes what the peer takes now, and leaves the rest to a task that waits for the peer.
    pub fn flush(self: &Rc<Self>) {
        if self.draining.get() || self.write_ready() {
            return;
        }
        self.draining.set(true);
        for bytes in self.queue.borrow_mut().iter_mut() {
            *bytes = detached(std::mem::take(bytes));
        }
        let outbox = Rc::clone(self);
        tasks::spawn(async move {
            loop {
                if outbox.stream.writable().await.is_err() {
                    outbox.die();
                }
                if outbox.write_ready() {
                    break;
                }
            }
            outbox.draining.set(false);
        });
    }

    /// Waits until at most `limit` bytes wait, or the peer is gone.
    pub async fn below(&self, limit: usize) {
        while self.waiting() > limit && !self.is_dead() {
            self.progress.notified().await;
        }
    }

    /// Waits until bytes were written or the peer is gone.
    pub async fn progressed(&self) {
        self.progress.notified().await;
    }

    /// Waits until the connection is shut down or the peer is gone.
    pub async fn closed(&self) {
        while !self.done.get() && !self.is_dead() {
            self.progress.notified().await;
        }
    }

    /// Waits until nothing waits, or the peer is gone.
    pub async fn written(&self) {
        self.below(0).await;
    }

    /// Wakes everybody in [`below`](Self::below), to look again.
    pub fn nudge(&self) {
        self.progress.notify_waiters();
    }

    /// Writes until the queue is empty (`true`) or the peer takes no more (`false`).
    fn write_ready(&self) -> bool {
        let mut queue = self.queue.borrow_mut();
        while !queue.is_empty() && !self.dead.get() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = queue.len().min(MAX_SLICES);
            for (slice, bytes) in slices.iter_mut().zip(queue.iter()) {
                *slice = IoSlice::new(bytes);
            }
            match self.stream.try_write_vectored(&slices[..count]) {
                Ok(written) => {
                    self.waiting.set(self.waiting.get() - written);
                    drop_front(&mut queue, written);
                    self.progress.notify_waiters();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(_) => self.dead.set(true),
            }
        }
        if self.dead.get() {
            queue.clear();
            drop(queue);
            self.die();
        } else if self.closing.get() {
            self.stream.shut_down(Shutdown::Write);
            self.done.set(true);
            self.progress.notify_waiters();
        }
        true
    }

    /// Gives the peer up, and ends the connection.
    pub fn die(&self) {
        self.dead.set(true);
        self.waiting.set(0);
        self.queue.borrow_mut().clear();
        self.progress.notify_waiters();
        // Wakes who waits for the peer to read.
        self.stream.shut_down(Shutdown::Both);
    }
}

fn drop_front(queue: &mut VecDeque<Bytes>, mut written: usize) {
    while written > 0 {
        let Some(front) = queue.front_mut() else { return };
        if written < front.len() {
            front.advance(written);
            return;
        }
        written -= front.len();
        queue.pop_front();
    }
}
