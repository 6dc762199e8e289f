//! Reading from a peer, and cutting what it sends into frames.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::stream::Stream;
use crate::wire::{FrameDecoder, Limits};

/// Bytes that are read at once from a peer that sends small frames, at most.
const READ: usize = 256 * 1024;

/// From this size on bytes may keep the buffer that they were read into.
const WORTH_A_BUFFER: usize = 16 * 1024;

/// How many connections may hold on to a buffer for the beginning of a frame.
const MOST_HELD: usize = 16;

/// How many bytes in all the buffers of large frames may have while they are not used.
const MOST_LARGE: usize = 32 * 1024 * 1024;

/// The same bytes, to be kept for a while: a few of them do not hold on to a whole buffer.
pub(super) fn detached(bytes: Bytes) -> Bytes {
    if bytes.len() < WORTH_A_BUFFER { Bytes::copy_from_slice(&bytes) } else { bytes }
}

/// Buffers for whoever reads. A connection between two frames owns none.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// For small frames; in use is one, but for connections that hold on to the beginning of a frame.
    spare: RefCell<Vec<BytesMut>>,
    held: Cell<usize>,
    /// Those of large frames that have been relayed, each with its size: memory that is in use already is cheaper than
    /// more of it.
    large: RefCell<Vec<(BytesMut, usize)>>,
}

impl Buffers {
    fn take(&self) -> BytesMut {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    fn give_back(&self, mut buffer: BytesMut) {
        buffer.clear();
        self.spare.borrow_mut().push(buffer);
    }

    /// A buffer for a frame of `whole` bytes, of which these have come.
    fn take_large(&self, begun: &[u8], whole: usize) -> BytesMut {
        let mut large = self.large.borrow_mut();
        let fits = |(buffer, size): &mut (BytesMut, usize)| *size >= whole && buffer.try_reclaim(whole);
        match large.iter_mut().position(fits) {
            Some(index) => {
                let (mut buffer, _) = large.swap_remove(index);
                buffer.extend_from_slice(begun);
                buffer
            }
            None => BytesMut::from(begun),
        }
    }

    /// Takes the buffer of a frame of this size, which may still have to be written.
    fn give_back_large(&self, buffer: BytesMut, size: usize) {
        let mut large = self.large.borrow_mut();
        large.push((buffer, size));
        while large.iter().map(|(_, size)| size).sum::<usize>() > MOST_LARGE {
            large.remove(0);
        }
    }
}

/// Whose the decoder's buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// There is none.
    Nothing,
    /// One for small frames, until the next wait, or longer if the beginning of a frame is in it.
    Spare,
    /// One for a frame that is larger than those, of this size.
    Large(usize),
    /// Just the beginning of a frame.
    Own,
}

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Intake {
    stream: Rc<Stream>,
    pub decoder: FrameDecoder,
    buffers: Rc<Buffers>,
    holds: Holds,
}

impl Intake {
    /// The receiving half of `stream`, whose frames are of either codec, or all JSON.
    pub fn new(stream: Rc<Stream>, limits: Limits, either_codec: bool, buffers: Rc<Buffers>) -> Intake {
        let decoder = if either_codec { FrameDecoder::of_both_codecs } else { FrameDecoder::new };
        Intake { stream, decoder: decoder(limits), buffers, holds: Holds::Nothing }
    }

    /// Waits for bytes and hands them to the decoder; 0 at the end of the stream. Its frames are to be taken, and what is left
    /// [kept](Self::keep), before anything is waited for.
    pub async fn read(&mut self) -> io::Result<usize> {
        loop {
            self.stream.readable().await?;
            self.make_room();
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

    fn make_room(&mut self) {
        if matches!(self.holds, Holds::Nothing | Holds::Own) {
            let mut buffer = self.buffers.take();
            let begun = self.decoder.replace_buffer(BytesMut::new());
            buffer.reserve(READ);
            buffer.extend_from_slice(&begun);
            self.decoder.replace_buffer(buffer);
            self.holds = Holds::Spare;
        } else if self.holds == Holds::Spare {
            let mut buffer = self.decoder.replace_buffer(BytesMut::new());
            // In place, once the frames that were cut out of it are written.
            buffer.reserve(READ - buffer.len().min(READ));
            self.decoder.replace_buffer(buffer);
            self.buffers.held.set(self.buffers.held.get() - 1);
        }
    }

    /// Gives back what is not needed.
    pub fn keep(&mut self) {
        let begun = self.decoder.buffered().len();
        let whole = self.decoder.announced();
        match self.holds {
            Holds::Spare if begun == 0 => {
                self.buffers.give_back(self.decoder.replace_buffer(BytesMut::new()));
                self.holds = Holds::Nothing;
            }
            Holds::Spare if whole > READ => {
                let large = self.buffers.take_large(self.decoder.buffered(), whole);
                self.buffers.give_back(self.decoder.replace_buffer(large));
                self.holds = Holds::Large(whole);
            }
            Holds::Spare if self.buffers.held.get() < MOST_HELD => {
                self.buffers.held.set(self.buffers.held.get() + 1);
            }
            Holds::Spare => {
                let own = BytesMut::from(self.decoder.buffered());
                self.buffers.give_back(self.decoder.replace_buffer(own));
                self.holds = Holds::Own;
            }
            Holds::Large(size) if begun == 0 => {
                self.buffers.give_back_large(self.decoder.replace_buffer(BytesMut::new()), size);
                self.holds = Holds::Nothing;
            }
            Holds::Large(_) if whole > READ => (),
            // The beginning of another frame, which is small.
            Holds::Large(_) => {
                self.decoder.replace_buffer(BytesMut::from(self.decoder.buffered()));
                self.holds = Holds::Own;
            }
            Holds::Nothing | Holds::Own => (),
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        // Between `keep` and the next read.
        if self.holds == Holds::Spare {
            self.buffers.held.set(self.buffers.held.get().saturating_sub(1));
        }
    }
}
