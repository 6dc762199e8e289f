//! Reading from a peer, straight into the decoder's buffer, and what the end of its bytes means.

use std::io;
use std::time::Duration;

use super::stream::Stream;
use crate::wire::FrameDecoder;

/// How often a peer that sends nothing more is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Waits for bytes and appends them to the decoder's buffer; 0 at the end of the stream.
pub(super) async fn read_some(stream: &Stream, decoder: &mut FrameDecoder) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read_buf(decoder.buffer_mut()) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            result => return result,
        }
    }
}

/// Waits until a peer whose bytes have ended is gone.
pub(super) async fn hang_up(stream: &Stream) {
    // By looking: the end of its bytes is an event that stays, so that this one is not to be had from the event loop.
    while !stream.has_hung_up() {
        tokio::time::sleep(LOOK).await;
    }
}
