//! One strict pass over a JSON text that reports the members of its top-level object.
//!
//! The pass checks the whole text against RFC 8259 and keeps a bit per open bracket instead of recursing.
//! Payload values are neither decoded nor copied: a member is a slice of the text.

use std::borrow::Cow;

use super::{FrameError, JsonError, JsonErrorKind, text};

/// The type of a JSON value, told from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `-1.5e3`
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
    /// `NaN`, `Infinity` or `-Infinity`: not JSON, recognised so that it is refused by name (VAL-2).
    NonFinite,
}

impl std::fmt::Display for JsonKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            JsonKind::Object => "an object",
            JsonKind::Array => "an array",
            JsonKind::String => "a string",
            JsonKind::Number => "a number",
            JsonKind::True | JsonKind::False => "a boolean",
            JsonKind::Null => "null",
            JsonKind::NonFinite => "a non-finite number literal",
        })
    }
}

/// One member of the top-level object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// The decoded name. A name with a lone surrogate escape keeps its source text: it matches no known name.
    pub key: Cow<'a, str>,
    /// The value's text as it stands in the payload, without surrounding white space.
    pub value: &'a str,
    /// The value's type.
    pub kind: JsonKind,
    /// Byte offset of the value in the payload.
    pub offset: usize,
}

/// What a scan learned about the text as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The deepest nesting of arrays and objects; the top-level object is level 1.
    pub depth: usize,
    /// Offset of the first `NaN`, `Infinity` or `-Infinity`.
    pub non_finite: Option<usize>,
}

/// Scans `payload`, which must be UTF-8 and one JSON object, and reports each top-level member in order.
///
/// # Errors
/// [`FrameError::NotUtf8`], [`FrameError::NotJson`] or [`FrameError::NotObject`] (FRAME-10).
pub fn scan<'a>(payload: &'a [u8], mut on_member: impl FnMut(Member<'a>)) -> Result<Summary, FrameError> {
    let text = match simdutf8::basic::from_utf8(payload) {
        Ok(text) => text,
        // Quick, but it does not say where; the other reading does.
        Err(_) => std::str::from_utf8(payload)
            .map_err(|error| FrameError::NotUtf8 { offset: error.valid_up_to() })?,
    };
    let mut scanner =
        Scanner { text, bytes: payload, at: 0, open: Brackets::default(), depth: 0, non_finite: None };
    match scanner.document(&mut on_member) {
        Ok(JsonKind::Object) => Ok(Summary { depth: scanner.depth, non_finite: scanner.non_finite }),
        Ok(found) => Err(FrameError::NotObject { found }),
        Err(kind) => Err(FrameError::NotJson(JsonError { offset: scanner.at, kind })),
    }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The next byte to read; after an error, where the error is.
    at: usize,
    open: Brackets,
    depth: usize,
    non_finite: Option<usize>,
}

type Scanned<T> = Result<T, JsonErrorKind>;

impl<'a> Scanner<'a> {
    fn document(&mut self, on_member: &mut impl FnMut(Member<'a>)) -> Scanned<JsonKind> {
        if self.bytes.starts_with(b"\xEF\xBB\xBF") {
            return Err(JsonErrorKind::ByteOrderMark);
        }
        self.white_space();
        let kind = if self.peek() == Some(b'{') {
            self.at += 1;
            self.enter(true);
            self.members(on_member)?;
            self.open.pop();
            JsonKind::Object
        } else {
            self.value()?
        };
        self.white_space();
        if self.at < self.bytes.len() {
            return Err(JsonErrorKind::TrailingText);
        }
        Ok(kind)
    }

    /// The members of the top-level object, from behind its `{` to behind its `}`.
    fn members(&mut self, on_member: &mut impl FnMut(Member<'a>)) -> Scanned<()> {
        self.white_space();
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let (start, end, escaped) = self.key()?;
            let token = &self.text[start..end];
            let name = &self.text[start + 1..end - 1];
            let key = if escaped {
                text::unescape(token).unwrap_or(Cow::Borrowed(name))
            } else {
                Cow::Borrowed(name)
            };
            let offset = self.at;
            let kind = self.value()?;
            on_member(Member { key, value: &self.text[offset..self.at], kind, offset });
            self.white_space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.white_space();
                }
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected("',' or '}'")),
            }
        }
    }

    /// One value of any depth, without recursion; `at` ends behind it.
    fn value(&mut self) -> Scanned<JsonKind> {
        let base = self.open.len();
        let mut outermost = None;
        loop {
            let kind = match self.peek() {
                Some(b'"') => {
                    self.string()?;
                    JsonKind::String
                }
                Some(b'{') => {
                    self.at += 1;
                    self.enter(true);
                    self.white_space();
                    if !self.eat(b'}') {
                        outermost.get_or_insert(JsonKind::Object);
                        self.key()?;
                        continue;
                    }
                    self.open.pop();
                    JsonKind::Object
                }
                Some(b'[') => {
                    self.at += 1;
                    self.enter(false);
                    self.white_space();
                    if !self.eat(b']') {
                        outermost.get_or_insert(JsonKind::Array);
                        continue;
                    }
                    self.open.pop();
                    JsonKind::Array
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true", JsonKind::True)?,
                Some(b'f') => self.literal("false", JsonKind::False)?,
                Some(b'n') => self.literal("null", JsonKind::Null)?,
                Some(b'N') => self.non_finite("NaN", self.at)?,
                Some(b'I') => self.non_finite("Infinity", self.at)?,
                _ => return Err(self.unexpected("a value")),
            };
            outermost.get_or_insert(kind);
            // Behind a value: close what ends here, or go on to the next one.
            loop {
                if self.open.len() == base {
                    // Set above: a value has been read whenever this point is reached.
                    return Ok(outermost.unwrap_or(kind));
                }
                self.white_space();
                match (self.open.top_is_object(), self.peek()) {
                    (true, Some(b'}')) | (false, Some(b']')) => {
                        self.at += 1;
                        self.open.pop();
                    }
                    (true, Some(b',')) => {
                        self.at += 1;
                        self.white_space();
                        self.key()?;
                        break;
                    }
                    (false, Some(b',')) => {
                        self.at += 1;
                        self.white_space();
                        break;
                    }
                    (true, _) => return Err(self.unexpected("',' or '}'")),
                    (false, _) => return Err(self.unexpected("',' or ']'")),
                }
            }
        }
    }

    /// A member's name and its colon; returns the name's token (with quotes) and whether it has escapes.
    fn key(&mut self) -> Scanned<(usize, usize, bool)> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a member name in quotes"));
        }
        let escaped = self.string()?;
        let end = self.at;
        self.white_space();
        if !self.eat(b':') {
            return Err(self.unexpected("':'"));
        }
        self.white_space();
        Ok((start, end, escaped))
    }

    /// A string, from its opening to behind its closing quote; returns whether it has escapes.
    fn string(&mut self) -> Scanned<bool> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.at += plain_run(&self.bytes[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(control) => return Err(JsonErrorKind::ControlCharacter(control)),
                None => return Err(JsonErrorKind::UnexpectedEnd { expected: "'\"'" }),
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => match self.bytes.get(self.at + 2..self.at + 6) {
                Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => 6,
                _ => return Err(JsonErrorKind::InvalidEscape),
            },
            _ => return Err(JsonErrorKind::InvalidEscape),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Scanned<JsonKind> {
        let start = self.at;
        if self.eat(b'-') && self.peek() == Some(b'I') {
            return self.non_finite("Infinity", start);
        }
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(JsonKind::Number)
    }

    fn digits(&mut self) -> Scanned<()> {
        let run = self.bytes[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += run;
        if run == 0 { Err(JsonErrorKind::InvalidNumber) } else { Ok(()) }
    }

    fn literal(&mut self, word: &str, kind: JsonKind) -> Scanned<JsonKind> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(JsonErrorKind::InvalidLiteral);
        }
        self.at += word.len();
        Ok(kind)
    }

    fn non_finite(&mut self, word: &str, start: usize) -> Scanned<JsonKind> {
        self.literal(word, JsonKind::NonFinite)?;
        self.non_finite.get_or_insert(start);
        Ok(JsonKind::NonFinite)
    }

    fn enter(&mut self, object: bool) {
        self.open.push(object);
        self.depth = self.depth.max(self.open.len());
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &'static str) -> JsonErrorKind {
        // `at` is behind an ASCII byte or at a token's start, so always on a character boundary.
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => JsonErrorKind::Unexpected { found, expected },
            None => JsonErrorKind::UnexpectedEnd { expected },
        }
    }
}

/// How many bytes from the start need no attention inside a string: no quote, backslash or control character.
fn plain_run(bytes: &[u8]) -> usize {
    // Without short cuts: the vector units compare a block at a time, a branch a byte at a time.
    let special = |b: u8| (b == b'"') | (b == b'\\') | (b < 0x20);
    let mut run = 0;
    // Whole blocks without a branch per byte: the compiler turns this into vector instructions.
    for block in bytes.chunks_exact(32) {
        if block.iter().fold(false, |hit, &b| hit | special(b)) {
            break;
        }
        run += 32;
    }
    run + bytes[run..].iter().take_while(|&&b| !special(b)).count()
}

/// The open brackets, a bit each: set for an object. 64 levels need no allocation.
#[derive(Default)]
struct Brackets {
    top: u64,
    below: Vec<u64>,
    len: usize,
}

impl Brackets {
    fn push(&mut self, object: bool) {
        if self.len > 0 && self.len.is_multiple_of(64) {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(object);
        self.len += 1;
    }

    fn pop(&mut self) {
        self.len -= 1;
        self.top >>= 1;
        if self.len > 0 && self.len.is_multiple_of(64) {
            self.top = self.below.pop().unwrap_or_default();
        }
    }

    fn top_is_object(&self) -> bool {
        self.top & 1 == 1
    }

    fn len(&self) -> usize {
        self.len
    }
}
