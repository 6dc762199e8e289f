//! Reading from a peer, and cutting what it sends into frames.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::stream::Stream;
use crate::wire::{FrameDecoder, Limits};

/// Bytes that are read at once from a peer that sends small frames.
const READ: usize = 64 * 1024;

/// From this size on bytes may keep the buffer that they were read into.
const WORTH_A_BUFFER: usize = READ / 4;

/// The same bytes, to be kept for a while: a few of them do not hold on to a whole buffer.
pub(super) fn detached(bytes: Bytes) -> Bytes {
    if bytes.len() < WORTH_A_BUFFER { Bytes::copy_from_slice(&bytes) } else { bytes }
}

/// A buffer for whoever reads, since nobody else reads before its frames are taken: so a connection between two frames owns
/// none.
#[derive(Debug, Default)]
pub(super) struct SharedBuffer(RefCell<BytesMut>);

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Intake {
    stream: Rc<Stream>,
    pub decoder: FrameDecoder,
    shared: Rc<SharedBuffer>,
    /// The decoder works on the shared buffer.
    borrows: bool,
}

impl Intake {
    /// The receiving half of `stream`, whose frames are of either codec, or all JSON.
    pub fn new(stream: Rc<Stream>, limits: Limits, either_codec: bool, shared: Rc<SharedBuffer>) -> Intake {
        let decoder = if either_codec { FrameDecoder::of_both_codecs } else { FrameDecoder::new };
        Intake { stream, decoder: decoder(limits), shared, borrows: false }
    }

    /// Waits for bytes and hands them to the decoder; 0 at the end of the stream. Its frames are to be taken, and what is left
    /// [kept](Self::keep), before anything is waited for.
    pub async fn read(&mut self) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            if self.decoder.buffered().is_empty() {
                let mut shared = self.shared.0.take();
                // In place, once the frames that were cut out of it are written.
                shared.reserve(READ);
                self.decoder.replace_buffer(shared);
                self.borrows = true;
            }
            match self.stream.try_read_buf(self.decoder.buffer_mut()) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
                {
                    self.keep();
                }
                result => return result,
            }
        }
    }

    /// Gives the shared buffer back. The beginning of a frame moves to a buffer of the connection's own.
    pub fn keep(&mut self) {
        if std::mem::take(&mut self.borrows) {
            let own = BytesMut::from(self.decoder.buffered());
            let mut shared = self.decoder.replace_buffer(own);
            shared.clear();
            self.shared.0.replace(shared);
        }
    }
}
