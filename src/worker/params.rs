//! Arguments to parameters: by position or by name, as in Python.

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

use super::call::Call;
use super::hints::{ArgumentHints, Place};
use crate::DirtyError;
use crate::values::{ValueError, decode_checked};

/// Why a call does not fit its action's parameters.
#[derive(Debug, thiserror::Error)]
#[doc(hidden)]
pub enum BadArguments {
    #[error("missing parameter {name:?}: expected ({expected})")]
    Missing { name: &'static str, expected: String },
    #[error("unknown parameter {:?}: expected ({expected})", excerpt(name))]
    Unknown { name: String, expected: String },
    #[error("too many arguments: got {got} by position, expected at most {} ({expected})", names.len())]
    TooMany { got: usize, names: Vec<&'static str>, expected: String },
    #[error("parameter {name:?} was given twice, by position and by name")]
    Twice { name: &'static str },
    #[error("parameter {name:?}: {problem}")]
    IllTyped { name: &'static str, pointer: String, problem: String },
    #[error(transparent)]
    Hint(#[from] ValueError),
}

impl BadArguments {
    pub(super) fn into_error(self) -> DirtyError {
        let pointer = match &self {
            BadArguments::IllTyped { pointer, .. } => Some(pointer.clone()),
            BadArguments::Unknown { name, .. } => Some(Place::Name(name).to_string()),
            BadArguments::Twice { name } => Some(Place::Name(name).to_string()),
            BadArguments::TooMany { names, .. } => Some(Place::Position(names.len()).to_string()),
            BadArguments::Hint(hint) => Some(hint.pointer.clone()),
            BadArguments::Missing { .. } => None,
        };
        DirtyError::app(self.to_string()).with_details(|details| details.pointer = pointer)
    }
}

/// Takes the parameters of one call, in the order of their names.
#[doc(hidden)]
pub struct Binder<'c> {
    names: &'c [&'static str],
    call: &'c Call,
    hints: ArgumentHints<'c>,
    next: usize,
}

impl<'c> Binder<'c> {
    /// Checks that every argument has a parameter.
    pub(super) fn new(names: &'c [&'static str], call: &'c Call) -> Result<Self, BadArguments> {
        let request = call.request();
        let expected = || names.join(", ");
        if request.args.len() > names.len() {
            let got = request.args.len();
            return Err(BadArguments::TooMany { got, names: names.to_vec(), expected: expected() });
        }
        for name in request.kwargs.keys() {
            match names.iter().position(|known| known == name) {
                None => return Err(BadArguments::Unknown { name: name.clone(), expected: expected() }),
                Some(index) if index < request.args.len() => {
                    return Err(BadArguments::Twice { name: names[index] });
                }
                Some(_) => {}
            }
        }
        let hints = ArgumentHints::read(request)?;
        Ok(Binder { names, call, hints, next: 0 })
    }

    /// The next parameter.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Result<T, BadArguments> {
        let (index, name) = (self.next, self.names[self.next]);
        self.next += 1;
        let request = self.call.request();
        let (value, place) = if let Some(value) = request.args.get(index) {
            (value, Place::Position(index))
        } else if let Some(value) = request.kwargs.get(name) {
            (value, Place::Name(name))
        } else {
            let missing = |_| BadArguments::Missing { name, expected: self.names.join(", ") };
            return T::deserialize(Absent).map_err(missing);
        };
        decode_checked(value, place, self.hints.of(place)).map_err(|ValueError { pointer, problem }| {
            let problem = shorter(&problem);
            let problem = match pointer == place.to_string() {
                true => problem,
                false => format!("at {}: {problem}", excerpt(&pointer)),
            };
            BadArguments::IllTyped { name, pointer, problem }
        })
    }
}

/// What serde says is wrong, without quoting long values.
fn shorter(what: &str) -> String {
    let mismatch = what.strip_prefix("invalid type: ").or(what.strip_prefix("invalid value: "));
    match mismatch.and_then(|mismatch| mismatch.rsplit_once(", expected ")) {
        Some((got, expected)) => format!("expected {}, got {}", excerpt(expected), excerpt(got)),
        None => excerpt(what),
    }
}

/// The start of a text that may be long.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The deserializer of a parameter for which nothing was given: only an `Option` can do without.
struct Absent;

impl<'de> Deserializer<'de> for Absent {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("missing"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_none()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
