//! Reading from a peer, straight into the decoder's buffer.

use std::io;

use tokio::net::UnixStream;

use crate::wire::FrameDecoder;

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
