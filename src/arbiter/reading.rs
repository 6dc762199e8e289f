//! Reading from a peer, straight into the decoder's buffer, and what the end of its bytes means.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::net::UnixStream;

use crate::wire::FrameDecoder;

/// How often a peer that sends nothing more is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Waits for bytes and appends them to the decoder's buffer; 0 at the end of the stream.
pub(super) async fn read_some(stream: &UnixStream, decoder: &mut FrameDecoder) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read_buf(decoder.buffer_mut()) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            result => return result,
        }
    }
}

/// Waits until a peer whose bytes have ended is gone.
pub(super) async fn hang_up(stream: &UnixStream) {
    // By looking: the end of its bytes is an event that stays, so that this one is not to be had from the event loop.
    while !has_hung_up(stream) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a peer whose bytes have ended is gone, and does not just send nothing more.
///
/// Only Linux tells the two apart: elsewhere a peer is taken to be there until something is written to it.
fn has_hung_up(stream: &UnixStream) -> bool {
    // The hang-up is told unasked.
    let mut events = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    cfg!(target_os = "linux")
        && poll(&mut events, PollTimeout::ZERO).is_ok()
        && events[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}
