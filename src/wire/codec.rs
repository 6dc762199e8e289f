//! Which codec a frame is of.

use super::gd;

/// How bytes stand for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Codec {
    /// A length and JSON.
    #[default]
    Json,
    /// A header and typed values: [`gd`].
    Gd,
}

impl Codec {
    /// The codec of a frame, by its first two bytes (GD-9).
    pub fn of(frame: &[u8]) -> Codec {
        if frame.starts_with(&gd::MAGIC) { Codec::Gd } else { Codec::Json }
    }
}
