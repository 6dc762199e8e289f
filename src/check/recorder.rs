//! Writing a trace while bytes pass: frames are told from other bytes, and every line is in the file when it is whole.

use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::trace_file::{Closing, Event, FORMAT, Header, What};
use crate::message::Role;
use crate::wire::{HEADER_LEN, Limits, scan};

/// The most that one `raw` line holds, in bytes.
const RAW_LINE: usize = 64 * 1024;

/// Writes one trace.
#[derive(Debug)]
pub struct Recorder<W: Write> {
    out: W,
    began: Instant,
}

impl<W: Write> Recorder<W> {
    /// Begins a trace of conversations with a `listener`.
    ///
    /// # Errors
    /// When the first line cannot be written.
    pub fn begin(mut out: W, listener: Role) -> io::Result<Recorder<W>> {
        let began_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = Header { format: FORMAT, listener, began_us: micros(began_us) };
        write_line(&mut out, &header)?;
        out.flush()?;
        Ok(Recorder { out, began: Instant::now() })
    }

    /// The time since the trace began, in microseconds.
    pub fn now_us(&self) -> u64 {
        micros(self.began.elapsed())
    }

    /// Writes one event.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        write_line(&mut self.out, event)
    }

    /// Hands everything that was written to the file.
    ///
    /// # Errors
    /// When that fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn write_line(out: &mut impl Write, line: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// One direction of one connection: gathers bytes into frames. It holds at most one frame.
#[derive(Debug)]
pub struct Direction {
    on: String,
    from: Role,
    /// Bytes of a frame that is not whole yet.
    held: Vec<u8>,
    /// When the first of `held` came.
    first_us: u64,
    /// Whether a header was seen that cannot be one: where frames begin is unknown ever after.
    lost: bool,
}

impl Direction {
    /// What `from` will send on the connection `on`.
    pub fn new(on: &str, from: Role) -> Direction {
        Direction { on: on.to_string(), from, held: Vec::new(), first_us: 0, lost: false }
    }

    /// Records that the connection was opened, by this side.
    ///
    /// # Errors
    /// When the trace cannot be written.
    pub fn opened<W: Write>(&self, recorder: &mut Recorder<W>) -> io::Result<()> {
        let at_us = recorder.now_us();
        recorder.event(&self.line(at_us, at_us, What::Open(true)))
    }

    /// Records bytes that this side has sent, just now.
    ///
    /// # Errors
    /// When the trace cannot be written.
    pub fn bytes<W: Write>(&mut self, mut bytes: &[u8], recorder: &mut Recorder<W>) -> io::Result<()> {
        let now = recorder.now_us();
        while !bytes.is_empty() && !self.lost {
            if self.held.is_empty() {
                self.first_us = now;
            }
            let take = self.missing().min(bytes.len());
            self.held.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            self.settle(now, recorder)?;
        }
        if self.lost && !bytes.is_empty() {
            self.first_us = now;
            self.held.extend_from_slice(bytes);
            self.give_raw(now, recorder)?;
        }
        Ok(())
    }

    /// Records that this side sends nothing any more.
    ///
    /// # Errors
    /// When the trace cannot be written.
    pub fn closed<W: Write>(&mut self, how: Closing, recorder: &mut Recorder<W>) -> io::Result<()> {
        let now = recorder.now_us();
        self.give_raw(now, recorder)?;
        recorder.event(&self.line(now, now, What::Close(how)))
    }

    /// Records what is there of a frame that is not whole: the recording ends.
    ///
    /// # Errors
    /// When the trace cannot be written.
    pub fn finish<W: Write>(&mut self, recorder: &mut Recorder<W>) -> io::Result<()> {
        let now = recorder.now_us();
        self.give_raw(now, recorder)
    }

    /// How many bytes the header, or the frame after it, still lacks.
    fn missing(&self) -> usize {
        match self.announced() {
            None => HEADER_LEN - self.held.len(),
            Some(length) => (HEADER_LEN + length).saturating_sub(self.held.len()),
        }
    }

    fn announced(&self) -> Option<usize> {
        let header: [u8; HEADER_LEN] = self.held.get(..HEADER_LEN)?.try_into().ok()?;
        Some(u32::from_be_bytes(header) as usize)
    }

    /// Records the frame if it is whole, and notices a header that cannot be one.
    fn settle<W: Write>(&mut self, now: u64, recorder: &mut Recorder<W>) -> io::Result<()> {
        let Some(length) = self.announced() else { return Ok(()) };
        if length == 0 || length > Limits::DEFAULT_MAX_PAYLOAD as usize {
            self.lost = true;
            return self.give_raw(now, recorder);
        }
        if self.held.len() < HEADER_LEN + length {
            return Ok(());
        }
        if scan(&self.held[HEADER_LEN..], |_| ()).is_err() {
            return self.give_raw(now, recorder);
        }
        let payload = self.held.split_off(HEADER_LEN);
        self.held = Vec::new();
        match String::from_utf8(payload) {
            Ok(text) => recorder.event(&self.line(now, self.first_us, What::Frame(text))),
            // The scan has found it to be UTF-8.
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Records what is held as it is.
    fn give_raw<W: Write>(&mut self, now: u64, recorder: &mut Recorder<W>) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        for piece in held.chunks(RAW_LINE) {
            recorder.event(&self.line(now, self.first_us, What::Raw(piece.to_vec())))?;
        }
        Ok(())
    }

    fn line(&self, at_us: u64, first_us: u64, what: What) -> Event {
        let first_us = Some(first_us).filter(|first| *first < at_us);
        Event { at_us, first_us, on: self.on.clone(), from: self.from, what }
    }
}
