//! Reading values for which hints stand: bytes, large integers, NaN and the infinities (VAL-5).

mod access;
mod deserializer;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::message::{Hint, RequestMessage};
use crate::wire::unescape;

pub(super) use access::MemberList;
pub(super) use deserializer::Hinted;

/// Where an argument stands in its request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'n> {
    Position(usize),
    Name(&'n str),
}

impl Place<'_> {
    /// The JSON Pointer to it.
    pub(super) fn pointer(self) -> String {
        match self {
            Place::Position(index) => format!("/args/{index}"),
            Place::Name(name) => format!("/kwargs/{}", name.replace('~', "~0").replace('/', "~1")),
        }
    }
}

/// The hints at and below one value, by the rest of their pointers.
#[derive(Debug, Clone, Default)]
pub(super) struct Under<'h>(Vec<(&'h str, Hint)>);

impl<'h> Under<'h> {
    /// The hints of a request that stand for its argument at `place`. Most requests have none.
    pub(super) fn argument(request: &'h RequestMessage, place: Place<'_>) -> Self {
        let Some(hints) = request.hints.as_ref().filter(|hints| !hints.is_empty()) else {
            return Under::default();
        };
        let all = Under::new(hints.iter().map(|(pointer, hint)| (pointer.as_str(), *hint)));
        match place {
            Place::Position(index) => all.below("args").below(&index.to_string()),
            Place::Name(name) => all.below("kwargs").below(name),
        }
    }

    pub(super) fn new(hints: impl Iterator<Item = (&'h str, Hint)>) -> Self {
        Under(hints.collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'h str, Hint)> {
        self.0.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hint for this very value.
    pub(super) fn own(&self) -> Option<Hint> {
        self.0.iter().find(|(rest, _)| rest.is_empty()).map(|(_, hint)| *hint)
    }

    /// The hints for the element or member called `name`.
    pub(super) fn below(&self, name: &str) -> Under<'h> {
        let step = |(rest, hint): &(&'h str, Hint)| {
            let (token, rest) = first_token(rest)?;
            (token == name).then_some((rest, *hint))
        };
        Under(self.0.iter().filter_map(step).collect())
    }
}

/// The first token of a JSON Pointer, decoded, and what follows it.
fn first_token(pointer: &str) -> Option<(Cow<'_, str>, &str)> {
    let path = pointer.strip_prefix('/')?;
    let (token, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let token = match token.contains('~') {
        true => Cow::Owned(token.replace("~1", "/").replace("~0", "~")),
        false => Cow::Borrowed(token),
    };
    Some((token, rest))
}

/// What a hinted string stands for.
pub(super) enum Meaning<'t> {
    Bytes(Vec<u8>),
    /// Decimal digits, with a sign if negative, as JSON writes an integer.
    Integer(Cow<'t, str>),
    Float(f64),
}

/// Reads the JSON text at a hint.
///
/// # Errors
/// What would have been expected there.
pub(super) fn meaning(text: &str, hint: Hint) -> Result<Meaning<'_>, &'static str> {
    let string = if text.starts_with('"') { unescape(text).ok() } else { None };
    match hint {
        Hint::Base64 => {
            let bytes = string.and_then(|string| STANDARD.decode(string.as_bytes()).ok());
            bytes.map(Meaning::Bytes).ok_or("bytes, a string in base64 with padding")
        }
        Hint::Int => {
            let integer = string.filter(|string| is_integer(string));
            integer.map(Meaning::Integer).ok_or("an integer, a string of decimal digits")
        }
        Hint::Float => match string.as_deref() {
            Some("NaN") => Ok(Meaning::Float(f64::NAN)),
            Some("Infinity") => Ok(Meaning::Float(f64::INFINITY)),
            Some("-Infinity") => Ok(Meaning::Float(f64::NEG_INFINITY)),
            _ => Err("a float, the string \"NaN\", \"Infinity\" or \"-Infinity\""),
        },
    }
}

/// Whether `text` is an integer as JSON writes it.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits[0] != b'0')
}

/// A hint that stands for nothing.
#[derive(Debug, thiserror::Error)]
#[error("the hint for {pointer:?} fits no value: expected {expected} (VAL-5)")]
pub struct BadHint {
    pub(super) pointer: String,
    expected: &'static str,
}

/// Checks that every hint of a request names a string that can be read as it says (VAL-5).
///
/// # Errors
/// The first one that does not.
pub(super) fn check(request: &RequestMessage) -> Result<(), BadHint> {
    for (pointer, hint) in request.hints.iter().flatten() {
        let bad = |expected| BadHint { pointer: pointer.clone(), expected };
        let text = find(request, pointer).ok_or(bad("a pointer to a value in args or kwargs"))?;
        meaning(text, *hint).map_err(bad)?;
    }
    Ok(())
}

/// The text of the value at `pointer`.
fn find<'r>(request: &'r RequestMessage, pointer: &str) -> Option<&'r str> {
    let (list, rest) = first_token(pointer)?;
    let (name, mut rest) = first_token(rest)?;
    let mut text = match &*list {
        "args" => request.args.get(index(&name)?)?.get(),
        "kwargs" => request.kwargs.get(&*name)?.get(),
        _ => return None,
    };
    while let Some((name, after)) = first_token(rest) {
        text = child(text, &name)?;
        rest = after;
    }
    rest.is_empty().then_some(text)
}

/// An array index as JSON Pointer writes it.
fn index(token: &str) -> Option<usize> {
    is_integer(token).then(|| token.parse().ok()).flatten()
}

/// The text of an element or member. Of members with the same name the last counts.
fn child<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    if text.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        return elements.get(index(name)?).map(|element| element.get());
    }
    let members: access::MemberList<'_> = serde_json::from_str(text).ok()?;
    members.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.get())
}
