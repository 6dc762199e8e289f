//! Typed values: a type byte, a length where the type has none of its own, and the value (GD-4).

/// The most items of a list and entries of a dict (GD-6).
pub const MAX_ITEMS: u32 = 1 << 20;

const NONE: u8 = 0x00;
const BOOL: u8 = 0x01;
const INT: u8 = 0x05;
const FLOAT: u8 = 0x06;
const BYTES: u8 = 0x10;
const TEXT: u8 = 0x11;
const LIST: u8 = 0x20;
const DICT: u8 = 0x21;

/// A value, or the beginning of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// `None`
    None,
    /// A truth value.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A 64-bit float, any.
    Float(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Unicode text.
    Text(&'a str),
    /// A list: so many values follow.
    List(u32),
    /// A dict: so many pairs of a text and a value follow.
    Dict(u32),
}

/// Where and how a payload departs from the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at offset {offset}")]
pub struct TlvError {
    /// Byte offset in the payload.
    pub offset: usize,
    /// What was found there.
    pub kind: TlvErrorKind,
}

/// The ways in which a payload is not one dict of typed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlvErrorKind {
    /// The payload ended inside a value.
    #[error("unexpected end, expected {expected} more bytes")]
    Truncated {
        /// How many bytes are missing.
        expected: usize,
    },
    /// A type that there is not.
    #[error("unknown type 0x{0:02x}")]
    UnknownType(u8),
    /// A text that is not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// More items than allowed, or than there are bytes for.
    #[error("a count of {count}, expected at most {limit}")]
    TooMany {
        /// The count.
        count: u32,
        /// What could stand there.
        limit: u32,
    },
    /// A key that is no text.
    #[error("a key of another type than text")]
    KeyNotText,
    /// Bytes after the value.
    #[error("bytes after the end of the value")]
    Trailing,
    /// A payload that is no dict.
    #[error("another type than a dict")]
    NotADict,
}

/// Reads tokens one after the other. It keeps no structure and never recurses: who reads counts.
#[derive(Debug, Clone)]
pub struct TokenReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Read<T> = Result<T, TlvError>;

impl<'a> TokenReader<'a> {
    /// A reader at the start of a payload.
    pub fn new(bytes: &'a [u8]) -> Self {
        TokenReader { bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next token.
    ///
    /// # Errors
    /// A [`TlvError`] (GD-5).
    pub fn token(&mut self) -> Read<Token<'a>> {
        let start = self.at;
        let [kind] = self.array()?;
        Ok(match kind {
            NONE => Token::None,
            // Whoever writes another byte than 1 means true.
            BOOL => Token::Bool(self.array::<1>()? != [0]),
            INT => Token::Int(i64::from_be_bytes(self.array()?)),
            FLOAT => Token::Float(f64::from_be_bytes(self.array()?)),
            BYTES => Token::Bytes(self.sized()?),
            TEXT => Token::Text(self.text()?),
            LIST => Token::List(self.count(1)?),
            // The shortest pair: an empty text and a value without a body.
            DICT => Token::Dict(self.count(6)?),
            other => return Err(TlvError { offset: start, kind: TlvErrorKind::UnknownType(other) }),
        })
    }

    /// The key of a dict's next entry.
    ///
    /// # Errors
    /// A [`TlvError`] (GD-5).
    pub fn key(&mut self) -> Read<&'a str> {
        let start = self.at;
        match self.array()? {
            [TEXT] => self.text(),
            _ => Err(TlvError { offset: start, kind: TlvErrorKind::KeyNotText }),
        }
    }

    /// Reads on to the end of the value that began with `first`, and keeps nothing of it.
    ///
    /// # Errors
    /// A [`TlvError`] (GD-5).
    pub fn skip(&mut self, first: Token<'a>) -> Read<()> {
        // How many items or entries are to come, and whether it is a dict.
        let mut open: Vec<(u32, bool)> = Vec::new();
        let mut token = first;
        loop {
            match token {
                Token::List(count) => open.push((count, false)),
                Token::Dict(count) => open.push((count, true)),
                _ => {}
            }
            loop {
                let Some((left, is_dict)) = open.last_mut() else { return Ok(()) };
                if *left > 0 {
                    *left -= 1;
                    if *is_dict {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
            token = self.token()?;
        }
    }

    /// Says whether the payload may end here.
    ///
    /// # Errors
    /// [`TlvErrorKind::Trailing`] when there is more.
    pub fn finish(&self) -> Read<()> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.fault(TlvErrorKind::Trailing)) }
    }

    fn fault(&self, kind: TlvErrorKind) -> TlvError {
        TlvError { offset: self.at, kind }
    }

    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        match rest.get(..count) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => Err(self.fault(TlvErrorKind::Truncated { expected: count - rest.len() })),
        }
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let bytes = self.take(N)?;
        let mut array = [0; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    fn length(&mut self) -> Read<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn sized(&mut self) -> Read<&'a [u8]> {
        let length = self.length()?;
        self.take(length as usize)
    }

    fn text(&mut self) -> Read<&'a str> {
        let bytes = self.sized()?;
        if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
            return Ok(text);
        }
        std::str::from_utf8(bytes).map_err(|error| TlvError {
            offset: self.at - bytes.len() + error.valid_up_to(),
            kind: TlvErrorKind::NotUtf8,
        })
    }

    /// A count of items of at least `least` bytes each: what cannot be there is refused before anything is made for it.
    fn count(&mut self, least: usize) -> Read<u32> {
        let start = self.at;
        let count = self.length()?;
        let room = u32::try_from((self.bytes.len() - self.at) / least).unwrap_or(u32::MAX);
        let limit = room.min(MAX_ITEMS);
        if count > limit {
            return Err(TlvError { offset: start, kind: TlvErrorKind::TooMany { count, limit } });
        }
        Ok(count)
    }
}

/// Writes tokens one after the other.
#[derive(Debug, Default)]
pub struct TokenWriter {
    bytes: Vec<u8>,
}

/// A list or dict whose count is not known yet.
#[derive(Debug)]
pub struct Uncounted(usize);

impl TokenWriter {
    /// A writer that goes on after these bytes.
    pub fn after(bytes: Vec<u8>) -> Self {
        TokenWriter { bytes }
    }

    /// What has been written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many bytes have been written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// `None`.
    pub fn none(&mut self) {
        self.bytes.push(NONE);
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        self.bytes.extend_from_slice(&[BOOL, value.into()]);
    }

    /// An integer.
    pub fn int(&mut self, value: i64) {
        self.bytes.push(INT);
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// A float.
    pub fn float(&mut self, value: f64) {
        self.bytes.push(FLOAT);
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Bytes, at most 2^32 − 1 of them: more do not fit into a frame.
    pub fn raw_bytes(&mut self, value: &[u8]) {
        self.sized(BYTES, value);
    }

    /// A text, of at most 2^32 − 1 bytes.
    pub fn text(&mut self, value: &str) {
        self.sized(TEXT, value.as_bytes());
    }

    /// The beginning of a list.
    pub fn list(&mut self) -> Uncounted {
        self.uncounted(LIST)
    }

    /// The beginning of a dict: keys and values follow by turns.
    pub fn dict(&mut self) -> Uncounted {
        self.uncounted(DICT)
    }

    /// Says how many items a list, or entries a dict, has after all.
    pub fn counted(&mut self, begun: Uncounted, count: u32) {
        self.bytes[begun.0..begun.0 + 4].copy_from_slice(&count.to_be_bytes());
    }

    fn uncounted(&mut self, kind: u8) -> Uncounted {
        self.bytes.extend_from_slice(&[kind, 0, 0, 0, 0]);
        Uncounted(self.bytes.len() - 4)
    }

    fn sized(&mut self, kind: u8, value: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.bytes.extend_from_slice(value);
    }
}
