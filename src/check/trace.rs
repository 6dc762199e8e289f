//! What happened, and when: the raw material of every report.

use std::time::{Duration, Instant};

use super::value::excerpt;
use crate::message::Role;

/// How much of a message's text an event keeps, in bytes.
const KEPT: usize = 2048;

/// A timed record of one replay.
#[derive(Debug, Clone)]
pub struct Trace {
    start: Instant,
    events: Vec<Event>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Since the replay began.
    pub at: Duration,
    /// The connection's or client's label.
    pub on: String,
    /// Who did it.
    pub by: Role,
    /// Whether that is the subject; otherwise the kit did it.
    pub subject: bool,
    /// The step that it belongs to, from 1; none for what nobody asked for.
    pub step: Option<usize>,
    /// What it was.
    pub what: What,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A connection was opened.
    Open,
    /// A message: its text, cut when it is long.
    Message(String),
    /// Bytes that are no message: in hexadecimal, cut when they are many.
    Raw(String),
    /// The connection ended.
    Close,
    /// Nothing, for so long.
    Quiet(Duration),
    /// A client's call, or what its caller saw.
    Api(String),
    /// Anything else worth knowing.
    Note(String),
}

impl What {
    /// A short name of the kind.
    pub fn kind(&self) -> &'static str {
        match self {
            What::Open => "open",
            What::Message(_) => "message",
            What::Raw(_) => "raw",
            What::Close => "close",
            What::Quiet(_) => "quiet",
            What::Api(_) => "api",
            What::Note(_) => "note",
        }
    }

    /// The rest of it, for a reader.
    pub fn text(&self) -> String {
        match self {
            What::Open | What::Close => String::new(),
            What::Quiet(time) => format!("{} ms", time.as_millis()),
            What::Message(text) | What::Raw(text) | What::Api(text) | What::Note(text) => text.clone(),
        }
    }

    /// A message of this payload.
    pub fn message(payload: &[u8]) -> What {
        What::Message(show(payload))
    }

    /// These bytes, of which there are `len` in all.
    pub fn raw(bytes: &[u8], len: u64) -> What {
        What::Raw(hex(bytes, len))
    }
}

/// The text of a payload, cut when it is long.
pub fn show(payload: &[u8]) -> String {
    // Enough bytes for the cut, without decoding 64 MiB to show 2 KiB of it.
    if payload.len() <= KEPT {
        return String::from_utf8_lossy(payload).into_owned();
    }
    let head = String::from_utf8_lossy(&payload[..KEPT]);
    format!("{}… ({} bytes)", head.trim_end_matches('\u{FFFD}'), payload.len())
}

/// Bytes in hexadecimal, cut when they are many; `len` is how many there are in all.
pub fn hex(bytes: &[u8], len: u64) -> String {
    let digits: String = bytes.iter().take(KEPT / 2).map(|byte| format!("{byte:02x}")).collect();
    let shown = (digits.len() / 2) as u64;
    if shown < len { format!("{digits}… ({len} bytes)") } else { excerpt(&digits, KEPT) }
}

impl Trace {
    /// An empty record that begins now.
    pub fn start() -> Trace {
        Trace { start: Instant::now(), events: Vec::new() }
    }

    /// Records an event that happens now.
    pub fn add(&mut self, on: &str, by: Role, subject: bool, step: Option<usize>, what: What) {
        let at = self.start.elapsed();
        self.events.push(Event { at, on: on.to_string(), by, subject, step, what });
    }

    /// The events, in the order in which they happened.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The time since the record began.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
