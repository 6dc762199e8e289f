//! How a call can fail in a worker, and what its caller is told.

use std::any::Any;
use std::io;

use super::app::AppError;
use super::encode::EncodeError;
use super::params::BadArguments;
use crate::DirtyError;
use crate::message::{AppPath, ErrorType};

/// Why an action gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The worker does not serve the app (CALL-4).
    UnknownApp(AppPath),
    /// The app has no such action (CALL-5).
    UnknownAction { known: Vec<&'static str> },
    /// The arguments do not fit the action's parameters.
    Arguments(BadArguments),
    /// The action raised (CALL-7).
    App(AppError),
    /// The action panicked.
    Panic(String),
    /// Its result or item cannot be sent (ERR-7, ERR-8).
    Encode(EncodeError),
    /// It stopped because of a `cancel` (CANCEL-4).
    Cancelled,
    /// The machinery of async actions cannot be set up.
    Runtime(io::Error),
    /// The answer cannot be written: nobody is there any more.
    Gone(io::Error),
}

impl Failure {
    /// What a panic was raised with.
    pub(super) fn panic(payload: Box<dyn Any + Send>) -> Self {
        Failure::Panic(panic_text(payload))
    }

    /// The error for the caller.
    pub(super) fn into_error(self) -> DirtyError {
        match self {
            Failure::UnknownApp(app_path) => DirtyError::app_not_found(app_path),
            Failure::UnknownAction { known } => {
                DirtyError::app(format!("no such action: expected one of {}", known.join(", ")))
            }
            Failure::Arguments(bad) => bad.into_error(),
            Failure::App(error) => raised(error.into_error()),
            Failure::Panic(text) => DirtyError::app(text),
            Failure::Encode(error) => DirtyError::app(error.to_string()).with_details(|details| {
                details.requirement = Some(error.requirement().to_owned());
                details.pointer = Some(error.into_pointer());
            }),
            Failure::Cancelled => DirtyError::cancelled(),
            Failure::Runtime(error) => DirtyError::app(format!("cannot run async actions: {error}")),
            Failure::Gone(error) => DirtyError::worker(format!("the answer cannot be written: {error}")),
        }
    }
}

/// Whatever an action raises is an app error to its caller, an error that it received from elsewhere included
/// (CALL-7).
fn raised(error: DirtyError) -> DirtyError {
    if error.error_type() == &ErrorType::DirtyAppError {
        return error;
    }
    let details = error.details().clone();
    DirtyError::app(error.message()).with_details(|own| *own = details)
}

/// The text that a panic was raised with.
pub(super) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(_) => "panicked".to_owned(),
        },
    }
}
