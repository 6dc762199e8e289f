//! Rust values to JSON text.

use serde::ser::{self, Serialize};
use serde_json::value::RawValue;

use super::ValueError;
use super::writer::Writer;
use crate::message::Hints;
use crate::wire::Limits;

/// What to do with values that JSON does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hinting {
    /// Bytes and non-finite numbers are refused: the reader did not say that it reads hints (VAL-6, VAL-7).
    None,
    /// Bytes become hinted strings, non-finite numbers are refused.
    Bytes,
    /// Bytes, non-finite numbers and integers beyond ±(2^53 − 1) become hinted strings (VAL-9).
    All,
}

/// Writes `value`, which stands at the JSON Pointer `at` of its message, and adds its hints to `hints`.
///
/// # Errors
/// [`ValueError`] with the place of what has no JSON form, or none that `hinting` allows (VAL-2, VAL-7). `hints`
/// is then as it was.
pub fn encode<T: Serialize + ?Sized>(
    value: &T,
    at: &str,
    hinting: Hinting,
    hints: &mut Hints,
) -> Result<Box<RawValue>, ValueError> {
    // How long and how deep the whole message may be, its sender judges.
    let limits = Limits { max_payload: u32::MAX, max_depth: usize::MAX, ..Limits::default() };
    let mut writer = Writer::new(limits);
    writer.write(value, at, hinting)?;
    let outermost = |problem| ValueError { pointer: at.to_owned(), problem };
    let text = String::from_utf8(writer.out).map_err(|error| outermost(error.to_string()))?;
    let text = RawValue::from_string(text).map_err(|error| outermost(error.to_string()))?;
    hints.extend(writer.hints);
    Ok(text)
}

/// Why a value cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("bytes are not JSON and can be sent only where hints are accepted")]
    Bytes,
    #[error("{0} is not JSON and can be sent only where hints are accepted")]
    NonFinite(&'static str),
    #[error("{0} cannot be the name of a member: expected a string, an integer or a variant")]
    Name(&'static str),
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    #[error("the message would be longer than a frame may be, {0} bytes")]
    TooLong(u32),
    #[error("{0}")]
    Custom(String),
}

impl Problem {
    /// The requirement on values that is broken, if there is one.
    fn requirement(&self) -> Option<&'static str> {
        match self {
            Problem::Bytes => Some("VAL-7"),
            Problem::NonFinite(_) => Some("VAL-2"),
            Problem::TooDeep(_) => Some("VAL-3"),
            Problem::TooLong(_) => Some("FRAME-3"),
            Problem::Name(_) | Problem::Custom(_) => None,
        }
    }
}

impl ser::Error for Problem {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Problem::Custom(message.to_string())
    }
}

/// A [`Problem`] and its place.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// JSON Pointer into the message.
    pub pointer: String,
    pub problem: Problem,
}

impl From<Refusal> for ValueError {
    fn from(Refusal { pointer, problem }: Refusal) -> Self {
        let problem = match problem.requirement() {
            Some(requirement) => format!("{problem} ({requirement})"),
            None => problem.to_string(),
        };
        ValueError { pointer, problem }
    }
}
