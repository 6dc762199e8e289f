//! What arrives on a connection, cut at the ends of frames: all that a relay of `json/1` has to know of it.

use std::io::{self, Read};

/// The length that precedes a payload.
pub const HEADER: usize = 4;
const ROOM: usize = 256 * 1024;

/// Bytes that have arrived. The buffer is kept and used again; it grows to the largest frame.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// Reads once; 0 is the end of the connection.
    pub fn fill(&mut self, from: &mut impl Read) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let wanted = self.next_length().unwrap_or(0).max(ROOM);
        if self.bytes.len() - self.start < wanted || self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.bytes.len() < wanted {
                self.bytes.resize(wanted, 0);
            }
        }
        let read = from.read(&mut self.bytes[self.end..])?;
        self.end += read;
        Ok(read)
    }

    /// The length of the next frame, header included, once the header is there.
    fn next_length(&self) -> Option<usize> {
        let header = self.bytes[self.start..self.end].first_chunk::<HEADER>()?;
        Some(HEADER + u32::from_be_bytes(*header) as usize)
    }

    /// The next complete frame, with its header.
    pub fn frame(&mut self) -> Option<&[u8]> {
        let length = self.next_length()?;
        if self.end - self.start < length {
            return None;
        }
        self.start += length;
        Some(&self.bytes[self.start - length..self.start])
    }

    /// All complete frames up to and including the first that is the last of its call, and whether there is one.
    pub fn run(&mut self, is_last: impl Fn(&[u8]) -> bool) -> Option<(&[u8], bool)> {
        let from = self.start;
        let mut ended = false;
        while let Some(frame) = self.frame() {
            if is_last(frame) {
                ended = true;
                break;
            }
        }
        (self.start > from).then(|| (&self.bytes[from..self.start], ended))
    }
}

/// Begins a frame in `out`; [`close`] ends it.
pub fn open(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; HEADER]);
    out.len()
}

/// Writes the length of the frame whose payload begins at `from`, and has `more` bytes that are not in `out`.
pub fn close(out: &mut [u8], from: usize, more: usize) {
    let length = u32::try_from(out.len() - from + more).expect("frames of the benchmark are below 4 GiB");
    out[from - HEADER..from].copy_from_slice(&length.to_be_bytes());
}

/// The string that is the value of a member, as it stands in the text: our payloads need no escapes.
pub fn string<'a>(text: &'a [u8], member: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(text, member)? + member.len();
    let rest = &text[at..];
    let rest = &rest[memchr::memchr(b'"', rest)? + 1..];
    Some(&rest[..memchr::memchr(b'"', rest)?])
}
