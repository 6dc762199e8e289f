//! Length framing: a big-endian `u32` payload length, then the payload (FRAME-1).

use bytes::{Buf, Bytes, BytesMut};

use super::gd::{self, Header};
use super::{Codec, FrameError, Limits};

/// Bytes of a frame's header.
pub const HEADER_LEN: usize = 4;

/// The least room made for a read, in bytes.
const MIN_READ: usize = 8 * 1024;

/// One complete frame, header included. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// Frames a payload.
    ///
    /// # Errors
    /// [`FrameError::Empty`] or [`FrameError::TooLarge`]: a sender never leaves the limits (FRAME-3).
    pub fn from_payload(payload: &[u8], limits: &Limits) -> Result<Frame, FrameError> {
        let length = checked_length(payload.len(), limits)?;
        let mut bytes = Vec::with_capacity(HEADER_LEN + payload.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(payload);
        Ok(Frame(bytes.into()))
    }

    /// Frames a payload that stands after room for the header.
    #[cfg_attr(not(feature = "arbiter"), allow(dead_code))]
    pub(crate) fn from_parts(mut bytes: Vec<u8>, limits: &Limits) -> Result<Frame, FrameError> {
        let length = checked_length(bytes.len().saturating_sub(HEADER_LEN), limits)?;
        bytes[..HEADER_LEN].copy_from_slice(&length.to_be_bytes());
        Ok(Frame(bytes.into()))
    }

    /// A frame that a decoder has cut out whole.
    #[cfg_attr(not(feature = "arbiter"), allow(dead_code))]
    pub(crate) fn from_whole(bytes: Bytes) -> Frame {
        Frame(bytes)
    }

    /// The payload, without the header.
    pub fn payload(&self) -> &[u8] {
        &self.0[HEADER_LEN..]
    }

    /// The whole frame, as it stands on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The whole frame, as shared bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

fn checked_length(length: usize, limits: &Limits) -> Result<u32, FrameError> {
    match u32::try_from(length) {
        Ok(0) => Err(FrameError::Empty),
        Ok(length) if length <= limits.max_payload => Ok(length),
        _ => Err(FrameError::TooLarge { length, limit: limits.max_payload }),
    }
}

/// Cuts a byte stream into frames, however its bytes are split or coalesced (FRAME-5).
///
/// Feed it with [`push`](Self::push), or read straight into [`buffer_mut`](Self::buffer_mut); then call
/// [`next_frame`](Self::next_frame) until it returns `None`. After an error the stream has no meaning any more.
///
/// ```
/// use dirty_arbiter::wire::{FrameDecoder, Limits};
/// let mut decoder = FrameDecoder::new(Limits::default());
/// decoder.push(b"\0\0\0\x02{");
/// assert_eq!(decoder.next_frame().unwrap(), None);
/// decoder.push(b"}");
/// assert_eq!(decoder.next_frame().unwrap().unwrap().payload(), b"{}");
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: BytesMut,
    limits: Limits,
    /// Whether frames of `gd/1` are taken as well.
    both_codecs: bool,
}

impl FrameDecoder {
    /// A decoder at the start of a stream. It owns no memory until bytes arrive.
    pub fn new(limits: Limits) -> Self {
        FrameDecoder { buffer: BytesMut::new(), limits, both_codecs: false }
    }

    /// The same for a stream that may be of either codec: each frame says by its first bytes of which (GD-9).
    pub fn of_both_codecs(limits: Limits) -> Self {
        FrameDecoder { both_codecs: true, ..Self::new(limits) }
    }

    /// Appends bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer, with room for the next read. The room at most doubles what has arrived: an announced length
    /// alone reserves nothing (FRAME-6).
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        let missing = match self.extent(&self.buffer) {
            Ok(Some((header, length))) => (header + length as usize).saturating_sub(self.buffer.len()),
            _ => 0,
        };
        self.buffer.reserve(missing.min(self.buffer.len()).max(MIN_READ));
        &mut self.buffer
    }

    /// How long the frame at the front is, as it announces; 0 as long as it does not.
    #[cfg_attr(not(feature = "arbiter"), allow(dead_code))]
    pub(crate) fn announced(&self) -> usize {
        let extent = self.extent(&self.buffer).ok().flatten();
        extent.map_or(0, |(header, length)| header + length as usize)
    }

    /// Goes on with another buffer, and returns the one so far.
    #[cfg_attr(not(feature = "arbiter"), allow(dead_code))]
    pub(crate) fn replace_buffer(&mut self, buffer: BytesMut) -> BytesMut {
        std::mem::replace(&mut self.buffer, buffer)
    }

    /// The next complete frame, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError::Empty`] or [`FrameError::TooLarge`] as soon as the header is known (FRAME-4).
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(whole) = self.frame_at(0)?.map(<[u8]>::len) else { return Ok(None) };
        Ok(Some(Frame(self.take(whole))))
    }

    /// The next complete frame of either codec, header included, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// As [`next_frame`](Self::next_frame), and [`FrameError::BadVersion`] (GD-2).
    pub fn next_whole(&mut self) -> Result<Option<Bytes>, FrameError> {
        let whole = self.frame_at(0)?.map(<[u8]>::len);
        Ok(whole.map(|whole| self.take(whole)))
    }

    /// The complete frame, header included, that begins so many bytes after the front; the bytes before it stay.
    ///
    /// # Errors
    /// As [`next_frame`](Self::next_frame).
    #[cfg_attr(not(feature = "arbiter"), allow(dead_code))]
    pub(crate) fn frame_at(&self, start: usize) -> Result<Option<&[u8]>, FrameError> {
        let rest = &self.buffer[start.min(self.buffer.len())..];
        let Some((header, length)) = self.extent(rest)? else { return Ok(None) };
        Ok(rest.get(..header + length as usize))
    }

    /// Takes bytes from the front: one or more frames that [`frame_at`](Self::frame_at) has shown.
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        self.buffer.split_to(count).freeze()
    }

    /// Says whether the stream may end here.
    ///
    /// # Errors
    /// [`FrameError::TruncatedHeader`] or [`FrameError::TruncatedPayload`] inside a frame (FRAME-9).
    pub fn finish(&self) -> Result<(), FrameError> {
        let got = self.buffer.len();
        match self.extent(&self.buffer) {
            _ if got == 0 => Ok(()),
            Ok(None) if self.is_gd(&self.buffer) => Err(FrameError::TruncatedGdHeader { got }),
            Ok(None) => Err(FrameError::TruncatedHeader { got }),
            Ok(Some((header, expected))) => {
                Err(FrameError::TruncatedPayload { got: got - header, expected: expected as usize })
            }
            Err(error) => Err(error),
        }
    }

    /// What it accepts.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Bytes received and not yet returned as a frame.
    pub fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    fn is_gd(&self, bytes: &[u8]) -> bool {
        self.both_codecs && Codec::of(bytes) == Codec::Gd
    }

    /// The lengths of the header at the front of `bytes` and of the payload that it announces, once it is whole.
    fn extent(&self, bytes: &[u8]) -> Result<Option<(usize, u32)>, FrameError> {
        if self.is_gd(bytes) {
            let Some(Header { length, .. }) = Header::read(bytes)? else { return Ok(None) };
            // A message without members has no payload at all (GD-3).
            let length = if length == 0 { 0 } else { checked_length(length as usize, &self.limits)? };
            return Ok(Some((gd::HEADER_LEN, length)));
        }
        let Some(mut header) = bytes.get(..HEADER_LEN) else { return Ok(None) };
        Ok(Some((HEADER_LEN, checked_length(header.get_u32() as usize, &self.limits)?)))
    }
}
