//! A connection of the event loop.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd as _, AsRawFd as _};

use bytes::BytesMut;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::net::UnixStream;

#[cfg(all(test, feature = "cli"))]
use super::paused::pipe;

/// A connection that never blocks. In the arbiter's own tests also one in memory: only there can time be paused, because
/// what a kernel does takes time of its own.
#[derive(Debug)]
pub(super) enum Stream {
    /// A Unix socket.
    Socket(UnixStream),
    /// One end of a pipe in memory.
    #[cfg(all(test, feature = "cli"))]
    Memory(pipe::End),
}

impl Stream {
    /// Waits until there may be something to read.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Stream::Socket(socket) => socket.readable().await,
            #[cfg(all(test, feature = "cli"))]
            Stream::Memory(end) => end.readable().await,
        }
    }

    /// Appends what has arrived, as far as there is room in the buffer; 0 at the end of the stream.
    pub fn try_read_buf(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Stream::Socket(socket) => read_ready(socket, buffer),
            #[cfg(all(test, feature = "cli"))]
            Stream::Memory(end) => end.try_read_buf(buffer),
        }
    }

    /// Waits until the peer may take more.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Stream::Socket(socket) => socket.writable().await,
            #[cfg(all(test, feature = "cli"))]
            Stream::Memory(end) => end.writable().await,
        }
    }

    /// Writes as much as the peer takes now.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Socket(socket) => socket.try_write_vectored(slices),
            #[cfg(all(test, feature = "cli"))]
            Stream::Memory(end) => end.try_write_vectored(slices),
        }
    }

    /// Ends one direction of the connection, or both. The peer may be gone already: then there is nothing left to end.
    pub fn shut_down(&self, how: Shutdown) {
        match self {
            Stream::Socket(socket) => {
                let _ = shutdown(socket.as_raw_fd(), how);
            }
            #[cfg(all(test, feature = "cli"))]
            Stream::Memory(end) => end.shut_down(how),
        }
    }

    /// Whether a peer whose bytes have ended is gone, and does not just send nothing more.
    ///
    /// Only Linux tells the two apart: elsewhere a peer is taken to be there until something is written to it.
    pub fn has_hung_up(&self) -> bool {
        match self {
            Stream::Socket(socket) => {
                // The hang-up is told unasked.
                let mut events = [PollFd::new(socket.as_fd(), PollFlags::empty())];
                cfg!(target_os = "linux")
                    && poll(&mut events, PollTimeout::ZERO).is_ok()
                    && events[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
            }
            #[cfg(all(test, feature = "cli"))]
            Stream::Memory(end) => end.has_hung_up(),
        }
    }

    /// The socket, to be used by itself.
    pub fn into_socket(self) -> Option<UnixStream> {
        match self {
            Stream::Socket(socket) => Some(socket),
            #[cfg(all(test, feature = "cli"))]
            Stream::Memory(_) => None,
        }
    }
}

/// Reads. What leaves room in the buffer was all there is: the event loop is told so, and not asked in vain.
fn read_ready(socket: &UnixStream, buffer: &mut BytesMut) -> io::Result<usize> {
    let room = buffer.capacity() - buffer.len();
    let mut emptied = None;
    let read = socket.try_io(Interest::READABLE, || match socket.try_read_buf(buffer) {
        Ok(count) if count > 0 && count < room => {
            emptied = Some(count);
            // The loop waits for the next event; the end of the stream is one that stays.
            Err(io::ErrorKind::WouldBlock.into())
        }
        read => read,
    });
    emptied.map_or(read, Ok)
}
