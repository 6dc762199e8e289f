//! Judging single messages: does one break the schema, and whose fault is it?

use super::failure::Problem;
use crate::message::{DecodeError, DirtyMessage, MessageError, MessageType, Role};
use crate::wire::Limits;

/// What is wrong with a payload that `sender` has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What, and what was expected.
    pub problem: String,
    /// JSON Pointer to it; empty for the whole message.
    pub pointer: String,
    /// The requirement that it breaks.
    pub requirement: String,
}

/// Checks a payload that a subject has sent: against the schema, and against who may send what to the kit, which
/// plays the other end of the same hop.
///
/// # Errors
/// The [`Fault`], when there is one.
pub fn check(payload: &[u8], sender: Role) -> Result<(), Fault> {
    let message = DirtyMessage::decode(payload, &Limits::default()).map_err(|error| fault(&error))?;
    let kind = message.message_type();
    let asks = matches!(kind, MessageType::Request | MessageType::Cancel);
    if asks == (sender == Role::Client) {
        return Ok(());
    }
    let error = MessageError::not_allowed(kind, sender, message.request_id().cloned());
    Err(fault(&DecodeError::Message(error)))
}

/// Checks a payload of a transcript against the schema alone: a transcript may well let a client send a response.
///
/// # Errors
/// The [`Fault`], when there is one: `malformed` has to announce it.
pub fn check_shape(payload: &[u8]) -> Result<(), Fault> {
    DirtyMessage::decode(payload, &Limits::default()).map_err(|error| fault(&error))?;
    Ok(())
}

fn fault(error: &DecodeError) -> Fault {
    let pointer = match error {
        DecodeError::Message(error) => error.pointer.clone(),
        DecodeError::Frame(_) => String::new(),
    };
    let requirement = error.requirement().to_string();
    let text = error.to_string();
    // The requirement is said by whoever shows the fault.
    let problem = text.strip_suffix(&format!(" ({requirement})")).unwrap_or(&text).to_string();
    Fault { problem, pointer, requirement }
}

impl Fault {
    /// The fault of a message that the subject has sent.
    pub(super) fn of_subject(self) -> Problem {
        let Fault { problem, pointer, requirement } = self;
        Problem::BadMessage { problem, pointer, requirement }
    }

    /// The fault of a message that the kit has sent without `malformed` saying so.
    pub(super) fn of_kit(self) -> Problem {
        let Fault { problem, requirement, .. } = self;
        Problem::Ours(format!("it sends a message that breaks the schema, {problem} ({requirement})"))
    }
}
