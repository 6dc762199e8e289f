//! What is asked on the control socket.

use crate::message::read::{self, Fault, Object, Read, Rule};
use crate::message::{self, DecodeError, MessageType, Problem, RequestId, Role, write};
use crate::wire::{Frame, FrameError, Limits, Members};

/// A message that the arbiter serves on its control socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlRequest {
    /// Asks for the state of the pool.
    Status(StatusMessage),
    /// Asks for a change of the pool.
    Manage(ManageMessage),
}

/// Asks for the state of the arbiter and its pool; answered with a [`PoolStatus`](super::PoolStatus) (EXT-8).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatusMessage {
    /// The id that the answer carries (MSG-7).
    pub id: RequestId,
}

/// Asks for a change of the pool; answered with a [`ManageResult`](super::ManageResult) (EXT-9, EXT-10, EXT-11).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(extend("allOf" = [{
        "if": { "properties": { "op": { "const": "scale" } }, "required": ["op"] },
        "then": { "properties": { "count": true }, "required": ["count"] }
    }]))
)]
pub struct ManageMessage {
    /// The id that the answer carries (MSG-7).
    pub id: RequestId,
    /// What is to be done (EXT-6).
    pub op: Operation,
    /// A number of worker processes: of `add` and `remove`, how many more or fewer, 1 without it; of `scale`, how many
    /// the pool is to have, where it is required. Other operations ignore it (EXT-9).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "u32", default, skip_serializing_if = "Option::is_none", extend("maximum" = u32::MAX))
    )]
    pub count: Option<u32>,
    /// Of `reload` and `drain`, whether the answer is to come only when it is over. Other operations ignore it (EXT-10,
    /// EXT-11).
    #[cfg_attr(feature = "schema", schemars(default))]
    pub wait: bool,
}

/// A change of the pool (EXT-9, EXT-10, EXT-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Have more workers.
    Add,
    /// Have fewer workers.
    Remove,
    /// Have so many workers.
    Scale,
    /// Replace all workers by new ones, of the configuration as it is now.
    Reload,
    /// End the arbiter.
    Drain,
}

impl Operation {
    /// All operations.
    pub const ALL: [Operation; 5] =
        [Operation::Add, Operation::Remove, Operation::Scale, Operation::Reload, Operation::Drain];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Add => "add",
            Operation::Remove => "remove",
            Operation::Scale => "scale",
            Operation::Reload => "reload",
            Operation::Drain => "drain",
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

const ID: Rule = Rule { name: "id", expected: "a string of 1 to 256 characters", requirement: "MSG-7" };
const OP: Rule = Rule {
    name: "op",
    expected: "\"add\", \"remove\", \"scale\", \"reload\" or \"drain\"",
    requirement: "EXT-6",
};
const COUNT: Rule = Rule { name: "count", expected: "an integer from 0 to 4294967295", requirement: "EXT-9" };
const WAIT: Rule = Rule { name: "wait", expected: "true or false", requirement: "EXT-10" };

impl ControlRequest {
    /// Decodes the payload of a frame that a client sent on the control socket.
    ///
    /// # Errors
    /// [`DecodeError::Frame`] when the payload is not one JSON object, [`DecodeError::Message`] when the object is no
    /// message that is served there, with the first thing that is wrong in the order of the schema (EXT-6).
    pub fn decode(payload: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let members = Members::read(payload, limits)?;
        Ok(message::judge(&members, |object| Self::read(&members, object))?)
    }

    fn read(members: &Members<'_>, object: &Object<'_, '_>) -> Read<Self> {
        let name = message::type_name(members)?;
        match &*name {
            "status" => {
                Ok(ControlRequest::Status(StatusMessage { id: object.required(ID, RequestId::read)? }))
            }
            "manage" => ManageMessage::read(object).map(ControlRequest::Manage),
            _ => Err(refusal(&name)),
        }
    }

    /// The id that the answer carries.
    pub fn id(&self) -> &RequestId {
        match self {
            ControlRequest::Status(message) => &message.id,
            ControlRequest::Manage(message) => &message.id,
        }
    }

    /// The JSON text of the message: all members in the order of the schema, `count` and `wait` if they say something.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        let mut members = write::Members::open(&mut out);
        write::text(members.name("type"), if matches!(self, Self::Status(_)) { "status" } else { "manage" });
        write::text(members.name("id"), self.id().as_str());
        if let ControlRequest::Manage(message) = self {
            write::text(members.name("op"), message.op.as_str());
            if let Some(count) = message.count {
                write::number(members.name("count"), count);
            }
            if message.wait {
                write::boolean(members.name("wait"), true);
            }
        }
        members.close();
        out
    }

    /// The message as a frame.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] when the text is longer than a frame may be (FRAME-3).
    pub fn to_frame(&self, limits: &Limits) -> Result<Frame, FrameError> {
        Frame::from_payload(&self.encode(), limits)
    }
}

impl ManageMessage {
    fn read(object: &Object<'_, '_>) -> Read<Self> {
        let id = object.required(ID, RequestId::read)?;
        let find = |name: &str| Operation::ALL.into_iter().find(|op| op.as_str() == name);
        let op = object.required(OP, |value| read::name(value, find))?;
        let count = match op {
            Operation::Scale => Some(object.required(COUNT, read::integer)?),
            _ => object.optional(COUNT, read::integer)?,
        };
        let wait = object.optional(WAIT, read::boolean)?.unwrap_or_default();
        Ok(ManageMessage { id, op, count, wait })
    }
}

/// What is wrong with a message of another type: that it belongs on the call socket, that only an arbiter sends it, or
/// that nobody knows it.
fn refusal(name: &str) -> Box<Fault> {
    let fault = |problem, requirement| Box::new(Fault { pointer: "/type".to_owned(), problem, requirement });
    match MessageType::from_name(name) {
        Some(kind @ (MessageType::Response | MessageType::Error)) => {
            fault(Problem::NotAllowed { message: kind, sender: Role::Client }, "MSG-11")
        }
        Some(_) => fault(Problem::ReservedType { found: name.to_owned() }, "EXT-6"),
        None if name == "stash" => fault(Problem::ReservedType { found: name.to_owned() }, "EXT-6"),
        None => fault(Problem::UnknownType { found: read::excerpt(name) }, "MSG-11"),
    }
}

impl From<StatusMessage> for ControlRequest {
    fn from(message: StatusMessage) -> Self {
        ControlRequest::Status(message)
    }
}

impl From<ManageMessage> for ControlRequest {
    fn from(message: ManageMessage) -> Self {
        ControlRequest::Manage(message)
    }
}
