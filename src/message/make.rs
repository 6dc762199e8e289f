//! Constructors of messages.

use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::{
    ActionName, AppPath, CancelMessage, ChunkMessage, DirtyMessage, EndMessage, ErrorDetails, ErrorMessage,
    ErrorObject, ErrorType, RequestId, RequestMessage, ResponseMessage,
};

impl RequestMessage {
    /// A request without arguments and extensions.
    pub fn new(id: RequestId, app_path: AppPath, action: ActionName) -> Self {
        RequestMessage {
            id,
            app_path,
            action,
            args: Vec::new(),
            kwargs: IndexMap::new(),
            timeout: None,
            meta: None,
            accept_hints: None,
            hints: None,
        }
    }

    /// The same request with these arguments.
    pub fn with_arguments(
        mut self,
        args: Vec<Box<RawValue>>,
        kwargs: IndexMap<String, Box<RawValue>>,
    ) -> Self {
        self.args = args;
        self.kwargs = kwargs;
        self
    }
}

impl ResponseMessage {
    /// The result of a request.
    pub fn new(id: RequestId, result: Box<RawValue>) -> Self {
        ResponseMessage { id, result, hints: None }
    }
}

impl ChunkMessage {
    /// One item of a stream.
    pub fn new(id: RequestId, data: Box<RawValue>) -> Self {
        ChunkMessage { id, data, hints: None }
    }
}

impl EndMessage {
    /// The end of a stream.
    pub fn new(id: RequestId) -> Self {
        EndMessage { id }
    }
}

impl CancelMessage {
    /// Asks for the end of a request.
    pub fn new(id: RequestId) -> Self {
        CancelMessage { id }
    }
}

impl ErrorMessage {
    /// The failure of a request; without an id, of a message or frame whose id could not be read.
    pub fn new(id: Option<RequestId>, error: impl Into<ErrorObject>) -> Self {
        ErrorMessage { id, error: error.into() }
    }
}

impl ErrorObject {
    /// An error without details.
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        ErrorObject { error_type, message: message.into(), details: ErrorDetails::default() }
    }
}

macro_rules! into_message {
    ($($variant:ident($message:ident)),*) => {$(
        impl From<$message> for DirtyMessage {
            fn from(message: $message) -> Self {
                DirtyMessage::$variant(message)
            }
        }
    )*};
}
into_message!(
    Request(RequestMessage),
    Response(ResponseMessage),
    Chunk(ChunkMessage),
    End(EndMessage),
    Error(ErrorMessage),
    Cancel(CancelMessage)
);
