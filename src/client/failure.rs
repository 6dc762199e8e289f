//! The errors that clients make themselves, each in one place.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::discovery::DiscoveryError;
use crate::error::DirtyError;
use crate::message::{DecodeError, ErrorType, InvalidValue, MessageType, RawData, RequestId, Seconds};
use crate::values::ValueError;
use crate::wire::FrameError;

/// An app path, action or time limit that no message can carry.
pub(super) fn invalid(error: InvalidValue) -> DirtyError {
    DirtyError::new(ErrorType::DirtyProtocolError, format!("nothing was sent: {error}"))
}

/// An argument that cannot be encoded.
pub(super) fn unsendable(error: ValueError) -> DirtyError {
    let ValueError { pointer, problem } = error;
    DirtyError::new(ErrorType::DirtyProtocolError, format!("nothing was sent: value at {pointer}: {problem}"))
        .with_details(|details| details.pointer = Some(pointer))
}

/// A request over the frame limit.
pub(super) fn own_frame(error: &FrameError) -> DirtyError {
    let text = format!(
        "nothing was sent: the request is a {error}; send less at once, or pass a reference to the data"
    );
    DirtyError::protocol(error.requirement(), text)
}

/// A request that would be a bad message.
pub(super) fn own_message(error: &DecodeError) -> DirtyError {
    let pointer = match error {
        DecodeError::Message(error) => Some(error.pointer.clone()),
        DecodeError::Frame(_) => None,
    };
    DirtyError::protocol(error.requirement(), format!("nothing was sent: {error}"))
        .with_details(|details| details.pointer = pointer)
}

/// A frame from the arbiter that is no message of an arbiter.
pub(super) fn bad_reply(error: &DecodeError, payload: &[u8]) -> DirtyError {
    let dirty = match error {
        DecodeError::Frame(error) => return bad_frame(error, payload),
        DecodeError::Message(error) => DirtyError::from(error),
    };
    closed_for(error.requirement(), error)
        .with_details(|details| details.pointer = dirty.details().pointer.clone())
}

/// Bytes from the arbiter that are no frame.
pub(super) fn bad_frame(error: &FrameError, start: &[u8]) -> DirtyError {
    closed_for(error.requirement(), error).with_details(|details| {
        details.raw_data = (!start.is_empty()).then(|| RawData::from_bytes(start));
    })
}

/// A reply to a request that was never made (CORR-4).
pub(super) fn foreign_id(id: &RequestId) -> DirtyError {
    closed_for(
        "CORR-4",
        format_args!("a reply carries id {:?}, which was never sent on this connection", id.as_str()),
    )
}

/// A request or cancel from the arbiter (MSG-11).
pub(super) fn not_for_clients(message: MessageType) -> DirtyError {
    closed_for("MSG-11", format_args!("an arbiter may not send a {message} message to a client"))
}

fn closed_for(requirement: &str, problem: impl Display) -> DirtyError {
    let text = format!("the arbiter broke the protocol, and its connection was closed: {problem}");
    DirtyError::protocol(requirement, text)
}

/// The connection ended after an error that answered no request (ERR-10).
pub(super) fn after_notice(notice: &DirtyError) -> DirtyError {
    let details = notice.details().clone();
    let text = format!("the arbiter closed the connection after it had reported {notice}");
    DirtyError::new(ErrorType::DirtyProtocolError, text).with_details(|own| *own = details)
}

/// `execute` on a stream (CALL-9).
pub(super) fn not_a_plain_result() -> DirtyError {
    DirtyError::general(
        "the action answers with a stream, not with one result: call it with stream() (CALL-9)",
    )
}

/// A response after chunks (STREAM-5).
pub(super) fn response_in_stream() -> DirtyError {
    closed_for("STREAM-5", "a stream went on with a response: expected a chunk, end or error (STREAM-5)")
}

/// A reader that fell too far behind.
pub(super) fn too_slow(held: usize, limit: usize) -> DirtyError {
    DirtyError::general(format!(
        "the stream was cancelled: {held} bytes of it are unread (the limit is {limit}) while other calls wait on the \
         same connection; read it faster, or give it a client of its own"
    ))
}

/// A result or item that is not what the caller's type expects.
pub(super) fn unreadable(error: ValueError) -> DirtyError {
    let text = format!("the call succeeded, but its answer cannot be read: {error}");
    DirtyError::general(text).with_details(|details| details.pointer = Some(error.pointer))
}

/// The client's own limit (TIME-1 is the arbiter's).
pub(super) fn timed_out(limit: Duration, waited_for: impl Display) -> DirtyError {
    let text = format!("no {waited_for} within {} s; the call was cancelled", limit.as_secs_f64());
    DirtyError::new(ErrorType::DirtyTimeoutError, text)
        .with_details(|details| details.timeout = Seconds::try_from(limit).ok())
}

/// No connection could be made.
pub(super) fn unreachable(path: &Path, error: &io::Error) -> DirtyError {
    let shown = path.display();
    let text = match error.kind() {
        io::ErrorKind::NotFound => {
            format!(
                "no socket at {shown}: start an arbiter there (dirty serve --socket {shown}) or name another socket"
            )
        }
        io::ErrorKind::ConnectionRefused => format!(
            "nobody listens on {shown}: the file is left from an arbiter that is gone; start one \
             (dirty serve --socket {shown})"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "no permission to connect to {shown}: the socket belongs to another user; run as that user, or let the \
             arbiter's configuration admit this one"
        ),
        io::ErrorKind::WouldBlock => {
            format!(
                "the arbiter at {shown} does not accept connections: its backlog is full; try again later"
            )
        }
        io::ErrorKind::InvalidInput => {
            format!("{shown} cannot be a socket path: {error}; a path of at most 107 bytes is needed")
        }
        _ => format!("cannot connect to {shown}: {error}"),
    };
    about_socket(path, text)
}

/// A connection that ended under its calls.
pub(super) fn lost(path: &Path, cause: impl Display) -> DirtyError {
    about_socket(
        path,
        format!(
            "connection to the arbiter at {} lost: {cause}; the call may or may not have run, and is not repeated",
            path.display()
        ),
    )
}

/// An arbiter that does not even take a request.
pub(super) fn turned_away(path: &Path) -> DirtyError {
    let shown = path.display();
    about_socket(
        path,
        format!(
            "the arbiter at {shown} closes new connections at once, and nothing was sent: it may be stopping, serve \
             another user only, or have as many connections as it allows"
        ),
    )
}

fn about_socket(path: &Path, text: String) -> DirtyError {
    DirtyError::connection(text).with_details(|details| {
        let value = serde_json::value::to_raw_value(&path.to_string_lossy());
        if let Ok(value) = value {
            details.other.insert("socket_path".to_owned(), value);
        }
    })
}

/// No socket was named.
pub(super) fn undiscovered(error: DiscoveryError) -> DirtyError {
    DirtyError::connection(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests may run as root, whom no socket refuses.
    #[test]
    fn a_refused_connection_is_explained() {
        let error = unreachable(Path::new("/run/d.sock"), &io::ErrorKind::PermissionDenied.into());
        assert_eq!(error.error_type(), &ErrorType::DirtyConnectionError);
        assert!(error.message().starts_with("no permission to connect to /run/d.sock: "), "{error}");
        let error = unreachable(Path::new("/run/d.sock"), &io::Error::other("cosmic rays"));
        assert_eq!(error.message(), "cannot connect to /run/d.sock: cosmic rays");
    }
}
