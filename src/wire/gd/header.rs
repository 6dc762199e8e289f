//! The header of a `gd/1` frame.

use super::HEADER_LEN;
use crate::wire::FrameError;

/// What every frame begins with.
pub const MAGIC: [u8; 2] = *b"GD";

/// The only version there is.
pub const VERSION: u8 = 1;

/// The header of a frame (GD-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The type of the message, as it stands on the wire: see [`Kind`].
    pub kind: u8,
    /// Bytes of the payload.
    pub length: u32,
    /// The id of the request; 0 in an error that answers none.
    pub id: u64,
}

impl Header {
    /// Reads the header at the front of `bytes`, as soon as enough of it is there to judge it; `None` when more bytes are
    /// needed.
    ///
    /// # Errors
    /// [`FrameError::BadMagic`] or [`FrameError::BadVersion`] (GD-2).
    pub fn read(bytes: &[u8]) -> Result<Option<Header>, FrameError> {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(FrameError::BadMagic {
                found: [bytes[0], bytes.get(1).copied().unwrap_or_default()],
            });
        }
        if let Some(&version) = bytes.get(2).filter(|version| **version != VERSION) {
            return Err(FrameError::BadVersion { found: version });
        }
        let Some(header) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let [_, _, _, kind, l0, l1, l2, l3, id @ ..] = *header;
        Ok(Some(Header { kind, length: u32::from_be_bytes([l0, l1, l2, l3]), id: u64::from_be_bytes(id) }))
    }

    /// The header's bytes.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = VERSION;
        bytes[3] = self.kind;
        bytes[4..8].copy_from_slice(&self.length.to_be_bytes());
        bytes[8..].copy_from_slice(&self.id.to_be_bytes());
        bytes
    }
}

/// The types of messages (GD-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// `request`
    Request = 0x01,
    /// `response`
    Response = 0x02,
    /// `error`
    Error = 0x03,
    /// `chunk`
    Chunk = 0x04,
    /// `end`
    End = 0x05,
    /// `stash`
    Stash = 0x10,
    /// `status`
    Status = 0x11,
    /// `manage`
    Manage = 0x12,
    /// `cancel`, which gunicorn does not have (GD-13)
    Cancel = 0x20,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::Request,
        Kind::Response,
        Kind::Error,
        Kind::Chunk,
        Kind::End,
        Kind::Stash,
        Kind::Status,
        Kind::Manage,
        Kind::Cancel,
    ];

    /// The type with this code.
    pub fn from_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// Its name in the message layer.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Request => "request",
            Kind::Response => "response",
            Kind::Error => "error",
            Kind::Chunk => "chunk",
            Kind::End => "end",
            Kind::Stash => "stash",
            Kind::Status => "status",
            Kind::Manage => "manage",
            Kind::Cancel => "cancel",
        }
    }
}
