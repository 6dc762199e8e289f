//! From `json/1` to `gd/1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Step, Untranslatable, members_of, pointer_of};
use crate::message::{Hint, Hints, MessageType};
use crate::values::{HintTree, Node};
use crate::wire::gd::{HEADER_LEN, Header, Kind, MAX_ITEMS, TokenWriter, Uncounted};
use crate::wire::{Limits, Member, Members, unescape};

/// The message in `payload`, which is known to be a good one of this type, as a frame of `gd/1`, with `id` in its header. Strings
/// with a hint become what they stand for.
///
/// # Errors
/// [`Untranslatable`] names the value that `gd/1` does not have.
pub fn to_gd(payload: &[u8], kind: MessageType, id: u64, limits: &Limits) -> Result<Bytes, Untranslatable> {
    let failed = |pointer: String, problem: String| Untranslatable { pointer, problem, codec: "gd/1" };
    let unlimited = Limits { max_payload: u32::MAX, ..*limits };
    let members =
        Members::read(payload, &unlimited).map_err(|error| failed(String::new(), error.to_string()))?;
    let kind = code_of(kind);
    let hints = hints_of(&members);
    let mut writer = TokenWriter::after(vec![0; HEADER_LEN]);
    let sent: Vec<&Member<'_>> =
        members_of(kind).unwrap_or_default().iter().filter_map(|name| members.get(name)).collect();
    if !sent.is_empty() {
        let dict = writer.dict();
        for member in &sent {
            writer.text(&member.key);
            let root = format!("/{}", member.key);
            let tree = HintTree::new(&hints, &root);
            Value { writer: &mut writer, member: &member.key, open: Vec::new() }
                .write(member, tree.root())?;
        }
        // At most six of them.
        writer.counted(dict, u32::try_from(sent.len()).unwrap_or_default());
    }
    let mut frame = writer.into_bytes();
    let length = frame.len() - HEADER_LEN;
    let length =
        u32::try_from(length).ok().filter(|length| *length <= limits.max_payload).ok_or_else(|| {
            let limit = limits.max_payload;
            failed(String::new(), format!("a message of {length} bytes, expected at most {limit}"))
        })?;
    frame[..HEADER_LEN].copy_from_slice(&Header { kind: kind as u8, length, id }.to_bytes());
    Ok(frame.into())
}

fn code_of(kind: MessageType) -> Kind {
    match kind {
        MessageType::Request => Kind::Request,
        MessageType::Response => Kind::Response,
        MessageType::Chunk => Kind::Chunk,
        MessageType::End => Kind::End,
        MessageType::Error => Kind::Error,
        MessageType::Cancel => Kind::Cancel,
    }
}

/// What the message says of its strings. It is known to be well-formed.
fn hints_of(members: &Members<'_>) -> Hints {
    let Some(hints) = members.get("hints") else { return Hints::new() };
    let unlimited = Limits { max_payload: u32::MAX, ..Limits::default() };
    let Ok(hints) = Members::read(hints.value.as_bytes(), &unlimited) else { return Hints::new() };
    let hint = |member: &Member<'_>| {
        let hint = match unescape(member.value).ok()?.as_ref() {
            "base64" => Hint::Base64,
            "int" => Hint::Int,
            "float" => Hint::Float,
            _ => return None,
        };
        Some((member.key.to_string(), hint))
    };
    hints.iter().filter_map(hint).collect()
}

/// The value of one member while it is written.
struct Value<'w> {
    writer: &'w mut TokenWriter,
    member: &'w str,
    /// The arrays and objects around the next value, outermost first.
    open: Vec<Open<'w>>,
}

/// An array or object that is being written.
struct Open<'w> {
    begun: Uncounted,
    count: u32,
    /// The name of the present member; none in an array.
    name: Option<String>,
    is_object: bool,
    hints: Option<Node<'w>>,
}

impl<'w> Value<'w> {
    fn write(mut self, member: &Member<'_>, hints: Option<Node<'w>>) -> Result<(), Untranslatable> {
        let mut text = Text { text: member.value, at: 0 };
        let mut here = hints;
        loop {
            match text.token() {
                Token::Open(is_object) => {
                    let begun = if is_object { self.writer.dict() } else { self.writer.list() };
                    self.open.push(Open { begun, count: 0, name: None, is_object, hints: here });
                }
                Token::String(token) => self.string(token, here)?,
                Token::Scalar(token) => self.scalar(token)?,
            }
            // To the next value, or out of what is complete.
            loop {
                let Some(inner) = self.open.last_mut() else { return Ok(()) };
                if text.closes() {
                    if inner.count > MAX_ITEMS {
                        let problem = format!("{} items, expected at most {MAX_ITEMS}", inner.count);
                        self.open.pop();
                        return Err(self.failed(problem));
                    }
                    if let Some(Open { begun, count, .. }) = self.open.pop() {
                        self.writer.counted(begun, count);
                    }
                    continue;
                }
                let index = inner.count;
                inner.count += 1;
                let below = inner.hints;
                if inner.is_object {
                    let name = unescape(text.name());
                    let Ok(name) = name else {
                        return Err(self.failed("a name with a lone surrogate".to_owned()));
                    };
                    self.writer.text(&name);
                    here = below.and_then(|hints| hints.below(&name));
                    inner.name = Some(name.into_owned());
                } else {
                    here = below.and_then(|hints| hints.below(&index.to_string()));
                }
                break;
            }
        }
    }

    fn string(&mut self, token: &str, hints: Option<Node<'_>>) -> Result<(), Untranslatable> {
        let Ok(value) = unescape(token) else {
            return Err(self.failed("a string with a lone surrogate".to_owned()));
        };
        let bad = |what: &str| format!("a string that is no {what}, as its hint says");
        match hints.and_then(|hints| hints.here()) {
            None => self.writer.text(&value),
            Some(Hint::Base64) => match STANDARD.decode(value.as_bytes()) {
                Ok(bytes) => self.writer.raw_bytes(&bytes),
                Err(_) => return Err(self.failed(bad("base64"))),
            },
            Some(Hint::Int) => self.integer(&value, || bad("integer"))?,
            Some(Hint::Float) => self.writer.float(match value.as_ref() {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                _ => return Err(self.failed(bad("float"))),
            }),
        }
        Ok(())
    }

    fn scalar(&mut self, token: &str) -> Result<(), Untranslatable> {
        match token {
            "null" => self.writer.none(),
            "true" => self.writer.bool(true),
            "false" => self.writer.bool(false),
            // Literals that only gunicorn's peers write.
            "NaN" => self.writer.float(f64::NAN),
            "Infinity" => self.writer.float(f64::INFINITY),
            "-Infinity" => self.writer.float(f64::NEG_INFINITY),
            number if number.contains(['.', 'e', 'E']) => match number.parse::<f64>() {
                Ok(value) if value.is_finite() => self.writer.float(value),
                _ => {
                    return Err(
                        self.failed(format!("a number beyond the floats of 64 bits, {}", shortened(number)))
                    );
                }
            },
            integer => self.integer(integer, || "a number that is none".to_owned())?,
        }
        Ok(())
    }

    fn integer(&mut self, text: &str, malformed: impl FnOnce() -> String) -> Result<(), Untranslatable> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.failed(malformed()));
        }
        match text.parse::<i64>() {
            Ok(value) => self.writer.int(value),
            Err(_) => return Err(self.failed(format!("an integer beyond 64 bits, {}", shortened(text)))),
        }
        Ok(())
    }

    /// The present value cannot be written.
    fn failed(&self, problem: String) -> Untranslatable {
        let below = self.open.iter().map(|open| match &open.name {
            Some(name) => Step::Key(name),
            None => Step::Index(open.count.saturating_sub(1)),
        });
        let pointer = pointer_of(std::iter::once(Step::Key(self.member)).chain(below));
        Untranslatable { pointer, problem, codec: "gd/1" }
    }
}

/// A number for an error message.
fn shortened(number: &str) -> String {
    match number.get(..24) {
        Some(start) if number.len() > 24 => format!("{start}…"),
        _ => number.to_owned(),
    }
}

/// The text of a value that is known to be JSON.
struct Text<'a> {
    text: &'a str,
    at: usize,
}

/// The beginning of a value, or a whole one.
enum Token<'a> {
    /// An array or, if true, an object.
    Open(bool),
    /// A string, with its quotes.
    String(&'a str),
    /// Anything else.
    Scalar(&'a str),
}

impl<'a> Text<'a> {
    fn token(&mut self) -> Token<'a> {
        match self.peek() {
            Some(b'{') => self.open(true),
            Some(b'[') => self.open(false),
            Some(b'"') => Token::String(self.quoted()),
            _ => {
                let start = self.at;
                let rest = &self.text.as_bytes()[start..];
                let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
                Token::Scalar(&self.text[start..self.at])
            }
        }
    }

    /// The name of a member; behind it comes its value.
    fn name(&mut self) -> &'a str {
        self.peek();
        let name = self.quoted();
        // The colon.
        self.peek();
        self.at += 1;
        name
    }

    /// Goes past the end of an array or object, or past the comma before its next item.
    fn closes(&mut self) -> bool {
        match self.peek() {
            Some(b']' | b'}') => {
                self.at += 1;
                true
            }
            Some(b',') => {
                self.at += 1;
                false
            }
            _ => false,
        }
    }

    fn open(&mut self, is_object: bool) -> Token<'a> {
        self.at += 1;
        Token::Open(is_object)
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at.min(self.text.len())..];
        let space = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += space.unwrap_or(rest.len());
        self.text.as_bytes().get(self.at).copied()
    }

    /// The string that begins here.
    fn quoted(&mut self) -> &'a str {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            at += found;
            if bytes[at] == b'"' {
                break;
            }
            at += 2;
        }
        self.at = (at + 1).min(bytes.len());
        &self.text[start..self.at]
    }
}
