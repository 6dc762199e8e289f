//! From `gd/1` to `json/1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Untranslatable;
use crate::message::write;
use crate::values::escape;
use crate::wire::gd::{HEADER_LEN, Header, Kind, Token, TokenReader};
use crate::wire::{Frame, FrameError, Limits};

/// Integers beyond ± this lose digits in readers that hold numbers as doubles (VAL-9).
const EXACT: u64 = (1 << 53) - 1;

/// A whole frame of `gd/1`.
#[derive(Debug, Clone, Copy)]
pub struct GdFrame<'a> {
    /// What its header says.
    pub header: Header,
    /// What follows the header.
    pub payload: &'a [u8],
}

impl<'a> GdFrame<'a> {
    /// Takes a whole frame apart.
    ///
    /// # Errors
    /// A [`FrameError`] when there is no whole header.
    pub fn read(frame: &'a [u8]) -> Result<Self, FrameError> {
        match Header::read(frame)? {
            Some(header) => Ok(GdFrame { header, payload: &frame[HEADER_LEN..] }),
            None => Err(FrameError::TruncatedGdHeader { got: frame.len() }),
        }
    }
}

/// Why a frame has no counterpart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not what its codec says.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It has a value that JSON does not have, and the receiver reads no hints.
    #[error(transparent)]
    Value(#[from] Untranslatable),
}

/// The message of `frame` as JSON, with `id` as its id. Of a request the arbiter says that its sender reads hints: there
/// nothing is lost (GD-12).
///
/// `hints` says whether the receiver of anything but a request reads hints (VAL-6).
///
/// # Errors
/// A [`Fault`].
pub fn to_json(frame: GdFrame<'_>, id: Option<&str>, hints: bool, limits: &Limits) -> Result<Frame, Fault> {
    let kind = Kind::from_code(frame.header.kind);
    let is_request = kind == Some(Kind::Request);
    let mut writer = Writer {
        // Names, quotes and commas take as much as type bytes and lengths, about.
        out: Vec::with_capacity(frame.payload.len() + 128),
        hints: (hints || is_request).then(Vec::new),
        open: Vec::new(),
    };
    let out = &mut writer.out;
    out.extend_from_slice(b"\0\0\0\0{\"type\":");
    match kind {
        Some(kind) => write::text(out, kind.name()),
        None => write::text(out, &format!("0x{:02x}", frame.header.kind)),
    }
    out.extend_from_slice(b",\"id\":");
    match id {
        Some(id) => write::text(out, id),
        None => out.extend_from_slice(b"null"),
    }
    writer.members(frame.payload)?;
    if is_request {
        writer.out.extend_from_slice(b",\"accept_hints\":true");
    }
    writer.finish(limits)
}

/// What the header says, and what the arbiter says for a client of `gd/1`: not for the payload to say (GD-8, GD-12).
const NOT_RELAYED: [&str; 4] = ["type", "id", "hints", "accept_hints"];

struct Writer<'a> {
    out: Vec<u8>,
    /// What strings of the message stand for, by their pointers; `None` when there may be none.
    hints: Option<Vec<(String, &'static str)>>,
    /// The lists and dicts around the next value, outermost first.
    open: Vec<Open<'a>>,
}

/// A list or dict that is being written.
struct Open<'a> {
    /// The key of the present entry; none in a list.
    key: Option<&'a str>,
    /// How many items have begun, and how many there are.
    begun: u32,
    count: u32,
    is_dict: bool,
}

impl<'a> Writer<'a> {
    /// The members of the message.
    fn members(&mut self, payload: &'a [u8]) -> Result<(), Fault> {
        if payload.is_empty() {
            return Ok(());
        }
        let broken = |error| Fault::Frame(FrameError::NotTlv(error));
        let mut reader = TokenReader::new(payload);
        let Token::Dict(count) = reader.token().map_err(broken)? else {
            let kind = crate::wire::gd::TlvErrorKind::NotADict;
            return Err(broken(crate::wire::gd::TlvError { offset: 0, kind }));
        };
        for _ in 0..count {
            let name = reader.key().map_err(broken)?;
            if NOT_RELAYED.contains(&name) {
                // Read all the same: the payload is to be whole.
                let (length, hints) = (self.out.len(), self.hints.as_ref().map(Vec::len));
                self.value(name, &mut reader)?;
                self.out.truncate(length);
                if let (Some(hints), Some(length)) = (&mut self.hints, hints) {
                    hints.truncate(length);
                }
                continue;
            }
            self.out.push(b',');
            write::text(&mut self.out, name);
            self.out.push(b':');
            self.value(name, &mut reader)?;
        }
        reader.finish().map_err(broken)
    }

    /// The value of one member.
    fn value(&mut self, member: &'a str, reader: &mut TokenReader<'a>) -> Result<(), Fault> {
        self.open.clear();
        let broken = |error| Fault::Frame(FrameError::NotTlv(error));
        loop {
            match reader.token().map_err(broken)? {
                Token::None => self.out.extend_from_slice(b"null"),
                Token::Bool(value) => write::boolean(&mut self.out, value),
                Token::Int(value) if value.unsigned_abs() <= EXACT || self.hints.is_none() => {
                    write::number(&mut self.out, value);
                }
                Token::Int(value) => self.hinted(member, &value.to_string(), "int")?,
                Token::Float(value) if value.is_finite() => {
                    self.out.extend_from_slice(format!("{value:?}").as_bytes());
                }
                Token::Float(value) => {
                    let name = match value {
                        _ if value.is_nan() => "NaN",
                        _ if value > 0.0 => "Infinity",
                        _ => "-Infinity",
                    };
                    self.hinted(member, name, "float")?;
                }
                Token::Bytes(value) => self.hinted(member, &STANDARD.encode(value), "base64")?,
                Token::Text(value) => write::text(&mut self.out, value),
                Token::List(count) => {
                    self.out.push(b'[');
                    self.open.push(Open { key: None, begun: 0, count, is_dict: false });
                }
                Token::Dict(count) => {
                    self.out.push(b'{');
                    self.open.push(Open { key: None, begun: 0, count, is_dict: true });
                }
            }
            // To the next value, or out of what is complete.
            loop {
                let Some(inner) = self.open.last_mut() else { return Ok(()) };
                if inner.begun < inner.count {
                    if inner.begun > 0 {
                        self.out.push(b',');
                    }
                    inner.begun += 1;
                    if inner.is_dict {
                        let key = reader.key().map_err(broken)?;
                        inner.key = Some(key);
                        write::text(&mut self.out, key);
                        self.out.push(b':');
                    }
                    break;
                }
                self.out.push(if inner.is_dict { b'}' } else { b']' });
                self.open.pop();
            }
        }
    }

    /// A string that stands for something else.
    fn hinted(&mut self, member: &str, text: &str, hint: &'static str) -> Result<(), Untranslatable> {
        let pointer = self.pointer(member);
        let Some(hints) = &mut self.hints else {
            let problem = match hint {
                "base64" => "bytes, and the receiver reads no hints".to_owned(),
                _ => format!("the float {text}, and the receiver reads no hints"),
            };
            return Err(Untranslatable { pointer, problem, codec: "json/1" });
        };
        hints.push((pointer, hint));
        write::text(&mut self.out, text);
        Ok(())
    }

    /// Where the present value is.
    fn pointer(&self, member: &str) -> String {
        let mut pointer = format!("/{}", escape(member));
        for open in &self.open {
            pointer.push('/');
            match open.key {
                Some(key) => pointer.push_str(&escape(key)),
                None => pointer.push_str(&(open.begun - 1).to_string()),
            }
        }
        pointer
    }

    fn finish(mut self, limits: &Limits) -> Result<Frame, Fault> {
        let out = &mut self.out;
        if let Some(hints) = self.hints.filter(|hints| !hints.is_empty()) {
            out.extend_from_slice(b",\"hints\":{");
            for (index, (pointer, hint)) in hints.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write::text(out, pointer);
                out.push(b':');
                write::text(out, hint);
            }
            out.push(b'}');
        }
        out.push(b'}');
        let length = self.out.len().saturating_sub(crate::wire::HEADER_LEN);
        Frame::from_parts(self.out, limits).map_err(|_| {
            let problem = format!("a message of {length} bytes, expected at most {}", limits.max_payload);
            Untranslatable { pointer: String::new(), problem, codec: "json/1" }.into()
        })
    }
}
