//! From JSON text to [`Value`]: the wire's scanner judges the grammar, this builds.

use super::number::Number;
use super::value::{MAX_DEPTH, Object, Pointer, Text, Value};
use crate::wire::{self, FrameError, JsonErrorKind};

/// Why a text is no value for the kit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not JSON.
    #[error("{0}")]
    Text(FrameError),
    /// `NaN`, `Infinity` or `-Infinity`.
    #[error("non-finite number literal at {pointer} (offset {offset}): expected JSON (VAL-2)")]
    NonFinite {
        /// Where it stands.
        pointer: Pointer,
        /// Byte offset in the text.
        offset: usize,
    },
    /// A member stands twice in one object.
    #[error("member {name:?} of {pointer} a second time (offset {offset}): expected each name once")]
    Duplicate {
        /// The object.
        pointer: Pointer,
        /// The name.
        name: String,
        /// Byte offset of the second one's name.
        offset: usize,
    },
    /// More levels than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

impl ValueError {
    /// Where in the text the fault is, in bytes, when it has a place.
    pub fn offset(&self) -> Option<usize> {
        match self {
            ValueError::Text(error) => error.offset(),
            ValueError::NonFinite { offset, .. } | ValueError::Duplicate { offset, .. } => Some(*offset),
            ValueError::TooDeep => None,
        }
    }
}

/// Parses a JSON text of any type.
pub(super) fn parse(text: &[u8]) -> Result<Value, ValueError> {
    match wire::scan(text, |_| ()) {
        Ok(_) => build(text),
        Err(FrameError::NotObject { .. }) => build(text),
        Err(error) => Err(ValueError::Text(error)),
    }
}

fn build(text: &[u8]) -> Result<Value, ValueError> {
    let text = std::str::from_utf8(text)
        .map_err(|error| ValueError::Text(FrameError::NotUtf8 { offset: error.valid_up_to() }))?;
    Builder { text, at: 0, open: Vec::new() }.run()
}

/// Walks a legal text once, with a stack of the containers that are open.
struct Builder<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open>,
}

enum Open {
    Array(Vec<Value>),
    /// The name is that of the member whose value comes next.
    Object(Object, Option<Text>),
}

impl Builder<'_> {
    fn run(mut self) -> Result<Value, ValueError> {
        loop {
            self.at += self.rest().bytes().take_while(|b| b" \t\r\n,:".contains(b)).count();
            let start = self.at;
            let value = match self.rest().bytes().next() {
                Some(b'{') => {
                    self.enter(Open::Object(Object::new(), None))?;
                    continue;
                }
                Some(b'[') => {
                    self.enter(Open::Array(Vec::new()))?;
                    continue;
                }
                Some(b'}' | b']') => {
                    self.at += 1;
                    match self.open.pop() {
                        Some(Open::Array(items)) => Value::Array(items),
                        Some(Open::Object(members, _)) => Value::Object(members),
                        None => return Err(self.impossible()),
                    }
                }
                Some(b'"') => {
                    let token = self.token(string_length);
                    match self.open.last_mut() {
                        Some(Open::Object(members, name @ None)) => {
                            let text = Text::from_token(&self.text[token]);
                            if members.contains_key(&text) {
                                let name = text.lossy().into_owned();
                                return Err(ValueError::Duplicate {
                                    pointer: self.pointer(),
                                    name,
                                    offset: start,
                                });
                            }
                            *name = Some(text);
                            continue;
                        }
                        _ => Value::String(Text::from_token(&self.text[token])),
                    }
                }
                Some(_) => {
                    let token = self.token(word_length);
                    match &self.text[token] {
                        "null" => Value::Null,
                        "true" => Value::Bool(true),
                        "false" => Value::Bool(false),
                        word if word.ends_with(['N', 'y']) => {
                            return Err(ValueError::NonFinite { pointer: self.pointer(), offset: start });
                        }
                        number => Value::Number(Number::from_text(number)),
                    }
                }
                None => return Err(self.impossible()),
            };
            match self.open.last_mut() {
                None => return Ok(value),
                Some(Open::Array(items)) => items.push(value),
                Some(Open::Object(members, name)) => {
                    // A legal text has a name before every value.
                    members.insert(name.take().unwrap_or_else(|| Text::from("")), value);
                }
            }
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn token(&mut self, length: fn(&[u8]) -> usize) -> std::ops::Range<usize> {
        let start = self.at;
        self.at += length(self.rest().as_bytes());
        start..self.at
    }

    fn enter(&mut self, container: Open) -> Result<(), ValueError> {
        self.at += 1;
        self.open.push(container);
        if self.open.len() > MAX_DEPTH { Err(ValueError::TooDeep) } else { Ok(()) }
    }

    /// Where the value that is being read stands.
    fn pointer(&self) -> Pointer {
        self.open.iter().fold(Pointer::default(), |pointer, open| match open {
            Open::Array(items) => pointer.join(items.len()),
            Open::Object(_, Some(name)) => pointer.join(name.lossy()),
            Open::Object(_, None) => pointer,
        })
    }

    /// The scanner has accepted the text, so that this is not reached.
    fn impossible(&self) -> ValueError {
        let kind = JsonErrorKind::UnexpectedEnd { expected: "a value" };
        ValueError::Text(FrameError::NotJson(wire::JsonError { offset: self.at, kind }))
    }
}

/// The length of the string token at the start, quotes included.
fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// The length of the number or word at the start.
fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count()
}
