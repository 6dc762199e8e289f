//! Messages from one codec into the other (GD-11): for an arbiter whose client and worker do not speak the same.
//!
//! One pass over the one form writes the other. Nothing recurses, and nothing is held but the two.

mod repeated;
mod to_gd;
mod to_json;

pub use to_gd::to_gd;
pub use to_json::{Fault, GdFrame, to_json};

use crate::values::escape;
use crate::wire::gd::Kind;

/// The members that each type of message has in `gd/1`; the others are in its header, or not known to its peers. `None`:
/// the extensions, whose members are not relayed but read by the arbiter.
fn members_of(kind: Kind) -> Option<&'static [&'static str]> {
    match kind {
        Kind::Request => Some(&["app_path", "action", "args", "kwargs", "timeout", "meta"]),
        Kind::Response => Some(&["result"]),
        Kind::Chunk => Some(&["data"]),
        Kind::Error => Some(&["error"]),
        Kind::End | Kind::Cancel => Some(&[]),
        Kind::Stash | Kind::Status | Kind::Manage => None,
    }
}

/// A value that the other codec does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value at {} cannot be relayed as {codec}: {problem} (GD-11)", Place(pointer))]
pub struct Untranslatable {
    /// JSON Pointer to it or, where that is long, to a value that contains it: at most 256 bytes.
    pub pointer: String,
    /// What it is.
    pub problem: String,
    /// The codec that does not have it.
    pub codec: &'static str,
}

/// A JSON Pointer is cut at the last step that fits, in bytes: keys come from the peer and can be long (MSG-13).
const LONGEST_POINTER: usize = 256;

/// The pointer made of these steps, for an error.
fn pointer_of<'a>(steps: impl Iterator<Item = Step<'a>>) -> String {
    let mut pointer = String::new();
    for step in steps {
        let fits = match step {
            // A key that is too long as it stands is not even copied.
            Step::Key(key) => key.len() < LONGEST_POINTER,
            Step::Index(_) => true,
        };
        let whole = pointer.len();
        if fits {
            step.push_to(&mut pointer);
        }
        if !fits || pointer.len() > LONGEST_POINTER {
            pointer.truncate(whole);
            break;
        }
    }
    pointer
}

/// One step of a JSON Pointer.
#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(u32),
}

impl Step<'_> {
    fn push_to(self, pointer: &mut String) {
        pointer.push('/');
        match self {
            Step::Key(key) => pointer.push_str(&escape(key)),
            Step::Index(index) => pointer.push_str(&index.to_string()),
        }
    }
}

/// Shows a JSON Pointer; the empty one in words.
struct Place<'a>(&'a str);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "the top level" } else { self.0 })
    }
}
