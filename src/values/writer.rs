//! JSON text that is being written, and the place that it has reached.
//!
//! The place is kept so that what cannot be sent is refused by its JSON Pointer, and never written as something
//! else: `serde_json` would write NaN as `null` and bytes as a list of numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::encode::{Hinting, Problem, Refusal};
use super::push_token;
use crate::message::Hint;
use crate::wire::{HEADER_LEN, Limits, unescape};

/// Integers beyond ±this lose digits in readers that hold numbers as doubles (VAL-9).
const EXACT: u128 = (1 << 53) - 1;

pub(super) type Written = Result<(), Problem>;

/// One step on the way to a value.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Index(usize),
    /// A member; its name stands, as a JSON string, at these offsets of the text.
    Member(usize, usize),
}

/// Writes one value after the other, each behind what is in `out` already.
pub(crate) struct Writer {
    /// The text. Its owner writes what stands around the values: the header and the other members of a frame.
    pub out: Vec<u8>,
    /// The hints for the last value that was written.
    pub hints: Vec<(String, Hint)>,
    limits: Limits,
    hinting: Hinting,
    /// Where the value stands in its message, and the way from there.
    at: String,
    pub(super) path: Vec<Step>,
    /// The innermost failure: it counts, whatever the code around it made of it.
    failed: Option<Refusal>,
}

impl Writer {
    /// A writer of frames, or of parts of them, within `limits`.
    pub fn new(limits: Limits) -> Self {
        Writer {
            out: Vec::new(),
            hints: Vec::new(),
            limits,
            hinting: Hinting::None,
            at: String::new(),
            path: Vec::new(),
            failed: None,
        }
    }

    /// Writes `value`, which stands at the JSON Pointer `at` of its message.
    pub fn write<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        at: &str,
        hinting: Hinting,
    ) -> Result<(), Refusal> {
        self.hinting = hinting;
        self.at.clear();
        self.at.push_str(at);
        self.hints.clear();
        self.failed = None;
        let written = value.serialize(&mut *self);
        self.path.clear();
        // Whatever has failed is noted; the error itself may be one that other code made of it.
        let _ = self.note(written);
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Remembers a failure and its place, if it is the first.
    pub(super) fn note(&mut self, written: Written) -> Written {
        if let (None, Err(problem)) = (&self.failed, &written) {
            self.failed = Some(Refusal { pointer: self.pointer(), problem: problem.clone() });
        }
        written
    }

    /// Writes the value at the current place.
    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        let here = self.path.len();
        let written = value.serialize(&mut *self);
        self.path.truncate(here);
        self.note(written)
    }

    /// The JSON Pointer to the current place.
    fn pointer(&self) -> String {
        let mut pointer = self.at.clone();
        for step in &self.path {
            match *step {
                Step::Index(index) => push_token(&mut pointer, &index.to_string()),
                Step::Member(start, end) => {
                    // It is a string that was written here: it is UTF-8 and has no lone surrogates.
                    let name = std::str::from_utf8(&self.out[start..end]).unwrap_or_default();
                    push_token(&mut pointer, &unescape(name).unwrap_or_default());
                }
            }
        }
        pointer
    }

    /// How deep more arrays and objects may be nested in the one that begins at the current place, itself included.
    pub(super) fn levels_left(&self) -> usize {
        // Each step of the pointer leads into one; the first leads into the message itself.
        let above = self.at.matches('/').count() + self.path.len();
        self.limits.max_depth.saturating_sub(above)
    }

    /// That what begins at the current place is nested too deep.
    pub(super) fn too_deep(&self) -> Problem {
        Problem::TooDeep(self.limits.max_depth)
    }

    /// Opens an array or object.
    pub(super) fn enter(&mut self, bracket: &'static str) -> Written {
        if self.levels_left() == 0 {
            return Err(self.too_deep());
        }
        self.push(bracket)
    }

    /// Opens an object with the one member `name`, whose value follows.
    pub(super) fn tag(&mut self, name: &str) -> Written {
        self.enter("{")?;
        let start = self.out.len();
        self.text(name)?;
        self.path.push(Step::Member(start, self.out.len()));
        self.push(":")
    }

    /// Checks that `more` bytes still fit into the frame.
    fn room(&self, more: usize) -> Written {
        let limit = self.limits.max_payload;
        if self.out.len().saturating_sub(HEADER_LEN).saturating_add(more) > limit as usize {
            return Err(Problem::TooLong(limit));
        }
        Ok(())
    }

    pub(super) fn push(&mut self, text: &str) -> Written {
        self.room(text.len())?;
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// Writes a scalar as `serde_json` does.
    pub(super) fn scalar<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        serde_json::to_writer(&mut self.out, value).map_err(|error| Problem::Custom(error.to_string()))?;
        self.room(0)
    }

    pub(super) fn text(&mut self, text: &str) -> Written {
        self.room(text.len() + 2)?;
        self.scalar(text)
    }

    /// Notes what the string stands for that comes next.
    fn hint(&mut self, hint: Hint) {
        let pointer = self.pointer();
        self.hints.push((pointer, hint));
    }

    pub(super) fn integer(&mut self, value: impl Serialize + std::fmt::Display, magnitude: u128) -> Written {
        if magnitude > EXACT && self.hinting == Hinting::All {
            self.hint(Hint::Int);
            return self.text(&value.to_string());
        }
        self.scalar(&value)
    }

    /// Writes an integer beyond ±[`EXACT`] that is JSON text already.
    pub(super) fn large_integer(&mut self, digits: &str) -> Written {
        if self.hinting == Hinting::All {
            self.hint(Hint::Int);
            return self.text(digits);
        }
        self.push(digits)
    }

    pub(super) fn non_finite(&mut self, value: f64) -> Written {
        let name = match value {
            _ if value.is_nan() => "NaN",
            _ if value > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        if self.hinting != Hinting::All {
            return Err(Problem::NonFinite(name));
        }
        self.hint(Hint::Float);
        self.text(name)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Written {
        if self.hinting == Hinting::None {
            return Err(Problem::Bytes);
        }
        let length = bytes.len().div_ceil(3) * 4;
        self.room(length + 2)?;
        self.hint(Hint::Base64);
        self.out.push(b'"');
        let start = self.out.len();
        self.out.resize(start + length, 0);
        // Cannot fail: the slice has the length of the encoded text.
        let _ = STANDARD.encode_slice(bytes, &mut self.out[start..]);
        self.out.push(b'"');
        Ok(())
    }
}
