//! The error of calls and of app code.

use crate::message::{
    ActionName, AppPath, ErrorDetails, ErrorMessage, ErrorObject, ErrorType, MessageError, Phase, RawData,
    RequestId, Seconds,
};
use crate::wire::FrameError;

/// What a call failed with, and what an app fails with: the `error` of an error message.
///
/// ```
/// use dirty_arbiter::DirtyError;
/// use dirty_arbiter::message::ErrorType;
///
/// let error = DirtyError::app("out of stock");
/// assert_eq!(error.error_type(), &ErrorType::DirtyAppError);
/// assert_eq!(error.to_string(), "DirtyAppError: out of stock");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DirtyError(Box<ErrorObject>);

impl DirtyError {
    /// An error of any type.
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        ErrorObject::new(error_type, message).into()
    }

    /// `DirtyError`: none of the other types.
    pub fn general(message: impl Into<String>) -> Self {
        Self::new(ErrorType::DirtyError, message)
    }

    /// `DirtyAppError`: an app failed, or has no such action.
    pub fn app(message: impl Into<String>) -> Self {
        Self::new(ErrorType::DirtyAppError, message)
    }

    /// `DirtyAppNotFoundError`: nobody serves this app (CALL-4).
    pub fn app_not_found(app_path: AppPath) -> Self {
        let message = format!("no app {:?} is served here", app_path.as_str());
        Self::new(ErrorType::DirtyAppNotFoundError, message).with_app_path(app_path)
    }

    /// `DirtyNoWorkersAvailableError`: the app is known, but no worker can serve it.
    pub fn no_workers(app_path: AppPath) -> Self {
        let message = format!("no worker is available for app {:?}", app_path.as_str());
        Self::new(ErrorType::DirtyNoWorkersAvailableError, message).with_app_path(app_path)
    }

    /// `DirtyTimeoutError`: a limit was exceeded (TIME-1).
    pub fn timeout(limit: Seconds, phase: Phase) -> Self {
        let message = format!("time limit of {limit} s exceeded ({phase})");
        Self::new(ErrorType::DirtyTimeoutError, message).with_details(|details| {
            details.timeout = Some(limit);
            details.phase = Some(phase);
        })
    }

    /// `DirtyWorkerError`: a worker died or broke the protocol (ERR-6).
    pub fn worker(message: impl Into<String>) -> Self {
        Self::new(ErrorType::DirtyWorkerError, message)
    }

    /// `DirtyOverloadedError`: too many requests wait (POOL-3).
    pub fn overloaded(message: impl Into<String>, retry_after: Seconds) -> Self {
        Self::new(ErrorType::DirtyOverloadedError, message)
            .with_details(|details| details.retry_after = Some(retry_after))
    }

    /// `DirtyCancelledError`: the request was cancelled (CANCEL-1).
    pub fn cancelled() -> Self {
        Self::new(ErrorType::DirtyCancelledError, "the request was cancelled")
    }

    /// `DirtyConnectionError`: the connection could not be made or was lost. Made by clients, never sent (ERR-4).
    pub fn connection(message: impl Into<String>) -> Self {
        Self::new(ErrorType::DirtyConnectionError, message)
    }

    /// `DirtyProtocolError`: a peer broke this requirement.
    pub fn protocol(requirement: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorType::DirtyProtocolError, message)
            .with_details(|details| details.requirement = Some(requirement.to_owned()))
    }

    /// The refusal of a request whose id is still in flight (CORR-6). It is sent with id null.
    pub fn id_in_flight(id: RequestId) -> Self {
        let message = format!("a request with id {:?} is still in flight on this connection", id.as_str());
        Self::protocol("CORR-6", message).with_details(|details| {
            details.pointer = Some("/id".to_owned());
            details.id = Some(id);
        })
    }

    /// The answer to a bad frame, with the first bytes of it, if any are known (FRAME-7).
    pub fn bad_frame(error: &FrameError, start: Option<&[u8]>) -> Self {
        Self::protocol(error.requirement(), error.to_string())
            .with_details(|details| details.raw_data = start.map(RawData::from_bytes))
    }

    /// The same error with details set by `change`.
    pub fn with_details(mut self, change: impl FnOnce(&mut ErrorDetails)) -> Self {
        change(&mut self.0.details);
        self
    }

    /// The same error, naming the app.
    pub fn with_app_path(self, app_path: AppPath) -> Self {
        self.with_details(|details| details.app_path = Some(app_path))
    }

    /// The same error, naming the action.
    pub fn with_action(self, action: ActionName) -> Self {
        self.with_details(|details| details.action = Some(action))
    }

    /// The type as it was sent. To act upon it, use [`ErrorType::known`], which reads strange names as
    /// `DirtyError` (ERR-2).
    pub fn error_type(&self) -> &ErrorType {
        &self.0.error_type
    }

    /// What went wrong, in words; may be empty.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Particulars.
    pub fn details(&self) -> &ErrorDetails {
        &self.0.details
    }

    /// The wire form.
    pub fn as_object(&self) -> &ErrorObject {
        &self.0
    }

    /// The error message that answers the request `id` with this error.
    pub fn into_message(self, id: Option<RequestId>) -> ErrorMessage {
        ErrorMessage::new(id, self)
    }
}

impl std::fmt::Display for DirtyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.message() {
            "" => write!(f, "{}", self.error_type()),
            message => write!(f, "{}: {message}", self.error_type()),
        }
    }
}

impl std::error::Error for DirtyError {}

impl From<ErrorObject> for DirtyError {
    fn from(object: ErrorObject) -> Self {
        DirtyError(Box::new(object))
    }
}

impl From<DirtyError> for ErrorObject {
    fn from(error: DirtyError) -> Self {
        *error.0
    }
}

/// The answer to a bad message; its id is [`MessageError::id`] (MSG-5, MSG-13).
impl From<&MessageError> for DirtyError {
    fn from(error: &MessageError) -> Self {
        Self::protocol(error.requirement(), error.to_string())
            .with_details(|details| details.pointer = Some(error.pointer.clone()))
    }
}

impl From<&FrameError> for DirtyError {
    fn from(error: &FrameError) -> Self {
        Self::bad_frame(error, None)
    }
}

impl From<&MessageError> for ErrorMessage {
    fn from(error: &MessageError) -> Self {
        ErrorMessage::new(error.id.clone(), DirtyError::from(error))
    }
}
