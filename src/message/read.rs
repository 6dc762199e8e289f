//! Reads the values of a scanned message; the generated decoders, and those of control messages, are made of these
//! functions.
//!
//! A reader is given text that [`crate::wire::scan`] has accepted, so only meaning can be wrong here, not syntax.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::{MessageError, Problem, RequestId};
use crate::wire::{self, JsonKind, Member};

/// What is wrong, where, and which requirement says so; a [`MessageError`] but for the id.
#[derive(Debug)]
pub(crate) struct Fault {
    pub pointer: String,
    pub problem: Problem,
    pub requirement: &'static str,
}

impl Fault {
    pub fn with_id(self, id: Option<RequestId>) -> MessageError {
        MessageError { id, pointer: self.pointer, problem: self.problem, requirement: self.requirement }
    }
}

pub(crate) type Read<T> = Result<T, Box<Fault>>;

/// What the schema says about one member.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub name: &'static str,
    pub expected: &'static str,
    pub requirement: &'static str,
}

/// A path into the message, kept on the stack and spelled out only when something is wrong.
#[derive(Clone, Copy)]
struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    name: &'p str,
}

impl Place<'_> {
    fn pointer(&self) -> String {
        let mut pointer = self.parent.map_or_else(String::new, Place::pointer);
        push_token(&mut pointer, self.name);
        pointer
    }
}

/// Appends one reference token to a JSON Pointer.
pub(super) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// One value, with its place and its rule.
pub(crate) struct Value<'p, 'a> {
    text: &'a str,
    kind: JsonKind,
    place: Place<'p>,
    expected: &'static str,
    requirement: &'static str,
}

impl Value<'_, '_> {
    fn fault(&self, problem: Problem) -> Box<Fault> {
        Box::new(Fault { pointer: self.place.pointer(), problem, requirement: self.requirement })
    }

    fn expect(&self, kind: JsonKind) -> Read<()> {
        if self.kind == kind { Ok(()) } else { Err(self.wrong_type()) }
    }

    fn wrong_type(&self) -> Box<Fault> {
        self.fault(Problem::WrongType { expected: self.expected, found: self.kind })
    }

    fn out_of_range(&self) -> Box<Fault> {
        self.fault(Problem::OutOfRange { expected: self.expected, found: excerpt(self.text) })
    }
}

/// The members of one object of the message.
pub(crate) struct Object<'p, 'a> {
    members: Cow<'p, [Member<'a>]>,
    place: Option<Place<'p>>,
}

impl<'p, 'a> Object<'p, 'a> {
    /// The message itself.
    pub fn top(members: &'p [Member<'a>]) -> Self {
        Object { members: Cow::Borrowed(members), place: None }
    }

    /// An object inside the message.
    pub fn inside(value: &Value<'p, 'a>) -> Read<Self> {
        Ok(Object { members: Cow::Owned(members_of(value)?), place: Some(value.place) })
    }

    pub fn required<T>(&self, rule: Rule, read: impl FnOnce(&Value<'_, 'a>) -> Read<T>) -> Read<T> {
        match self.optional(rule, read)? {
            Some(read) => Ok(read),
            None => {
                let place = Place { parent: self.place.as_ref(), name: rule.name };
                Err(Box::new(Fault {
                    pointer: place.pointer(),
                    problem: Problem::Missing { expected: rule.expected },
                    requirement: rule.requirement,
                }))
            }
        }
    }

    pub fn optional<T>(&self, rule: Rule, read: impl FnOnce(&Value<'_, 'a>) -> Read<T>) -> Read<Option<T>> {
        // At the top level no member is repeated; further inside the last one counts, as in every JSON parser.
        let Some(member) = self.members.iter().rev().find(|member| member.key == rule.name) else {
            return Ok(None);
        };
        read(&Value {
            text: member.value,
            kind: member.kind,
            place: Place { parent: self.place.as_ref(), name: rule.name },
            expected: rule.expected,
            requirement: rule.requirement,
        })
        .map(Some)
    }

    /// The members that are not among `known`, as they stand. A name that is no Unicode text is left out.
    pub fn others(&self, known: &[&str]) -> IndexMap<String, Box<RawValue>> {
        let unknown = self.members.iter().filter(|member| !known.contains(&member.key.as_ref()));
        unknown
            .filter(|member| !is_lone(member))
            .filter_map(|member| Some((member.key.to_string(), to_raw(member.value)?)))
            .collect()
    }
}

fn members_of<'a>(value: &Value<'_, 'a>) -> Read<Vec<Member<'a>>> {
    value.expect(JsonKind::Object)?;
    let mut members = Vec::new();
    // The text has been scanned as part of the message: it cannot fail now.
    wire::scan(value.text.as_bytes(), |member| members.push(member)).map_err(|_| value.wrong_type())?;
    Ok(members)
}

/// Whether the member's name was left as it stood in the text, because its escapes are no Unicode text. A name
/// without escapes has no backslash, and a decoded one is owned.
fn is_lone(member: &Member<'_>) -> bool {
    matches!(&member.key, Cow::Borrowed(name) if name.contains('\\'))
}

fn to_raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

/// A string.
pub(super) fn text<'a>(value: &Value<'_, 'a>) -> Read<Cow<'a, str>> {
    value.expect(JsonKind::String)?;
    wire::unescape(value.text).map_err(|_| value.fault(Problem::LoneSurrogate))
}

/// An owned string.
pub(super) fn string(value: &Value<'_, '_>) -> Read<String> {
    text(value).map(Cow::into_owned)
}

/// A string of `min` to `max` Unicode characters.
pub(super) fn bounded<'a>(value: &Value<'_, 'a>, min: usize, max: usize) -> Read<Cow<'a, str>> {
    let text = text(value)?;
    match wrong_length(&text, min, max) {
        Some(found) => Err(value.fault(Problem::WrongLength { expected: value.expected, found })),
        None => Ok(text),
    }
}

/// The length of `text` in Unicode characters, if it is not from `min` to `max`.
pub(super) fn wrong_length(text: &str, min: usize, max: usize) -> Option<usize> {
    // A text has at most as many characters as bytes, and at least one if it has any byte.
    if min <= 1 && (min..=max).contains(&text.len()) {
        return None;
    }
    let characters = text.chars().count();
    (!(min..=max).contains(&characters)).then_some(characters)
}

/// A string out of a closed list of names.
pub(crate) fn name<T>(value: &Value<'_, '_>, find: impl FnOnce(&str) -> Option<T>) -> Read<T> {
    let text = text(value)?;
    find(&text)
        .ok_or_else(|| value.fault(Problem::UnknownName { expected: value.expected, found: excerpt(&text) }))
}

/// `true` or `false`.
pub(crate) fn boolean(value: &Value<'_, '_>) -> Read<bool> {
    match value.kind {
        JsonKind::True => Ok(true),
        JsonKind::False => Ok(false),
        _ => Err(value.wrong_type()),
    }
}

/// A number that `accept`s.
pub(super) fn number(value: &Value<'_, '_>, accept: impl FnOnce(f64) -> bool) -> Read<f64> {
    value.expect(JsonKind::Number)?;
    // Every JSON number parses; one beyond the range of f64 becomes infinite, which no rule accepts.
    let number = value.text.parse().unwrap_or(f64::INFINITY);
    if accept(number) { Ok(number) } else { Err(value.out_of_range()) }
}

/// An integer of the range of `T`, however it is written: `1.0` and `1e0` are integers too.
pub(crate) fn integer<T: TryFrom<u64>>(value: &Value<'_, '_>) -> Read<T> {
    /// Up to here every integer is exact as a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.expect(JsonKind::Number)?;
    let exact = value.text.parse::<u64>().ok().or_else(|| {
        let number = value.text.parse::<f64>().ok()?;
        // The cast is exact: the value is a whole number and within the range of u64.
        (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
    });
    exact.and_then(|exact| T::try_from(exact).ok()).ok_or_else(|| value.out_of_range())
}

/// Any value, as it stands.
pub(super) fn raw(value: &Value<'_, '_>) -> Read<Box<RawValue>> {
    to_raw(value.text).ok_or_else(|| value.wrong_type())
}

/// An array of any values, as they stand.
pub(super) fn raw_list(value: &Value<'_, '_>) -> Read<Vec<Box<RawValue>>> {
    value.expect(JsonKind::Array)?;
    serde_json::from_str(value.text).map_err(|_| value.wrong_type())
}

/// An object of any values, as they stand. Of a repeated name the last value counts.
pub(super) fn raw_map(value: &Value<'_, '_>) -> Read<IndexMap<String, Box<RawValue>>> {
    value.expect(JsonKind::Object)?;
    // The text has been scanned, so only a name can fail to become a String.
    serde_json::from_str(value.text).map_err(|_| value.fault(Problem::LoneSurrogate))
}

/// An object whose values are all `expected` and read the same way. Of a repeated name the last value counts.
pub(super) fn map<T>(
    value: &Value<'_, '_>,
    expected: &'static str,
    read: impl Fn(&Value<'_, '_>) -> Read<T>,
) -> Read<IndexMap<String, T>> {
    let mut last = IndexMap::new();
    for member in members_of(value)? {
        if is_lone(&member) {
            return Err(value.fault(Problem::LoneSurrogate));
        }
        last.insert(member.key.into_owned(), (member.value, member.kind));
    }
    let requirement = value.requirement;
    let entry = |(name, (text, kind)): (String, (&str, JsonKind))| {
        let place = Place { parent: Some(&value.place), name: &name };
        let item = read(&Value { text, kind, place, expected, requirement })?;
        Ok((name, item))
    };
    last.into_iter().map(entry).collect()
}

/// A value or null.
pub(super) fn nullable<T>(
    value: &Value<'_, '_>,
    read: impl FnOnce(&Value<'_, '_>) -> Read<T>,
) -> Read<Option<T>> {
    if value.kind == JsonKind::Null { Ok(None) } else { read(value).map(Some) }
}

/// Accepts any value.
pub(super) fn check_raw(_: &Value<'_, '_>) -> Read<()> {
    Ok(())
}

/// Accepts what [`raw_list`] reads, without reading it.
pub(super) fn check_raw_list(value: &Value<'_, '_>) -> Read<()> {
    value.expect(JsonKind::Array)
}

/// Accepts what [`raw_map`] reads, without reading it.
pub(super) fn check_raw_map(value: &Value<'_, '_>) -> Read<()> {
    value.expect(JsonKind::Object)?;
    if memchr::memchr(b'\\', value.text.as_bytes()).is_none() {
        return Ok(());
    }
    let mut lone = false;
    // The text has been scanned as part of the message: it cannot fail now.
    wire::scan(value.text.as_bytes(), |member| lone |= is_lone(&member)).map_err(|_| value.wrong_type())?;
    if lone { Err(value.fault(Problem::LoneSurrogate)) } else { Ok(()) }
}

/// The start of a text, for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
