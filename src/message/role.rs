//! Who sends which message; the same facts as in `schemas/protocol.json`.

use super::MessageType;

/// A party of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Makes requests.
    Client,
    /// Stands between clients and workers.
    Arbiter,
    /// Runs apps.
    Worker,
}

impl Role {
    /// The name, as it is written in `schemas/protocol.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Client => "client",
            Role::Arbiter => "arbiter",
            Role::Worker => "worker",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl MessageType {
    /// The roles that may send messages of this type (MSG-11).
    pub fn senders(self) -> &'static [Role] {
        match self {
            MessageType::Request | MessageType::Cancel => &[Role::Client, Role::Arbiter],
            MessageType::Response | MessageType::Chunk | MessageType::End | MessageType::Error => {
                &[Role::Arbiter, Role::Worker]
            }
        }
    }

    /// Whether a message of this type ends its request (CALL-1).
    pub fn is_terminal(self) -> bool {
        matches!(self, MessageType::Response | MessageType::End | MessageType::Error)
    }
}

impl std::fmt::Display for MessageType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
