//! The codec `gd/1`: frames with a 16-byte header and a payload of typed values, as gunicorn 25.1 and later have it.
//!
//! A frame of `json/1` begins with a byte of at most 4, one of `gd/1` with `G`: one socket serves both (GD-9).

mod header;
mod tlv;

pub use header::{Header, Kind, MAGIC, VERSION};
pub use tlv::{MAX_ITEMS, TlvError, TlvErrorKind, Token, TokenReader, TokenWriter, Uncounted};

/// Bytes of a frame's header (GD-1).
pub const HEADER_LEN: usize = 16;
