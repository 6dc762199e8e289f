//! Messages from one codec into the other (GD-11): for an arbiter whose client and worker do not speak the same.
//!
//! One pass over the one form writes the other. Nothing recurses, and nothing is held but the two.

mod to_gd;
mod to_json;

pub use to_gd::to_gd;
pub use to_json::{Fault, GdFrame, to_json};

/// A value that the other codec does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value at {} cannot be relayed as {codec}: {problem} (GD-11)", Place(pointer))]
pub struct Untranslatable {
    /// JSON Pointer to it, as far as it is known.
    pub pointer: String,
    /// What it is.
    pub problem: String,
    /// The codec that does not have it.
    pub codec: &'static str,
}

/// Shows a JSON Pointer; the empty one in words.
struct Place<'a>(&'a str);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "the top level" } else { self.0 })
    }
}
