//! Bytes from the arbiter, on their way to the exchange.

use std::task::Waker;

use super::failure;
use super::mux::Mux;
use crate::error::DirtyError;
use crate::message::DirtyMessage;
use crate::wire::{FrameDecoder, Limits};

/// Cuts and decodes what has been read. It belongs to the driver, so that decoding needs no lock.
#[derive(Debug)]
pub(super) struct Intake {
    decoder: FrameDecoder,
    limits: Limits,
}

impl Intake {
    pub fn new(limits: Limits) -> Self {
        Intake { decoder: FrameDecoder::new(limits), limits }
    }

    /// Where the next bytes are to be read to.
    #[cfg(feature = "client")]
    pub fn buffer_mut(&mut self) -> &mut bytes::BytesMut {
        self.decoder.buffer_mut()
    }

    /// Takes in bytes that have been read elsewhere.
    #[cfg(feature = "blocking")]
    pub fn push(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes);
    }

    /// Hands every complete message to `take`, and wakes whom it names.
    ///
    /// # Errors
    /// The connection is to be ended with this error: `take` says so, or a frame or message is bad.
    pub fn deliver(
        &mut self,
        mut take: impl FnMut(DirtyMessage) -> Result<Option<Waker>, DirtyError>,
    ) -> Result<(), DirtyError> {
        let bad_frame = |decoder: &FrameDecoder, error| failure::bad_frame(&error, decoder.buffered());
        while let Some(frame) = self.decoder.next_frame().map_err(|error| bad_frame(&self.decoder, error))? {
            let waker = take(Mux::decode(&frame, &self.limits)?)?;
            waker.into_iter().for_each(Waker::wake);
        }
        Ok(())
    }

    /// Says whether the stream may end here.
    ///
    /// # Errors
    /// `DirtyProtocolError` inside a frame (FRAME-9).
    pub fn finish(&self) -> Result<(), DirtyError> {
        self.decoder.finish().map_err(|error| failure::bad_frame(&error, self.decoder.buffered()))
    }
}
