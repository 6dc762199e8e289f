// @generated from schemas/dirty-v1.schema.json by tests/generator. Do not edit:
// change the schema, then run `UPDATE=1 cargo test --test suite generated`.

use indexmap::IndexMap;
use serde_json::value::RawValue;
use super::read::{self, Object, Read, Rule, Value};
use super::values::{number_type, text_type};
use super::write;

/// One message of the dirty protocol, version 1, as a receiver accepts it. Members that are not described
/// here are ignored (MSG-3). The text of a message has rules of its own that a JSON Schema cannot state: no
/// repeated top-level member (MSG-6), no NaN or Infinity literal (VAL-2), bounded nesting (VAL-3), and no
/// lone surrogate in the strings described here (VAL-8).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(tag = "type"))]
pub enum DirtyMessage {
    /// Asks an app to run one action. Sent by a client to the arbiter, and by the arbiter to a worker; ended by
    /// exactly one response, end or error (CALL-1).
    #[cfg_attr(feature = "schema", schemars(rename = "request"))]
    Request(RequestMessage),
    /// The plain result of a request, and its end. Sent by a worker to the arbiter, and by the arbiter to the
    /// client (CALL-2).
    #[cfg_attr(feature = "schema", schemars(rename = "response"))]
    Response(ResponseMessage),
    /// One item of a stream. Followed by a further chunk, or by end or error (STREAM-5). Sent by a worker to
    /// the arbiter, and by the arbiter to the client.
    #[cfg_attr(feature = "schema", schemars(rename = "chunk"))]
    Chunk(ChunkMessage),
    /// The end of a stream, after any number of chunks, none included (STREAM-1, STREAM-2). Sent by a worker to
    /// the arbiter, and by the arbiter to the client.
    #[cfg_attr(feature = "schema", schemars(rename = "end"))]
    End(EndMessage),
    /// The failure of a request, and its end, also in a stream (STREAM-3). Without an id it reports a message
    /// or a frame whose id could not be read (MSG-5, FRAME-7). Sent by a worker to the arbiter, and by the
    /// arbiter to the client.
    #[cfg_attr(feature = "schema", schemars(rename = "error"))]
    Error(ErrorMessage),
    /// Asks for the end of a request in flight; ignored when the request is unknown or has ended (CANCEL-1,
    /// CANCEL-2). Sent by a client to the arbiter, and by the arbiter to a worker.
    #[cfg_attr(feature = "schema", schemars(rename = "cancel"))]
    Cancel(CancelMessage),
}

impl DirtyMessage {
    /// The type of the message.
    pub fn message_type(&self) -> MessageType {
        match self {
            DirtyMessage::Request(_) => MessageType::Request,
            DirtyMessage::Response(_) => MessageType::Response,
            DirtyMessage::Chunk(_) => MessageType::Chunk,
            DirtyMessage::End(_) => MessageType::End,
            DirtyMessage::Error(_) => MessageType::Error,
            DirtyMessage::Cancel(_) => MessageType::Cancel,
        }
    }
    /// The id of the request that the message is about; `None` only for an error whose id is null.
    pub fn request_id(&self) -> Option<&RequestId> {
        match self {
            DirtyMessage::Request(message) => Some(&message.id),
            DirtyMessage::Response(message) => Some(&message.id),
            DirtyMessage::Chunk(message) => Some(&message.id),
            DirtyMessage::End(message) => Some(&message.id),
            DirtyMessage::Error(message) => message.id.as_ref(),
            DirtyMessage::Cancel(message) => Some(&message.id),
        }
    }
    pub(super) fn read(kind: MessageType, object: &Object<'_, '_>) -> Read<Self> {
        match kind {
            MessageType::Request => {
                RequestMessage::read(object).map(DirtyMessage::Request)
            }
            MessageType::Response => {
                ResponseMessage::read(object).map(DirtyMessage::Response)
            }
            MessageType::Chunk => ChunkMessage::read(object).map(DirtyMessage::Chunk),
            MessageType::End => EndMessage::read(object).map(DirtyMessage::End),
            MessageType::Error => ErrorMessage::read(object).map(DirtyMessage::Error),
            MessageType::Cancel => CancelMessage::read(object).map(DirtyMessage::Cancel),
        }
    }
    pub(super) fn check_as(kind: MessageType, object: &Object<'_, '_>) -> Read<()> {
        match kind {
            MessageType::Request => RequestMessage::check(object),
            MessageType::Response => ResponseMessage::check(object),
            MessageType::Chunk => ChunkMessage::check(object),
            MessageType::End => EndMessage::check(object),
            MessageType::Error => ErrorMessage::check(object),
            MessageType::Cancel => CancelMessage::check(object),
        }
    }
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            DirtyMessage::Request(message) => message.write(out),
            DirtyMessage::Response(message) => message.write(out),
            DirtyMessage::Chunk(message) => message.write(out),
            DirtyMessage::End(message) => message.write(out),
            DirtyMessage::Error(message) => message.write(out),
            DirtyMessage::Cancel(message) => message.write(out),
        }
    }
}

/// The types of messages (MSG-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageType {
    /// Asks an app to run one action. Sent by a client to the arbiter, and by the arbiter to a worker; ended by
    /// exactly one response, end or error (CALL-1).
    Request,
    /// The plain result of a request, and its end. Sent by a worker to the arbiter, and by the arbiter to the
    /// client (CALL-2).
    Response,
    /// One item of a stream. Followed by a further chunk, or by end or error (STREAM-5). Sent by a worker to
    /// the arbiter, and by the arbiter to the client.
    Chunk,
    /// The end of a stream, after any number of chunks, none included (STREAM-1, STREAM-2). Sent by a worker to
    /// the arbiter, and by the arbiter to the client.
    End,
    /// The failure of a request, and its end, also in a stream (STREAM-3). Without an id it reports a message
    /// or a frame whose id could not be read (MSG-5, FRAME-7). Sent by a worker to the arbiter, and by the
    /// arbiter to the client.
    Error,
    /// Asks for the end of a request in flight; ignored when the request is unknown or has ended (CANCEL-1,
    /// CANCEL-2). Sent by a client to the arbiter, and by the arbiter to a worker.
    Cancel,
}

impl MessageType {
    /// All types, in the order of the schema.
    pub const ALL: [MessageType; 6usize] = [
        MessageType::Request,
        MessageType::Response,
        MessageType::Chunk,
        MessageType::End,
        MessageType::Error,
        MessageType::Cancel,
    ];
    /// The value of the member `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageType::Request => "request",
            MessageType::Response => "response",
            MessageType::Chunk => "chunk",
            MessageType::End => "end",
            MessageType::Error => "error",
            MessageType::Cancel => "cancel",
        }
    }
    /// The type with this value of the member `type`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "request" => Some(MessageType::Request),
            "response" => Some(MessageType::Response),
            "chunk" => Some(MessageType::Chunk),
            "end" => Some(MessageType::End),
            "error" => Some(MessageType::Error),
            "cancel" => Some(MessageType::Cancel),
            _ => None,
        }
    }
}

/// Asks an app to run one action. Sent by a client to the arbiter, and by the arbiter to a worker; ended by
/// exactly one response, end or error (CALL-1).
#[derive(Debug, Clone)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestMessage {
    /// The id that every reply to this request carries (MSG-7).
    pub id: RequestId,
    /// The app that is asked (MSG-8).
    pub app_path: AppPath,
    /// The action that the app is asked for (MSG-9).
    pub action: ActionName,
    /// The positional arguments (MSG-10). A sender always writes them (MSG-2); a receiver takes their absence
    /// as an empty array (MSG-4).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Vec<super::schema::JsonValue>", default)
    )]
    pub args: Vec<Box<RawValue>>,
    /// The named arguments (MSG-10). A sender always writes them (MSG-2); a receiver takes their absence as an
    /// empty object (MSG-4).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "IndexMap<String, super::schema::JsonValue>", default)
    )]
    pub kwargs: IndexMap<String, Box<RawValue>>,
    /// How long the sender is willing to wait for the first message, and then in every gap of a stream; it only
    /// ever shortens the arbiter's own limits (TIME-2).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Timeout", default, skip_serializing_if = "Option::is_none")
    )]
    pub timeout: Option<Timeout>,
    /// Data about the request, such as a trace context, that every hop passes on untouched (EXT-2).
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "IndexMap<String, super::schema::JsonValue>",
            default,
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub meta: Option<IndexMap<String, Box<RawValue>>>,
    /// Whether the sender reads hints in the replies to this request (VAL-6).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "bool", default, skip_serializing_if = "Option::is_none")
    )]
    pub accept_hints: Option<bool>,
    /// Which strings in args and kwargs stand for values that JSON does not have (VAL-5).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Hints", default, skip_serializing_if = "Option::is_none")
    )]
    pub hints: Option<Hints>,
}

impl RequestMessage {
    const ID: Rule = Rule {
        name: "id",
        expected: "a string of 1 to 256 characters",
        requirement: "MSG-7",
    };
    const APP_PATH: Rule = Rule {
        name: "app_path",
        expected: "a string of 1 to 1024 characters",
        requirement: "MSG-8",
    };
    const ACTION: Rule = Rule {
        name: "action",
        expected: "a string of 1 to 256 characters",
        requirement: "MSG-9",
    };
    const ARGS: Rule = Rule {
        name: "args",
        expected: "an array",
        requirement: "MSG-10",
    };
    const KWARGS: Rule = Rule {
        name: "kwargs",
        expected: "an object",
        requirement: "MSG-10",
    };
    const TIMEOUT: Rule = Rule {
        name: "timeout",
        expected: "a number above 0, up to 1000000000",
        requirement: "TIME-2",
    };
    const META: Rule = Rule {
        name: "meta",
        expected: "an object",
        requirement: "EXT-2",
    };
    const ACCEPT_HINTS: Rule = Rule {
        name: "accept_hints",
        expected: "a boolean",
        requirement: "VAL-6",
    };
    const HINTS: Rule = Rule {
        name: "hints",
        expected: "an object",
        requirement: "VAL-5",
    };
    fn read(object: &Object<'_, '_>) -> Read<Self> {
        Ok(RequestMessage {
            id: object.required(Self::ID, RequestId::read)?,
            app_path: object.required(Self::APP_PATH, AppPath::read)?,
            action: object.required(Self::ACTION, ActionName::read)?,
            args: object.optional(Self::ARGS, read::raw_list)?.unwrap_or_default(),
            kwargs: object.optional(Self::KWARGS, read::raw_map)?.unwrap_or_default(),
            timeout: object.optional(Self::TIMEOUT, Timeout::read)?,
            meta: object.optional(Self::META, read::raw_map)?,
            accept_hints: object.optional(Self::ACCEPT_HINTS, read::boolean)?,
            hints: object
                .optional(
                    Self::HINTS,
                    |value| read::map(
                        value,
                        "\"base64\" or \"int\" or \"float\"",
                        Hint::read,
                    ),
                )?,
        })
    }
    fn check(object: &Object<'_, '_>) -> Read<()> {
        object.required(Self::ID, RequestId::check)?;
        object.required(Self::APP_PATH, AppPath::check)?;
        object.required(Self::ACTION, ActionName::check)?;
        object.optional(Self::ARGS, read::check_raw_list)?;
        object.optional(Self::KWARGS, read::check_raw_map)?;
        object.optional(Self::TIMEOUT, Timeout::check)?;
        object.optional(Self::META, read::check_raw_map)?;
        object.optional(Self::ACCEPT_HINTS, read::boolean)?;
        object
            .optional(
                Self::HINTS,
                |value| read::map(
                    value,
                    "\"base64\" or \"int\" or \"float\"",
                    Hint::check,
                ),
            )?;
        Ok(())
    }
    fn write(&self, out: &mut Vec<u8>) {
        let mut members = write::Members::open(out);
        write::text(members.name("type"), "request");
        RequestId::write(&self.id, members.name("id"));
        AppPath::write(&self.app_path, members.name("app_path"));
        ActionName::write(&self.action, members.name("action"));
        write::raw_list(members.name("args"), &self.args);
        write::raw_map(members.name("kwargs"), &self.kwargs);
        if let Some(value) = &self.timeout {
            Timeout::write(value, members.name("timeout"));
        }
        if let Some(value) = &self.meta {
            write::raw_map(members.name("meta"), value);
        }
        if let Some(value) = &self.accept_hints {
            write::boolean(members.name("accept_hints"), *value);
        }
        if let Some(value) = &self.hints {
            write::map(members.name("hints"), value, |out, item| Hint::write(item, out));
        }
        members.close();
    }
}

/// Two of them are equal when their JSON texts are.
impl PartialEq for RequestMessage {
    fn eq(&self, other: &Self) -> bool {
        write::same(|out| self.write(out), |out| other.write(out))
    }
}

/// The plain result of a request, and its end. Sent by a worker to the arbiter, and by the arbiter to the
/// client (CALL-2).
#[derive(Debug, Clone)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResponseMessage {
    /// The id of the request (MSG-7).
    pub id: RequestId,
    /// What the action returned (MSG-2).
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::JsonValue"))]
    pub result: Box<RawValue>,
    /// Which strings in result stand for values that JSON does not have (VAL-5); only if the request accepted
    /// hints (VAL-6).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Hints", default, skip_serializing_if = "Option::is_none")
    )]
    pub hints: Option<Hints>,
}

impl ResponseMessage {
    const ID: Rule = Rule {
        name: "id",
        expected: "a string of 1 to 256 characters",
        requirement: "MSG-7",
    };
    const RESULT: Rule = Rule {
        name: "result",
        expected: "a value",
        requirement: "MSG-2",
    };
    const HINTS: Rule = Rule {
        name: "hints",
        expected: "an object",
        requirement: "VAL-5",
    };
    fn read(object: &Object<'_, '_>) -> Read<Self> {
        Ok(ResponseMessage {
            id: object.required(Self::ID, RequestId::read)?,
            result: object.required(Self::RESULT, read::raw)?,
            hints: object
                .optional(
                    Self::HINTS,
                    |value| read::map(
                        value,
                        "\"base64\" or \"int\" or \"float\"",
                        Hint::read,
                    ),
                )?,
        })
    }
    fn check(object: &Object<'_, '_>) -> Read<()> {
        object.required(Self::ID, RequestId::check)?;
        object.required(Self::RESULT, read::check_raw)?;
        object
            .optional(
                Self::HINTS,
                |value| read::map(
                    value,
                    "\"base64\" or \"int\" or \"float\"",
                    Hint::check,
                ),
            )?;
        Ok(())
    }
    fn write(&self, out: &mut Vec<u8>) {
        let mut members = write::Members::open(out);
        write::text(members.name("type"), "response");
        RequestId::write(&self.id, members.name("id"));
        write::raw(members.name("result"), &self.result);
        if let Some(value) = &self.hints {
            write::map(members.name("hints"), value, |out, item| Hint::write(item, out));
        }
        members.close();
    }
}

/// Two of them are equal when their JSON texts are.
impl PartialEq for ResponseMessage {
    fn eq(&self, other: &Self) -> bool {
        write::same(|out| self.write(out), |out| other.write(out))
    }
}

/// One item of a stream. Followed by a further chunk, or by end or error (STREAM-5). Sent by a worker to
/// the arbiter, and by the arbiter to the client.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChunkMessage {
    /// The id of the request (MSG-7).
    pub id: RequestId,
    /// The item (MSG-2).
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::JsonValue"))]
    pub data: Box<RawValue>,
    /// Which strings in data stand for values that JSON does not have (VAL-5); only if the request accepted
    /// hints (VAL-6).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Hints", default, skip_serializing_if = "Option::is_none")
    )]
    pub hints: Option<Hints>,
}

impl ChunkMessage {
    const ID: Rule = Rule {
        name: "id",
        expected: "a string of 1 to 256 characters",
        requirement: "MSG-7",
    };
    const DATA: Rule = Rule {
        name: "data",
        expected: "a value",
        requirement: "MSG-2",
    };
    const HINTS: Rule = Rule {
        name: "hints",
        expected: "an object",
        requirement: "VAL-5",
    };
    fn read(object: &Object<'_, '_>) -> Read<Self> {
        Ok(ChunkMessage {
            id: object.required(Self::ID, RequestId::read)?,
            data: object.required(Self::DATA, read::raw)?,
            hints: object
                .optional(
                    Self::HINTS,
                    |value| read::map(
                        value,
                        "\"base64\" or \"int\" or \"float\"",
                        Hint::read,
                    ),
                )?,
        })
    }
    fn check(object: &Object<'_, '_>) -> Read<()> {
        object.required(Self::ID, RequestId::check)?;
        object.required(Self::DATA, read::check_raw)?;
        object
            .optional(
                Self::HINTS,
                |value| read::map(
                    value,
                    "\"base64\" or \"int\" or \"float\"",
                    Hint::check,
                ),
            )?;
        Ok(())
    }
    fn write(&self, out: &mut Vec<u8>) {
        let mut members = write::Members::open(out);
        write::text(members.name("type"), "chunk");
        RequestId::write(&self.id, members.name("id"));
        write::raw(members.name("data"), &self.data);
        if let Some(value) = &self.hints {
            write::map(members.name("hints"), value, |out, item| Hint::write(item, out));
        }
        members.close();
    }
}

/// Two of them are equal when their JSON texts are.
impl PartialEq for ChunkMessage {
    fn eq(&self, other: &Self) -> bool {
        write::same(|out| self.write(out), |out| other.write(out))
    }
}

/// The end of a stream, after any number of chunks, none included (STREAM-1, STREAM-2). Sent by a worker to
/// the arbiter, and by the arbiter to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndMessage {
    /// The id of the request (MSG-7).
    pub id: RequestId,
}

impl EndMessage {
    const ID: Rule = Rule {
        name: "id",
        expected: "a string of 1 to 256 characters",
        requirement: "MSG-7",
    };
    fn read(object: &Object<'_, '_>) -> Read<Self> {
        Ok(EndMessage {
            id: object.required(Self::ID, RequestId::read)?,
        })
    }
    fn check(object: &Object<'_, '_>) -> Read<()> {
        object.required(Self::ID, RequestId::check)?;
        Ok(())
    }
    fn write(&self, out: &mut Vec<u8>) {
        let mut members = write::Members::open(out);
        write::text(members.name("type"), "end");
        RequestId::write(&self.id, members.name("id"));
        members.close();
    }
}

/// The failure of a request, and its end, also in a stream (STREAM-3). Without an id it reports a message
/// or a frame whose id could not be read (MSG-5, FRAME-7). Sent by a worker to the arbiter, and by the
/// arbiter to the client.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorMessage {
    /// The id of the request (MSG-7), or null when no id of the message it answers may be used (MSG-12).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "super::schema::Nullable<RequestId>")
    )]
    pub id: Option<RequestId>,
    /// What went wrong (MSG-12).
    pub error: ErrorObject,
}

impl ErrorMessage {
    const ID: Rule = Rule {
        name: "id",
        expected: "a string of 1 to 256 characters or null",
        requirement: "MSG-7",
    };
    const ERROR: Rule = Rule {
        name: "error",
        expected: "an object",
        requirement: "MSG-12",
    };
    fn read(object: &Object<'_, '_>) -> Read<Self> {
        Ok(ErrorMessage {
            id: object
                .required(Self::ID, |value| read::nullable(value, RequestId::read))?,
            error: object.required(Self::ERROR, ErrorObject::read)?,
        })
    }
    fn check(object: &Object<'_, '_>) -> Read<()> {
        object.required(Self::ID, |value| read::nullable(value, RequestId::check))?;
        object.required(Self::ERROR, ErrorObject::check)?;
        Ok(())
    }
    fn write(&self, out: &mut Vec<u8>) {
        let mut members = write::Members::open(out);
        write::text(members.name("type"), "error");
        write::nullable(
            members.name("id"),
            &self.id,
            |out, value| RequestId::write(value, out),
        );
        ErrorObject::write(&self.error, members.name("error"));
        members.close();
    }
}

/// Two of them are equal when their JSON texts are.
impl PartialEq for ErrorMessage {
    fn eq(&self, other: &Self) -> bool {
        write::same(|out| self.write(out), |out| other.write(out))
    }
}

/// Asks for the end of a request in flight; ignored when the request is unknown or has ended (CANCEL-1,
/// CANCEL-2). Sent by a client to the arbiter, and by the arbiter to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CancelMessage {
    /// The id of the request to cancel (MSG-7).
    pub id: RequestId,
}

impl CancelMessage {
    const ID: Rule = Rule {
        name: "id",
        expected: "a string of 1 to 256 characters",
        requirement: "MSG-7",
    };
    fn read(object: &Object<'_, '_>) -> Read<Self> {
        Ok(CancelMessage {
            id: object.required(Self::ID, RequestId::read)?,
        })
    }
    fn check(object: &Object<'_, '_>) -> Read<()> {
        object.required(Self::ID, RequestId::check)?;
        Ok(())
    }
    fn write(&self, out: &mut Vec<u8>) {
        let mut members = write::Members::open(out);
        write::text(members.name("type"), "cancel");
        RequestId::write(&self.id, members.name("id"));
        members.close();
    }
}

/// What went wrong: a type for programs, a message for people, and details (MSG-12).
#[derive(Debug, Clone)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorObject {
    /// The type of the error (MSG-12).
    pub error_type: ErrorType,
    /// What went wrong, in words; it can be empty (MSG-12).
    pub message: String,
    /// Particulars of the error; it can be empty (MSG-12).
    pub details: ErrorDetails,
}

impl ErrorObject {
    const ERROR_TYPE: Rule = Rule {
        name: "error_type",
        expected: "a string",
        requirement: "MSG-12",
    };
    const MESSAGE: Rule = Rule {
        name: "message",
        expected: "a string",
        requirement: "MSG-12",
    };
    const DETAILS: Rule = Rule {
        name: "details",
        expected: "an object",
        requirement: "MSG-12",
    };
    fn read(value: &Value<'_, '_>) -> Read<Self> {
        let object = Object::inside(value)?;
        Ok(ErrorObject {
            error_type: object.required(Self::ERROR_TYPE, ErrorType::read)?,
            message: object.required(Self::MESSAGE, read::string)?,
            details: object.required(Self::DETAILS, ErrorDetails::read)?,
        })
    }
    fn check(value: &Value<'_, '_>) -> Read<()> {
        let object = Object::inside(value)?;
        object.required(Self::ERROR_TYPE, ErrorType::check)?;
        object.required(Self::MESSAGE, read::text)?;
        object.required(Self::DETAILS, ErrorDetails::check)?;
        Ok(())
    }
    fn write(&self, out: &mut Vec<u8>) {
        let mut members = write::Members::open(out);
        ErrorType::write(&self.error_type, members.name("error_type"));
        write::text(members.name("message"), &self.message);
        ErrorDetails::write(&self.details, members.name("details"));
        members.close();
    }
}

/// Two of them are equal when their JSON texts are.
impl PartialEq for ErrorObject {
    fn eq(&self, other: &Self) -> bool {
        write::same(|out| self.write(out), |out| other.write(out))
    }
}

/// The type of an error. The examples are all the registered names, and a sender uses no other (ERR-1); a
/// receiver reads a name it does not know as DirtyError (ERR-2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorType {
    /// `DirtyError`
    DirtyError,
    /// `DirtyTimeoutError`
    DirtyTimeoutError,
    /// `DirtyConnectionError`
    DirtyConnectionError,
    /// `DirtyWorkerError`
    DirtyWorkerError,
    /// `DirtyAppError`
    DirtyAppError,
    /// `DirtyAppNotFoundError`
    DirtyAppNotFoundError,
    /// `DirtyNoWorkersAvailableError`
    DirtyNoWorkersAvailableError,
    /// `DirtyProtocolError`
    DirtyProtocolError,
    /// `DirtyOverloadedError`
    DirtyOverloadedError,
    /// `DirtyCancelledError`
    DirtyCancelledError,
    /// A name that is not registered, as it was sent.
    Other(String),
}

impl ErrorType {
    /// The registered names.
    pub const REGISTERED: [&'static str; 10usize] = [
        "DirtyError",
        "DirtyTimeoutError",
        "DirtyConnectionError",
        "DirtyWorkerError",
        "DirtyAppError",
        "DirtyAppNotFoundError",
        "DirtyNoWorkersAvailableError",
        "DirtyProtocolError",
        "DirtyOverloadedError",
        "DirtyCancelledError",
    ];
    /// The name, as it is written in messages.
    pub fn as_str(&self) -> &str {
        match self {
            ErrorType::DirtyError => "DirtyError",
            ErrorType::DirtyTimeoutError => "DirtyTimeoutError",
            ErrorType::DirtyConnectionError => "DirtyConnectionError",
            ErrorType::DirtyWorkerError => "DirtyWorkerError",
            ErrorType::DirtyAppError => "DirtyAppError",
            ErrorType::DirtyAppNotFoundError => "DirtyAppNotFoundError",
            ErrorType::DirtyNoWorkersAvailableError => "DirtyNoWorkersAvailableError",
            ErrorType::DirtyProtocolError => "DirtyProtocolError",
            ErrorType::DirtyOverloadedError => "DirtyOverloadedError",
            ErrorType::DirtyCancelledError => "DirtyCancelledError",
            ErrorType::Other(name) => name,
        }
    }
    /// The value with this name.
    pub fn from_name(name: &str) -> Self {
        match name {
            "DirtyError" => ErrorType::DirtyError,
            "DirtyTimeoutError" => ErrorType::DirtyTimeoutError,
            "DirtyConnectionError" => ErrorType::DirtyConnectionError,
            "DirtyWorkerError" => ErrorType::DirtyWorkerError,
            "DirtyAppError" => ErrorType::DirtyAppError,
            "DirtyAppNotFoundError" => ErrorType::DirtyAppNotFoundError,
            "DirtyNoWorkersAvailableError" => ErrorType::DirtyNoWorkersAvailableError,
            "DirtyProtocolError" => ErrorType::DirtyProtocolError,
            "DirtyOverloadedError" => ErrorType::DirtyOverloadedError,
            "DirtyCancelledError" => ErrorType::DirtyCancelledError,
            other => ErrorType::Other(other.to_owned()),
        }
    }
    fn read(value: &Value<'_, '_>) -> Read<Self> {
        read::text(value).map(|name| Self::from_name(&name))
    }
    fn check(value: &Value<'_, '_>) -> Read<()> {
        read::text(value).map(|_| ())
    }
    fn write(&self, out: &mut Vec<u8>) {
        write::text(out, self.as_str());
    }
}

impl std::fmt::Display for ErrorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ErrorType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ErrorType".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type" : "string", "examples" : Self::REGISTERED })
    }
}

/// Particulars of an error. Every member is optional; the registered ones keep their meaning and type
/// (ERR-9), further ones are kept.
#[derive(Debug, Clone, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(extend("additionalProperties" = true))
)]
pub struct ErrorDetails {
    /// The app that was asked (ERR-9).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "AppPath", default, skip_serializing_if = "Option::is_none")
    )]
    pub app_path: Option<AppPath>,
    /// The action that was asked for (ERR-9).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "ActionName", default, skip_serializing_if = "Option::is_none")
    )]
    pub action: Option<ActionName>,
    /// Where in the app the error was raised, as the app's language writes it (ERR-9, ERR-5).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", default, skip_serializing_if = "Option::is_none")
    )]
    pub traceback: Option<String>,
    /// The limit that was exceeded (ERR-9, TIME-1).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Seconds", default, skip_serializing_if = "Option::is_none")
    )]
    pub timeout: Option<Seconds>,
    /// In which phase of the request a limit was exceeded (ERR-9, TIME-1).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Phase", default, skip_serializing_if = "Option::is_none")
    )]
    pub phase: Option<Phase>,
    /// The worker on which the request ran (ERR-9).
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "u32",
            default,
            skip_serializing_if = "Option::is_none",
            extend("maximum" = 4294967295u64)
        )
    )]
    pub worker_id: Option<u32>,
    /// The number of the signal that ended the worker (ERR-9, ERR-6).
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "u8",
            default,
            skip_serializing_if = "Option::is_none",
            extend("maximum" = 255u64)
        )
    )]
    pub signal: Option<u8>,
    /// The exit status of the worker (ERR-9, ERR-6).
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "u8",
            default,
            skip_serializing_if = "Option::is_none",
            extend("maximum" = 255u64)
        )
    )]
    pub exit_code: Option<u8>,
    /// When the same request may be worth another try, counted from now (ERR-9, POOL-3).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Seconds", default, skip_serializing_if = "Option::is_none")
    )]
    pub retry_after: Option<Seconds>,
    /// The start of what could not be read (ERR-9).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "RawData", default, skip_serializing_if = "Option::is_none")
    )]
    pub raw_data: Option<RawData>,
    /// A JSON Pointer (RFC 6901) to what was wrong in the message (ERR-9, MSG-13).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", default, skip_serializing_if = "Option::is_none")
    )]
    pub pointer: Option<String>,
    /// The id of the requirement that was broken (ERR-9, MSG-13).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "String", default, skip_serializing_if = "Option::is_none")
    )]
    pub requirement: Option<String>,
    /// The id of a request that was refused because the id is still in flight (ERR-9, CORR-6).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "RequestId", default, skip_serializing_if = "Option::is_none")
    )]
    pub id: Option<RequestId>,
    /// Further members, as they stand. They never have the name of another field.
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub other: IndexMap<String, Box<RawValue>>,
}

impl ErrorDetails {
    const APP_PATH: Rule = Rule {
        name: "app_path",
        expected: "a string of 1 to 1024 characters",
        requirement: "ERR-9",
    };
    const ACTION: Rule = Rule {
        name: "action",
        expected: "a string of 1 to 256 characters",
        requirement: "ERR-9",
    };
    const TRACEBACK: Rule = Rule {
        name: "traceback",
        expected: "a string",
        requirement: "ERR-9",
    };
    const TIMEOUT: Rule = Rule {
        name: "timeout",
        expected: "a number from 0 to 1000000000",
        requirement: "ERR-9",
    };
    const PHASE: Rule = Rule {
        name: "phase",
        expected: "a string",
        requirement: "ERR-9",
    };
    const WORKER_ID: Rule = Rule {
        name: "worker_id",
        expected: "an integer from 0 to 4294967295",
        requirement: "ERR-9",
    };
    const SIGNAL: Rule = Rule {
        name: "signal",
        expected: "an integer from 0 to 255",
        requirement: "ERR-9",
    };
    const EXIT_CODE: Rule = Rule {
        name: "exit_code",
        expected: "an integer from 0 to 255",
        requirement: "ERR-9",
    };
    const RETRY_AFTER: Rule = Rule {
        name: "retry_after",
        expected: "a number from 0 to 1000000000",
        requirement: "ERR-9",
    };
    const RAW_DATA: Rule = Rule {
        name: "raw_data",
        expected: "a string of at most 200 characters",
        requirement: "ERR-9",
    };
    const POINTER: Rule = Rule {
        name: "pointer",
        expected: "a string",
        requirement: "ERR-9",
    };
    const REQUIREMENT: Rule = Rule {
        name: "requirement",
        expected: "a string",
        requirement: "ERR-9",
    };
    const ID: Rule = Rule {
        name: "id",
        expected: "a string of 1 to 256 characters",
        requirement: "ERR-9",
    };
    fn read(value: &Value<'_, '_>) -> Read<Self> {
        let object = Object::inside(value)?;
        Ok(ErrorDetails {
            app_path: object.optional(Self::APP_PATH, AppPath::read)?,
            action: object.optional(Self::ACTION, ActionName::read)?,
            traceback: object.optional(Self::TRACEBACK, read::string)?,
            timeout: object.optional(Self::TIMEOUT, Seconds::read)?,
            phase: object.optional(Self::PHASE, Phase::read)?,
            worker_id: object.optional(Self::WORKER_ID, read::integer::<u32>)?,
            signal: object.optional(Self::SIGNAL, read::integer::<u8>)?,
            exit_code: object.optional(Self::EXIT_CODE, read::integer::<u8>)?,
            retry_after: object.optional(Self::RETRY_AFTER, Seconds::read)?,
            raw_data: object.optional(Self::RAW_DATA, RawData::read)?,
            pointer: object.optional(Self::POINTER, read::string)?,
            requirement: object.optional(Self::REQUIREMENT, read::string)?,
            id: object.optional(Self::ID, RequestId::read)?,
            other: object
                .others(
                    &[
                        "app_path",
                        "action",
                        "traceback",
                        "timeout",
                        "phase",
                        "worker_id",
                        "signal",
                        "exit_code",
                        "retry_after",
                        "raw_data",
                        "pointer",
                        "requirement",
                        "id",
                    ],
                ),
        })
    }
    fn check(value: &Value<'_, '_>) -> Read<()> {
        let object = Object::inside(value)?;
        object.optional(Self::APP_PATH, AppPath::check)?;
        object.optional(Self::ACTION, ActionName::check)?;
        object.optional(Self::TRACEBACK, read::text)?;
        object.optional(Self::TIMEOUT, Seconds::check)?;
        object.optional(Self::PHASE, Phase::check)?;
        object.optional(Self::WORKER_ID, read::integer::<u32>)?;
        object.optional(Self::SIGNAL, read::integer::<u8>)?;
        object.optional(Self::EXIT_CODE, read::integer::<u8>)?;
        object.optional(Self::RETRY_AFTER, Seconds::check)?;
        object.optional(Self::RAW_DATA, RawData::check)?;
        object.optional(Self::POINTER, read::text)?;
        object.optional(Self::REQUIREMENT, read::text)?;
        object.optional(Self::ID, RequestId::check)?;
        Ok(())
    }
    fn write(&self, out: &mut Vec<u8>) {
        let mut members = write::Members::open(out);
        if let Some(value) = &self.app_path {
            AppPath::write(value, members.name("app_path"));
        }
        if let Some(value) = &self.action {
            ActionName::write(value, members.name("action"));
        }
        if let Some(value) = &self.traceback {
            write::text(members.name("traceback"), value);
        }
        if let Some(value) = &self.timeout {
            Seconds::write(value, members.name("timeout"));
        }
        if let Some(value) = &self.phase {
            Phase::write(value, members.name("phase"));
        }
        if let Some(value) = &self.worker_id {
            write::number(members.name("worker_id"), value);
        }
        if let Some(value) = &self.signal {
            write::number(members.name("signal"), value);
        }
        if let Some(value) = &self.exit_code {
            write::number(members.name("exit_code"), value);
        }
        if let Some(value) = &self.retry_after {
            Seconds::write(value, members.name("retry_after"));
        }
        if let Some(value) = &self.raw_data {
            RawData::write(value, members.name("raw_data"));
        }
        if let Some(value) = &self.pointer {
            write::text(members.name("pointer"), value);
        }
        if let Some(value) = &self.requirement {
            write::text(members.name("requirement"), value);
        }
        if let Some(value) = &self.id {
            RequestId::write(value, members.name("id"));
        }
        members.others(&self.other);
        members.close();
    }
}

/// Two of them are equal when their JSON texts are.
impl PartialEq for ErrorDetails {
    fn eq(&self, other: &Self) -> bool {
        write::same(|out| self.write(out), |out| other.write(out))
    }
}

/// The phase of a request in which its limit was exceeded: waiting for a free worker slot, waiting for a
/// worker to boot, running, or streaming. The examples are all the registered names (TIME-1, TIME-7); a
/// receiver accepts others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// `queue`
    Queue,
    /// `boot`
    Boot,
    /// `run`
    Run,
    /// `stream`
    Stream,
    /// A name that is not registered, as it was sent.
    Other(String),
}

impl Phase {
    /// The registered names.
    pub const REGISTERED: [&'static str; 4usize] = ["queue", "boot", "run", "stream"];
    /// The name, as it is written in messages.
    pub fn as_str(&self) -> &str {
        match self {
            Phase::Queue => "queue",
            Phase::Boot => "boot",
            Phase::Run => "run",
            Phase::Stream => "stream",
            Phase::Other(name) => name,
        }
    }
    /// The value with this name.
    pub fn from_name(name: &str) -> Self {
        match name {
            "queue" => Phase::Queue,
            "boot" => Phase::Boot,
            "run" => Phase::Run,
            "stream" => Phase::Stream,
            other => Phase::Other(other.to_owned()),
        }
    }
    fn read(value: &Value<'_, '_>) -> Read<Self> {
        read::text(value).map(|name| Self::from_name(&name))
    }
    fn check(value: &Value<'_, '_>) -> Read<()> {
        read::text(value).map(|_| ())
    }
    fn write(&self, out: &mut Vec<u8>) {
        write::text(out, self.as_str());
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Phase {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Phase".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type" : "string", "examples" : Self::REGISTERED })
    }
}

/// The id of a request: 1 to 256 Unicode characters, opaque, chosen by the client, and unique among the
/// requests in flight on its connection (MSG-7, CORR-6, CORR-8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(extend("minLength" = 1, "maxLength" = 256))
)]
pub struct RequestId(pub(super) String);
text_type!(RequestId, 1, 256, "a string of 1 to 256 characters");
/// The name of an app: 1 to 1024 Unicode characters, such as module:Class, opaque to all but the worker
/// that serves it (MSG-8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(extend("minLength" = 1, "maxLength" = 1024))
)]
pub struct AppPath(pub(super) String);
text_type!(AppPath, 1, 1024, "a string of 1 to 1024 characters");
/// The name of an action of an app: 1 to 256 Unicode characters (MSG-9).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(extend("minLength" = 1, "maxLength" = 256))
)]
pub struct ActionName(pub(super) String);
text_type!(ActionName, 1, 256, "a string of 1 to 256 characters");
/// At most 100 bytes, written as two lower-case hexadecimal digits each (ERR-9).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(extend("maxLength" = 200))
)]
pub struct RawData(pub(super) String);
text_type!(RawData, 0, 200, "a string of at most 200 characters");
/// A duration in seconds, longer than nothing and at most a thousand million (TIME-2).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(extend("exclusiveMinimum" = 0, "maximum" = 1000000000))
)]
pub struct Timeout(pub(super) f64);
number_type!(
    Timeout, | value | value > 0.0 && value <= 1000000000.0,
    "a number above 0, up to 1000000000"
);
/// A duration in seconds, at most a thousand million (ERR-9).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(extend("minimum" = 0, "maximum" = 1000000000))
)]
pub struct Seconds(pub(super) f64);
number_type!(
    Seconds, | value | (0.0..= 1000000000.0).contains(& value),
    "a number from 0 to 1000000000"
);
/// A JSON Pointer (RFC 6901) into the same message, starting with /args, /kwargs, /result or /data, to what
/// the string at that place stands for (VAL-5).
pub type Hints = IndexMap<String, Hint>;
/// What a string stands for: base64 for bytes (RFC 4648, section 4), int for an integer in decimal, float
/// for NaN, Infinity or -Infinity (VAL-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Hint {
    /// `base64`
    #[cfg_attr(feature = "schema", schemars(rename = "base64"))]
    Base64,
    /// `int`
    #[cfg_attr(feature = "schema", schemars(rename = "int"))]
    Int,
    /// `float`
    #[cfg_attr(feature = "schema", schemars(rename = "float"))]
    Float,
}

impl Hint {
    /// The name, as it is written in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Hint::Base64 => "base64",
            Hint::Int => "int",
            Hint::Float => "float",
        }
    }
    /// The value with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "base64" => Some(Hint::Base64),
            "int" => Some(Hint::Int),
            "float" => Some(Hint::Float),
            _ => None,
        }
    }
    fn read(value: &Value<'_, '_>) -> Read<Self> {
        read::name(value, Self::from_name)
    }
    fn check(value: &Value<'_, '_>) -> Read<()> {
        Self::read(value).map(|_| ())
    }
    fn write(&self, out: &mut Vec<u8>) {
        write::text(out, self.as_str());
    }
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
