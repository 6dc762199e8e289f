//! `dirty-trace/1`: what travelled between two live peers, byte for byte, one JSON object a line
//! (`schemas/trace.schema.json`).
//!
//! A line is written when it is whole: a frame with its last byte. Bytes that are a good frame (a legal length, a JSON
//! object in UTF-8) are kept as the text of the payload, from which [`Event::bytes`] makes the very same bytes; all
//! others are kept in hexadecimal. So nothing is lost, and a reader reads text.

use serde::Serialize;

use super::fields::{Fields, FileError, Read, fault};
use super::read::unhex;
use super::transcript::role_named;
use super::value::{Pointer, Value};
use crate::message::Role;
use crate::wire::HEADER_LEN;

/// The name of the format, as it stands in every file.
pub const FORMAT: &str = "dirty-trace/1";

/// The first line of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Header {
    /// The name and version of the format.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("const" = FORMAT)))]
    pub format: &'static str,
    /// Who listens: `arbiter` when clients connect, `worker` when an arbiter does.
    #[cfg_attr(feature = "schema", schemars(with = "ListenerName"))]
    #[serde(serialize_with = "role_name")]
    pub listener: Role,
    /// When the recording began, in microseconds since 1970-01-01T00:00:00Z.
    pub began_us: u64,
}

/// A line after the first: something that happened on one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// When, in microseconds since the recording began: for bytes, when the last of them was read.
    pub at_us: u64,
    /// When the first of the bytes was read, in microseconds since the recording began, if earlier than `at_us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_us: Option<u64>,
    /// The label of the connection: c1, c2 and so on, in the order in which they were opened.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^c[1-9][0-9]*$")))]
    pub on: String,
    /// Who did it.
    #[cfg_attr(feature = "schema", schemars(with = "RoleName"))]
    #[serde(serialize_with = "role_name")]
    pub from: Role,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// The connection was opened; always true.
    Open(bool),
    /// A good frame: the text of its payload, in front of which the wire has its length in UTF-8 bytes (FRAME-1).
    Frame(String),
    /// Bytes that are no good frame, or a part of one that never became whole: lower-case hexadecimal.
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("pattern" = "^([0-9a-f]{2})+$")))]
    Raw(#[serde(serialize_with = "hexadecimal")] Vec<u8>),
    /// This side sends nothing any more.
    Close(Closing),
}

/// How a side of a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Closing {
    /// It closed the connection, or its own direction of it.
    Eof,
    /// It broke the connection off: it closed with bytes unread, or would take no more.
    Reset,
    /// The listener could not be connected to.
    Refused,
}

/// A party of the protocol.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code)]
enum RoleName {
    Client,
    Arbiter,
    Worker,
}

/// Whoever can listen.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code)]
enum ListenerName {
    Arbiter,
    Worker,
}

/// The schema of one line: `schemas/trace.schema.json`.
#[cfg(feature = "schema")]
pub fn derived_schema() -> serde_json::Value {
    /// One line of a trace, dirty-trace/1, which `dirty proxy` writes: the header first, then events.
    #[derive(schemars::JsonSchema)]
    #[schemars(untagged)]
    #[allow(dead_code)]
    enum TraceLine {
        Header(Header),
        Event(Event),
    }
    let mut schema = schemars::schema_for!(TraceLine);
    schema.insert("$id".to_string(), "urn:dirty-arbiter:trace:1".into());
    schema.to_value()
}

fn role_name<S: serde::Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.as_str())
}

fn hexadecimal<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(bytes))
}

/// Lower-case hexadecimal digits of all bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| DIGITS[usize::from(digit)]).collect()
}

impl Event {
    /// The bytes that were on the wire; none for an opening and a close.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.what {
            What::Open(_) | What::Close(_) => Vec::new(),
            What::Raw(bytes) => bytes.clone(),
            What::Frame(text) => {
                let mut bytes = Vec::with_capacity(HEADER_LEN + text.len());
                // Only payloads within the frame limit, which is below 4 GiB, become frames.
                bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                bytes.extend_from_slice(text.as_bytes());
                bytes
            }
        }
    }
}

/// A whole trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceFile {
    /// Its first line.
    pub header: Header,
    /// The lines after it, in the order in which they were written.
    pub events: Vec<Event>,
}

impl TraceFile {
    /// Whether a file with this start is a trace.
    pub fn is_one(text: &[u8]) -> bool {
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Value::parse(line).is_ok_and(|line| line.get("format").and_then(Value::as_str) == Some(FORMAT))
    }

    /// Reads a trace. `file` names it in errors.
    ///
    /// # Errors
    /// [`FileError`] with the line.
    pub fn parse(file: &str, text: &[u8]) -> Result<TraceFile, FileError> {
        let mut header = None;
        let mut events = Vec::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let on_line = |mut error: FileError| {
                error.place = Some((index + 1, error.place.map_or(1, |(_, column)| column)));
                error
            };
            let value =
                Value::parse(line).map_err(|error| on_line(FileError::from_text(file, line, &error)))?;
            if header.is_none() {
                header = Some(read_header(&value).map_err(|fault| on_line(fault.of(file)))?);
            } else {
                events.push(read_event(&value).map_err(|fault| on_line(fault.of(file)))?);
            }
        }
        let header = header.ok_or_else(|| FileError {
            file: file.to_string(),
            pointer: None,
            place: None,
            problem: format!("no line: expected a trace, {FORMAT}"),
        })?;
        Ok(TraceFile { header, events })
    }
}

fn read_header(value: &Value) -> Read<Header> {
    let root = Pointer::default();
    let mut fields = Fields::new(value, &root)?;
    let format = fields.required_string("format")?;
    if format != FORMAT {
        return fault(&fields.at("format"), format!("{format:?}: expected {FORMAT:?}"));
    }
    let listener = role(&mut fields, "listener")?;
    let began_us = fields.number("began_us")?.unwrap_or_default();
    fields.finish()?;
    Ok(Header { format: FORMAT, listener, began_us })
}

fn role(fields: &mut Fields<'_>, name: &'static str) -> Read<Role> {
    let at = fields.at(name);
    role_named(&fields.required_string(name)?).or_else(|problem| fault(&at, problem))
}

fn read_event(value: &Value) -> Read<Event> {
    let root = Pointer::default();
    let mut fields = Fields::new(value, &root)?;
    let Some(at_us) = fields.number("at_us")? else {
        return fault(&root, "no member \"at_us\": expected one");
    };
    let first_us = fields.number("first_us")?;
    let on = fields.required_string("on")?;
    let from = role(&mut fields, "from")?;
    let opened = fields.truth("open")?;
    let frame = fields.string("frame")?;
    let raw = fields.string("raw")?;
    let closed = fields.string("close")?;
    let what = match (opened, frame, raw, closed) {
        (Some(true), None, None, None) => What::Open(true),
        (None, Some(text), None, None) => What::Frame(text),
        (None, None, Some(digits), None) => match unhex(&digits) {
            Some(bytes) => What::Raw(bytes),
            None => {
                return fault(&root.join("raw"), "expected an even number of lower-case hexadecimal digits");
            }
        },
        (None, None, None, Some(how)) => What::Close(match how.as_str() {
            "eof" => Closing::Eof,
            "reset" => Closing::Reset,
            "refused" => Closing::Refused,
            other => {
                return fault(&root.join("close"), format!("{other:?}: expected eof, reset or refused"));
            }
        }),
        _ => return fault(&root, "expected exactly one of open, frame, raw, close"),
    };
    fields.finish()?;
    Ok(Event { at_us, first_us, on, from, what })
}
