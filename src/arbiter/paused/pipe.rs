//! Two ends of a connection in memory, as like a Unix socket as the arbiter can tell.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;

use bytes::{Buf as _, BytesMut};
use nix::sys::socket::Shutdown;
use tokio::sync::Notify;

/// Bytes that one direction holds, as a Unix socket does.
const CAPACITY: usize = 208 * 1024;

/// One direction.
#[derive(Debug, Default)]
struct Direction {
    bytes: RefCell<BytesMut>,
    /// Nothing more is written, or read.
    ended: RefCell<bool>,
    changed: Notify,
}

impl Direction {
    fn end(&self) {
        self.ended.replace(true);
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

/// One end. Dropping it ends both directions.
#[derive(Debug)]
pub(in crate::arbiter) struct End {
    incoming: Rc<Direction>,
    outgoing: Rc<Direction>,
}

/// Two ends of one connection.
pub(in crate::arbiter) fn pair() -> (End, End) {
    let (one, other) = (Rc::new(Direction::default()), Rc::new(Direction::default()));
    (End { incoming: Rc::clone(&one), outgoing: Rc::clone(&other) }, End { incoming: other, outgoing: one })
}

impl End {
    pub async fn readable(&self) -> io::Result<()> {
        while self.incoming.bytes.borrow().is_empty() && !self.incoming.has_ended() {
            self.incoming.changed.notified().await;
        }
        Ok(())
    }

    pub fn try_read_buf(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        let mut bytes = self.incoming.bytes.borrow_mut();
        if bytes.is_empty() {
            return if self.incoming.has_ended() { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        // A read fills the room that there is, and no more.
        let count = bytes.len().min(buffer.capacity() - buffer.len());
        buffer.extend_from_slice(&bytes[..count]);
        bytes.advance(count);
        self.incoming.changed.notify_waiters();
        self.incoming.changed.notify_one();
        Ok(count)
    }

    pub async fn writable(&self) -> io::Result<()> {
        while self.outgoing.bytes.borrow().len() >= CAPACITY && !self.outgoing.has_ended() {
            self.outgoing.changed.notified().await;
        }
        Ok(())
    }

    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.outgoing.has_ended() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut bytes = self.outgoing.bytes.borrow_mut();
        let before = bytes.len();
        for slice in slices {
            let room = CAPACITY.saturating_sub(bytes.len());
            bytes.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        if bytes.len() == before {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.outgoing.changed.notify_waiters();
        self.outgoing.changed.notify_one();
        Ok(bytes.len() - before)
    }

    pub fn shut_down(&self, how: Shutdown) {
        if !matches!(how, Shutdown::Write) {
            self.incoming.end();
        }
        if !matches!(how, Shutdown::Read) {
            self.outgoing.end();
        }
    }

    /// Whether the other end is gone in both directions.
    pub fn has_hung_up(&self) -> bool {
        self.incoming.has_ended() && self.outgoing.has_ended()
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.shut_down(Shutdown::Both);
    }
}
