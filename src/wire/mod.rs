//! The codecs: `json/1`, length-prefixed frames and a strict, iterative JSON scan, and [`gd/1`](gd).
//!
//! Everything here is sans-IO: bytes go in, frames and members come out. Nothing recurses and nothing
//! allocates more than the bytes that have arrived, so that no peer can exhaust a stack or a heap.

mod codec;
mod error;
mod frame;
pub mod gd;
mod head;
mod members;
mod scan;
mod text;

pub use codec::Codec;
pub use error::{FrameError, JsonError, JsonErrorKind};
pub use frame::{Frame, FrameDecoder, HEADER_LEN};
pub use head::Head;
pub use members::Members;
pub use scan::{JsonKind, Member, Summary, scan};
pub use text::{LoneSurrogate, unescape};

/// What a receiver accepts: the limits of the specification's FRAME-3 and VAL-3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest payload, in bytes, that a frame may announce. A payload of exactly this length passes.
    pub max_payload: u32,
    /// The deepest nesting of arrays and objects; the message object itself is level 1.
    pub max_depth: usize,
    /// Let `NaN`, `Infinity` and `-Infinity` pass as payload values, as gunicorn 25.0's peers do; they are not JSON
    /// (VAL-2), so only a relay can make sense of this.
    pub allow_non_finite: bool,
}

impl Limits {
    /// 64 MiB, the limit of every peer that is not configured otherwise (FRAME-3).
    pub const DEFAULT_MAX_PAYLOAD: u32 = 64 * 1024 * 1024;
    /// 512 levels, the reference limit; every receiver accepts at least 64 (VAL-3).
    pub const DEFAULT_MAX_DEPTH: usize = 512;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_payload: Self::DEFAULT_MAX_PAYLOAD,
            max_depth: Self::DEFAULT_MAX_DEPTH,
            allow_non_finite: false,
        }
    }
}
