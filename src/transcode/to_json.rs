//! From `gd/1` to `json/1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::repeated::repeated_key;
use super::{Step, Untranslatable, members_of, pointer_of};
use crate::message::{read::excerpt, write};
use crate::wire::gd::{HEADER_LEN, Header, Kind, TlvError, TlvErrorKind, Token, TokenReader};
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
/// `hints` says whether the receiver of anything but a request reads hints (VAL-6). Members that the type of message does
/// not have are left out: who receives the message would ignore them (MSG-3). What is nested deeper than the limit is cut
/// one level below it, where its receiver refuses it (VAL-3).
///
/// # Errors
/// A [`Fault`].
pub fn to_json(frame: GdFrame<'_>, id: Option<&str>, hints: bool, limits: &Limits) -> Result<Frame, Fault> {
    let kind = Kind::from_code(frame.header.kind);
    let is_request = kind == Some(Kind::Request);
    let mut writer = Writer {
        kind,
        limits: *limits,
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
    writer.finish()
}

/// What the header says, and what the arbiter says for a client of `gd/1`: not for the payload to say (GD-8, GD-12).
const NOT_RELAYED: [&str; 4] = ["type", "id", "hints", "accept_hints"];

/// The members with values of the app's: only in them strings may have hints (VAL-5). In an error, whose readers need not
/// honour them, a hint is still better than the loss of the error.
const VALUES: [&str; 5] = ["args", "kwargs", "result", "data", "error"];

struct Writer<'a> {
    kind: Option<Kind>,
    limits: Limits,
    out: Vec<u8>,
    /// What strings of the message stand for, as members of the object of hints; `None` when there may be none.
    hints: Option<Vec<u8>>,
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
            return Err(broken(TlvError { offset: 0, kind: TlvErrorKind::NotADict }));
        };
        for _ in 0..count {
            let name = reader.key().map_err(broken)?;
            let known = self.kind.and_then(members_of).is_none_or(|members| members.contains(&name));
            if !known || NOT_RELAYED.contains(&name) {
                // Read all the same: the payload is to be whole.
                let first = reader.token().map_err(broken)?;
                reader.skip(first).map_err(broken)?;
                continue;
            }
            self.out.push(b',');
            write::text(&mut self.out, name);
            self.out.push(b':');
            let (start, hints) = (reader.clone(), self.hints.as_ref().map(Vec::len));
            self.value(name, &mut reader)?;
            if hints != self.hints.as_ref().map(Vec::len)
                && let Some(key) = repeated_key(start)
            {
                let problem = format!(
                    "a dict in which the key {:?} stands twice, and a value that needs a hint",
                    excerpt(key)
                );
                return Err(self.failed(name, problem).into());
            }
        }
        reader.finish().map_err(broken)
    }

    /// The value of one member.
    fn value(&mut self, member: &'a str, reader: &mut TokenReader<'a>) -> Result<(), Fault> {
        self.open.clear();
        let broken = |error| Fault::Frame(FrameError::NotTlv(error));
        let hinted = self.hints.is_some() && self.may_hint(member);
        loop {
            let token = reader.token().map_err(broken)?;
            match token {
                Token::None => self.out.extend_from_slice(b"null"),
                Token::Bool(value) => write::boolean(&mut self.out, value),
                Token::Int(value) if value.unsigned_abs() <= EXACT || !hinted => {
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
                // The message itself is the first level, and this one would be too deep.
                Token::List(_) | Token::Dict(_) if self.open.len() + 2 > self.limits.max_depth => {
                    let empty: &[u8; 2] = if matches!(token, Token::Dict(_)) { b"{}" } else { b"[]" };
                    self.out.extend_from_slice(empty);
                    reader.skip(token).map_err(broken)?;
                }
                Token::List(count) => {
                    self.out.push(b'[');
                    self.open.push(Open { key: None, begun: 0, count, is_dict: false });
                }
                Token::Dict(count) => {
                    self.out.push(b'{');
                    self.open.push(Open { key: None, begun: 0, count, is_dict: true });
                }
            }
            // A short payload can make a long text: every hint repeats the keys on the way to its value.
            let (length, limit) = (self.length(), self.limits.max_payload as usize);
            if length > limit {
                let problem = format!("the message is longer than {limit} bytes from here on");
                return Err(self.failed(member, problem).into());
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

    /// Whether strings in this member of the message may have hints.
    fn may_hint(&self, member: &str) -> bool {
        self.kind.and_then(members_of).is_none() || VALUES.contains(&member)
    }

    /// A string that stands for something else.
    fn hinted(&mut self, member: &str, text: &str, hint: &'static str) -> Result<(), Untranslatable> {
        let value = if hint == "base64" { "bytes".to_owned() } else { format!("the float {text}") };
        if self.hints.is_some() && !self.may_hint(member) {
            return Err(
                self.failed(member, format!("{value}, for which there is no hint outside the app's values"))
            );
        }
        let mut pointer = String::new();
        self.steps(member).for_each(|step| step.push_to(&mut pointer));
        let Some(hints) = &mut self.hints else {
            return Err(self.failed(member, format!("{value}, and the receiver reads no hints")));
        };
        if !hints.is_empty() {
            hints.push(b',');
        }
        write::text(hints, &pointer);
        hints.push(b':');
        write::text(hints, hint);
        write::text(&mut self.out, text);
        Ok(())
    }

    /// Bytes of the payload so far.
    fn length(&self) -> usize {
        let hints = self.hints.as_ref().map_or(0, Vec::len);
        self.out.len() + hints - crate::wire::HEADER_LEN
    }

    /// The way to the present value.
    fn steps<'s>(&'s self, member: &'s str) -> impl Iterator<Item = Step<'s>> {
        let below = self.open.iter().map(|open| match open.key {
            Some(key) => Step::Key(key),
            None => Step::Index(open.begun.saturating_sub(1)),
        });
        std::iter::once(Step::Key(member)).chain(below)
    }

    /// The present value cannot be relayed.
    fn failed(&self, member: &str, problem: String) -> Untranslatable {
        Untranslatable { pointer: pointer_of(self.steps(member)), problem, codec: "json/1" }
    }

    fn finish(mut self) -> Result<Frame, Fault> {
        let out = &mut self.out;
        if let Some(hints) = self.hints.filter(|hints| !hints.is_empty()) {
            out.extend_from_slice(b",\"hints\":{");
            out.extend_from_slice(&hints);
            out.push(b'}');
        }
        out.push(b'}');
        let length = self.out.len().saturating_sub(crate::wire::HEADER_LEN);
        let limits = self.limits;
        Frame::from_parts(self.out, &limits).map_err(|_| {
            let problem = format!("a message of {length} bytes, expected at most {}", limits.max_payload);
            Untranslatable { pointer: String::new(), problem, codec: "json/1" }.into()
        })
    }
}
