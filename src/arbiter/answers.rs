//! The messages of the arbiter's own making.

use std::time::Duration;

use super::config::Compat;
use super::core::{Failure, Phase, Target, WorkerExit, WorkerId};
use crate::DirtyError;
use crate::message::{
    self, ActionName, AppPath, CancelMessage, DirtyMessage, ErrorMessage, ErrorType, MessageError, RequestId,
    ResponseMessage, Seconds,
};
use crate::wire::{Frame, Limits};

/// The error that a client reads for a failure.
pub(super) fn error_for(failure: Failure, compat: Compat) -> DirtyError {
    match failure {
        Failure::AppNotFound(target) => {
            let kind = match compat {
                Compat::Strict => ErrorType::DirtyAppNotFoundError,
                Compat::Gunicorn => ErrorType::DirtyNoWorkersAvailableError,
            };
            let message = format!("no app {:?} is served here", target.app_path);
            named(DirtyError::new(kind, message), target)
        }
        Failure::Overloaded { target, bound, retry_after } => {
            let message = format!("{bound} requests already wait for app {:?}", target.app_path);
            named(DirtyError::overloaded(message, seconds(retry_after)), target)
        }
        Failure::NoWorkers { target, reason } => {
            let message = format!("no worker is available for app {:?}: {reason}", target.app_path);
            named(DirtyError::new(ErrorType::DirtyNoWorkersAvailableError, message), target)
        }
        Failure::Timeout { target, phase, limit, worker } => {
            let error = named(DirtyError::timeout(seconds(limit), phase.into()), target);
            worker.map_or(error.clone(), |worker| on_worker(error, worker))
        }
        Failure::Cancelled(target) => named(DirtyError::cancelled(), target),
        Failure::WorkerDied { target, worker, exit } => {
            let message = format!("worker {worker} died while it ran this request: {exit}");
            let error = on_worker(named(DirtyError::worker(message), target), worker);
            error.with_details(|details| match exit {
                WorkerExit::Code(code) => details.exit_code = u8::try_from(code).ok(),
                WorkerExit::Signal(signal) => details.signal = u8::try_from(signal).ok(),
                WorkerExit::Unknown => (),
            })
        }
        Failure::WorkerBroke { target, worker, violation } => {
            let message = format!("worker {worker} broke the protocol: {}", violation.what);
            let error = on_worker(named(DirtyError::worker(message), target), worker);
            error.with_details(|details| details.requirement = Some(violation.requirement.to_owned()))
        }
        Failure::Unrelayable { target, problem } => named(DirtyError::protocol("GD-11", problem), target),
        Failure::DuplicateId(id) => match RequestId::new(id) {
            Ok(id) => DirtyError::id_in_flight(id),
            // Unreachable: the id was read from a checked message.
            Err(error) => DirtyError::protocol("CORR-6", error.to_string()),
        },
    }
}

/// The answer to a bad message (MSG-5, MSG-13). When its id is that of a request in flight, an answer with this id would
/// be read as that request's: it goes out without one.
pub(super) fn bad_message(mut error: MessageError, id_in_flight: bool) -> ErrorMessage {
    if let Some(id) = error.id.take_if(|_| id_in_flight) {
        let error = DirtyError::from(&error).with_details(|details| details.id = Some(id));
        return ErrorMessage::new(None, error);
    }
    ErrorMessage::from(&error)
}

/// The answer to one connection too many (SEC-6).
pub(super) fn too_many_connections(limit: usize) -> DirtyError {
    let message = format!("{limit} connections are open already");
    DirtyError::overloaded(message, seconds(Duration::from_secs(1)))
}

/// An error message as a frame.
pub(super) fn frame(id: Option<String>, error: DirtyError) -> Frame {
    to_frame(ErrorMessage::new(id.and_then(|id| RequestId::new(id).ok()), error))
}

/// The answer to a control message; `None` if the result is no JSON, which no result of ours is.
pub(super) fn result(id: RequestId, result: &impl serde::Serialize) -> Option<Frame> {
    let result = serde_json::value::to_raw_value(result).ok()?;
    Some(to_frame(ResponseMessage::new(id, result)))
}

/// A cancel message as a frame; an id that came from a checked message always makes one.
pub(super) fn cancel(id: String) -> Option<Frame> {
    RequestId::new(id).ok().map(|id| to_frame(CancelMessage::new(id)))
}

/// A message as a frame.
pub(super) fn to_frame(message: impl Into<DirtyMessage>) -> Frame {
    let message = message.into();
    message.to_frame(&Limits::default()).unwrap_or_else(|_| {
        // Names are at most 1,024 characters, texts are ours and short: an error is far below 64 MiB.
        unreachable!("an error message of more than 64 MiB")
    })
}

fn named(error: DirtyError, target: Target) -> DirtyError {
    error.with_details(|details| {
        details.app_path = AppPath::new(target.app_path).ok();
        details.action = ActionName::new(target.action).ok();
    })
}

fn on_worker(error: DirtyError, worker: WorkerId) -> DirtyError {
    error.with_details(|details| details.worker_id = u32::try_from(worker.0).ok())
}

fn seconds(duration: Duration) -> Seconds {
    // A duration is neither negative nor infinite; a limit that JSON cannot hold is no limit anybody reads.
    Seconds::try_from(duration).unwrap_or_else(|_| unreachable!("a duration that is no number of seconds"))
}

impl From<Phase> for message::Phase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Queue => message::Phase::Queue,
            Phase::Boot => message::Phase::Boot,
            Phase::Run => message::Phase::Run,
            Phase::Stream => message::Phase::Stream,
        }
    }
}
