//! Payload values: from Rust values to JSON text and back, through serde, with hints.
//!
//! JSON has no bytes, no NaN and, for many readers, no large integers. The optional member `hints` of a message
//! says which strings stand for such values (VAL-5): a JSON Pointer into the message for each, and what it is.
//! [`encode`] collects hints while it writes, [`decode`] honours them while it reads, and both name the place
//! of what they refuse.
//!
//! ```
//! use dirty_arbiter::message::Hints;
//! use dirty_arbiter::values::{self, Bytes, Hinting};
//!
//! let mut hints = Hints::default();
//! let photo = ("cat.png", Bytes(vec![0x89, b'P', b'N', b'G']));
//! let text = values::encode(&photo, "/result", Hinting::All, &mut hints)?;
//! assert_eq!(text.get(), r#"["cat.png","iVBORw=="]"#);
//!
//! let back: (String, Bytes) = values::decode(&text, "/result", Some(&hints))?;
//! assert_eq!(back.1.as_ref(), b"\x89PNG");
//!
//! let error = values::decode::<(String, u8)>(&text, "/result", None).unwrap_err();
//! assert!(error.to_string().starts_with("value at /result/1: invalid type: string"));
//! # Ok::<(), dirty_arbiter::values::ValueError>(())
//! ```

use std::borrow::Cow;

mod access;
mod any;
mod bytes;
mod check;
mod compound;
mod decode;
mod encode;
mod hints;
mod key;
mod meaning;
mod name;
mod raw;
mod serializer;
mod writer;

pub use any::AnyValue;
pub use bytes::Bytes;
pub use decode::decode;
pub use encode::{Hinting, encode};

#[cfg(any(feature = "worker", feature = "arbiter"))]
pub(crate) use self::hints::{HintTree, Node};
#[cfg(feature = "worker")]
pub(crate) use self::{
    check::NAMES_NOTHING,
    decode::decode_checked,
    encode::{Problem, Refusal},
    writer::Writer,
};

/// A value that cannot be encoded, or cannot be read as what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("value{}: {problem}", Place(pointer))]
pub struct ValueError {
    /// JSON Pointer (RFC 6901) into the message; empty for a whole [`AnyValue`].
    pub pointer: String,
    /// What is wrong there.
    pub problem: String,
}

/// Shows where a value stands.
struct Place<'p>(&'p str);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " at {}", self.0) }
    }
}

/// The name under which serde_json's `RawValue` passes through a serializer or deserializer, which must hand it
/// on untouched. A test fails if serde_json ever changes it.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Appends one reference token to a JSON Pointer.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&escape(token));
}

/// A name as a reference token of a JSON Pointer.
pub(crate) fn escape(name: &str) -> Cow<'_, str> {
    match name.contains(['~', '/']) {
        true => Cow::Owned(name.replace('~', "~0").replace('/', "~1")),
        false => Cow::Borrowed(name),
    }
}
