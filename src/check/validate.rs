//! Judging files: messages, frames, vectors, transcripts, and the kit's other documents.

use super::blame;
use super::fields::{FileError, place};
use super::matcher::match_message;
use super::requirements::Requirements;
use super::sabotage::Matrix;
use super::template::{Bindings, Template};
use super::transcript::{Step, Transcript};
use super::value::{Pointer, Value};
use crate::control::{self, ControlRequest};
use crate::message::{DecodeError, DirtyMessage, MessageError, Problem};
use crate::wire::{FrameDecoder, JsonKind, Limits, Members, unescape};

/// Something that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// Which of its messages, from 1: the line it stands on, or the number of the frame. None for whole documents.
    pub position: Option<Position>,
    /// What is wrong and where, what was expected, and which requirement says so.
    pub problem: String,
    /// The text around a fault in the text itself.
    pub text: Option<Excerpt>,
}

/// Which message of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The message on this line, from 1.
    Line(usize),
    /// This frame, from 1, which begins at this byte.
    Frame(usize, usize),
}

/// The line of a fault in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line's number in the file, from 1.
    pub line: usize,
    /// The fault's column, from 1, in characters of the whole line.
    pub column: usize,
    /// The line, or the part of it around the fault.
    pub text: String,
    /// Where in `text` the fault is, in bytes.
    pub offset: usize,
}

/// Judges `bytes`, which were read from `file`: a transcript, a vector, another document of the kit, one message,
/// or messages one per line; with `frames`, frames as they are on the wire. Returns how many things were judged.
pub fn validate(file: &str, bytes: &[u8], frames: bool, found: &mut dyn FnMut(Finding)) -> usize {
    let mut judge = Judge { file, bytes, found };
    if frames { judge.frames() } else { judge.text() }
}

struct Judge<'a> {
    file: &'a str,
    bytes: &'a [u8],
    found: &'a mut dyn FnMut(Finding),
}

impl Judge<'_> {
    fn text(&mut self) -> usize {
        match Members::read(self.bytes, &Limits { max_payload: u32::MAX, ..Limits::default() }) {
            Ok(members) => self.document(&members),
            Err(_) => match Value::parse(self.bytes) {
                Ok(Value::Array(items)) => self.list(&items),
                _ => self.lines(),
            },
        }
    }

    /// A file that is one JSON object.
    fn document(&mut self, members: &Members<'_>) -> usize {
        let format = members.get("format").map(|member| member.value);
        if format.is_some_and(|format| format.starts_with("\"dirty-transcript/")) {
            self.transcript();
        } else if format.is_some_and(|format| format.starts_with("\"dirty-requirements/")) {
            if let Err(error) = Requirements::parse(self.file, self.bytes) {
                self.fault(&error);
            }
        } else if format.is_some_and(|format| format.starts_with("\"dirty-saboteurs/")) {
            if let Err(error) = Matrix::parse(self.file, self.bytes) {
                self.fault(&error);
            }
        } else if members.get("layer").is_some() && members.get("requirement").is_some() {
            self.vector(members);
        } else {
            let start = self.bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (line, _) = place(self.bytes, start);
            self.message(Some(Position::Line(line)), self.bytes.trim_ascii(), line);
        }
        1
    }

    fn transcript(&mut self) {
        let transcript = match Transcript::parse(self.file, self.bytes) {
            Ok(transcript) => transcript,
            Err(error) => return self.fault(&error),
        };
        if let Ok(requirements) = Requirements::embedded() {
            for id in transcript.proves.iter().filter(|id| requirements.get(id).is_none()) {
                self.report(
                    None,
                    format!("/proves: {id} is no requirement: expected an id of spec/requirements.json"),
                );
            }
        }
        let mut vars = transcript.vars.clone();
        for name in transcript.steps.iter().flat_map(Step::templates).flat_map(Template::variables) {
            vars.entry(name.to_string()).or_insert_with(|| Value::string(name));
        }
        let mut bindings = Bindings::new();
        for (index, step) in transcript.steps.iter().enumerate().filter(|(_, step)| step.from().is_some()) {
            for template in step.templates() {
                // Every variable has a value: see above.
                let Ok(message) = template.render(&mut bindings, &vars) else { continue };
                match blame::check_shape(message.to_string().as_bytes()) {
                    Err(fault) if !transcript.malformed => {
                        let problem =
                            format!("step {}: {} ({})", index + 1, fault.problem, fault.requirement);
                        self.report(None, format!("{problem}; expected `malformed` to announce it"));
                    }
                    _ => {}
                }
            }
        }
    }

    /// A vector of `schemas/vectors`: its message is judged, whatever it claims.
    fn vector(&mut self, members: &Members<'_>) {
        let payload = match (members.get("message"), members.get("text")) {
            (Some(message), None) => message.value.as_bytes().to_vec(),
            (None, Some(text)) if text.kind == JsonKind::String => match unescape(text.value) {
                Ok(text) => text.into_owned().into_bytes(),
                Err(error) => return self.report(None, format!("/text: {error}")),
            },
            _ => {
                return self
                    .report(None, "a vector without a message: expected `message` or `text`".to_string());
            }
        };
        let decoded = match members.get("socket").is_some_and(|socket| socket.value == "\"control\"") {
            true => check_control(&payload),
            false => DirtyMessage::decode(&payload, &Limits::default()).map(drop),
        };
        if let Err(error) = decoded {
            self.report(None, described(&error));
        }
    }

    /// A file that is one JSON array: vectors of the matcher, or a list of ids.
    fn list(&mut self, items: &[Value]) -> usize {
        for (index, item) in items.iter().enumerate() {
            if let Err(problem) = list_item(item) {
                self.report(None, format!("/{index}: {problem}"));
            }
        }
        items.len()
    }

    fn lines(&mut self) -> usize {
        let mut count = 0;
        for (index, line) in self.bytes.split(|byte| *byte == b'\n').enumerate() {
            let payload = line.strip_suffix(b"\r").unwrap_or(line);
            if payload.trim_ascii().is_empty() {
                continue;
            }
            count += 1;
            self.message(Some(Position::Line(index + 1)), payload, index + 1);
        }
        if count == 0 {
            self.report(None, "no message: expected one per line".to_string());
        }
        count
    }

    fn frames(&mut self) -> usize {
        let limits = Limits::default();
        let mut decoder = FrameDecoder::new(limits);
        decoder.push(self.bytes);
        let mut count = 0;
        loop {
            let offset = self.bytes.len() - decoder.buffered().len();
            let position = Some(Position::Frame(count + 1, offset));
            let next = match decoder.next_frame() {
                Ok(None) => decoder.finish().map(|()| None),
                other => other,
            };
            match next {
                Ok(Some(frame)) => {
                    if let Err(error) = DirtyMessage::decode(frame.payload(), &limits) {
                        self.report(position, described(&error));
                    }
                    count += 1;
                }
                Ok(None) => return count,
                Err(error) => {
                    self.report(position, error.to_string());
                    return count + 1;
                }
            }
        }
    }

    fn message(&mut self, position: Option<Position>, payload: &[u8], first_line: usize) {
        let Err(error) = DirtyMessage::decode(payload, &Limits::default()) else { return };
        let text = match &error {
            DecodeError::Frame(error) => error.offset().map(|offset| excerpt(payload, offset, first_line)),
            DecodeError::Message(_) => None,
        };
        let file = self.file.to_string();
        (self.found)(Finding { file, position, problem: described(&error), text });
    }

    fn fault(&mut self, error: &FileError) {
        let text = error.to_string();
        let problem =
            text.strip_prefix(self.file).map_or(text.as_str(), |rest| rest.trim_start_matches([':', ' ']));
        self.report(None, problem.to_string());
    }

    fn report(&mut self, position: Option<Position>, problem: String) {
        (self.found)(Finding { file: self.file.to_string(), position, problem, text: None });
    }
}

/// Judges a message of the control socket, from either side: what a client may not send there, the arbiter may.
fn check_control(payload: &[u8]) -> Result<(), DecodeError> {
    match ControlRequest::decode(payload, &control::LIMITS) {
        Err(DecodeError::Message(MessageError { problem: Problem::NotAllowed { .. }, .. })) => {
            DirtyMessage::decode(payload, &Limits::default()).map(drop)
        }
        judged => judged.map(drop),
    }
}

/// What is wrong with a payload; that the text is no JSON is a bad frame.
fn described(error: &DecodeError) -> String {
    match error {
        DecodeError::Frame(error) => format!("bad frame: {error}"),
        DecodeError::Message(error) => error.to_string(),
    }
}

fn list_item(item: &Value) -> Result<(), String> {
    if item.as_str().is_some() {
        return Ok(());
    }
    let member = |name: &str| {
        item.get(name).ok_or_else(|| format!("no member {name:?}: expected a vector of the matcher"))
    };
    let (want, got, verdict) = (member("want")?, member("got")?, member("match")?);
    let want = Template::read(want, &Pointer::default().join("want"))
        .map_err(|error| format!("{}: {}", error.pointer, error.problem))?;
    let matched = match_message(&want, got, &mut Bindings::new());
    match (verdict.as_bool(), matched) {
        (Some(true), Err(mismatch)) => Err(format!("says that it matches: {mismatch}")),
        (Some(false), Ok(())) => Err("says that it does not match: it does".to_string()),
        (None, _) => Err(format!("/match: {}: expected true or false", verdict.kind())),
        _ => Ok(()),
    }
}

/// How much of a line is shown around a fault, in bytes to each side.
const AROUND: usize = 60;

pub(super) fn excerpt(payload: &[u8], offset: usize, first_line: usize) -> Excerpt {
    let (line, column) = place(payload, offset);
    let start =
        memchr::memrchr(b'\n', &payload[..offset.min(payload.len())]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &payload[start..]).map_or(payload.len(), |length| start + length);
    let from = offset.saturating_sub(AROUND).max(start);
    let to = (offset + AROUND).min(end);
    let before = String::from_utf8_lossy(&payload[from..offset.min(to)]).into_owned();
    let after = String::from_utf8_lossy(&payload[offset.min(to)..to]).into_owned();
    Excerpt { line: first_line + line - 1, column, offset: before.len(), text: before + &after }
}

/// Whether a file found in a directory is judged.
pub fn is_judged(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|it| it == "json" || it == "jsonl" || it == "ndjson")
}
