//! A client of the control socket that blocks the calling thread.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{
    ControlRequest, ManageMessage, ManageResult, Operation, PoolStatus, StatusMessage, control_socket,
};
use crate::DirtyError;
use crate::message::{DecodeError, DirtyMessage, RequestId, Role};
use crate::wire::{Frame, FrameDecoder, FrameError, Limits};

/// Why a control message has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No connection can be made.
    #[error("failed to reach the arbiter: {}", unreachable(path, source))]
    Unreachable {
        /// The path of the control socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The time limit passed.
    #[error("failed to get an answer from the arbiter within {} s", limit.as_secs_f64())]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The connection ended before the answer. What was asked for may or may not be done.
    #[error("failed to get an answer from the arbiter: the connection ended before it ({cause})")]
    Lost {
        /// How it ended.
        cause: String,
    },
    /// The arbiter answered with an error.
    #[error("the arbiter refused: {0}")]
    Refused(DirtyError),
    /// What came is no answer.
    #[error("failed to read the arbiter's answer: {problem} ({requirement})")]
    Broken {
        /// What is wrong with it.
        problem: String,
        /// The requirement that it breaks.
        requirement: &'static str,
    },
}

/// Sends control messages, each on a connection of its own.
#[derive(Debug, Clone)]
pub struct ControlClient {
    path: PathBuf,
    limit: Option<Duration>,
}

impl ControlClient {
    /// A client of the arbiter whose **call** socket is at `call_socket`. It waits for answers as long as it takes.
    pub fn new(call_socket: impl AsRef<Path>) -> Self {
        ControlClient { path: control_socket(call_socket.as_ref()), limit: None }
    }

    /// The same client, which gives every answer this much time, connecting included.
    pub fn limit(self, limit: Duration) -> Self {
        ControlClient { limit: Some(limit), ..self }
    }

    /// The path of the control socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Asks for the state of the pool (EXT-8).
    ///
    /// # Errors
    /// [`ControlError`]: there is no answer, or none that can be read.
    pub fn status(&self) -> Result<PoolStatus, ControlError> {
        read_result(&self.status_text()?, "EXT-8")
    }

    /// Asks for the state of the pool, and returns the JSON text of the [`PoolStatus`] as it was sent.
    ///
    /// # Errors
    /// [`ControlError`]: there is no answer.
    pub fn status_text(&self) -> Result<Box<RawValue>, ControlError> {
        self.ask(&StatusMessage { id: id() }.into())
    }

    /// Asks for a change of the pool (EXT-9, EXT-10, EXT-11). That the arbiter says no is no error: see
    /// [`ManageResult::success`].
    ///
    /// # Errors
    /// [`ControlError`]: there is no answer, or none that can be read.
    pub fn manage(
        &self,
        op: Operation,
        count: Option<u32>,
        wait: bool,
    ) -> Result<ManageResult, ControlError> {
        read_result(&self.ask(&ManageMessage { id: id(), op, count, wait }.into())?, "EXT-9")
    }

    fn ask(&self, request: &ControlRequest) -> Result<Box<RawValue>, ControlError> {
        let deadline = self.limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut stream = self.connect(deadline)?;
        let frame = request.to_frame(&Limits::default()).map_err(|error| broken_frame(&error))?;
        self.write(&mut stream, &frame, deadline)?;
        let answer = self.read(&mut stream, deadline)?;
        match DirtyMessage::decode(answer.payload(), &Limits::default())
            .and_then(|m| Ok(m.sent_by(Role::Arbiter)?))
        {
            Ok(DirtyMessage::Response(response)) if response.id == *request.id() => Ok(response.result),
            // Without an id it is about the connection; no other message of this connection waits for an answer.
            Ok(DirtyMessage::Error(error)) if error.id.as_ref().is_none_or(|id| id == request.id()) => {
                Err(ControlError::Refused(error.error.into()))
            }
            Ok(other) => Err(ControlError::Broken {
                problem: format!("{} message that answers nothing", other.message_type()),
                requirement: "CORR-4",
            }),
            Err(error) => Err(broken(&error)),
        }
    }

    /// Connects. With a deadline in a thread of its own, because a full backlog blocks.
    fn connect(&self, deadline: Option<Instant>) -> Result<UnixStream, ControlError> {
        let unreachable = |source| ControlError::Unreachable { path: self.path.clone(), source };
        let Some(deadline) = deadline else {
            return UnixStream::connect(&self.path).map_err(unreachable);
        };
        let (done, connected) = mpsc::sync_channel(1);
        let path = self.path.clone();
        let connect = move || drop(done.send(UnixStream::connect(path)));
        thread::Builder::new()
            .name("dirty-control-connect".to_owned())
            .spawn(connect)
            .map_err(unreachable)?;
        match connected.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(connected) => connected.map_err(unreachable),
            Err(RecvTimeoutError::Timeout) => Err(self.timed_out()),
            // The thread sends before it ends.
            Err(RecvTimeoutError::Disconnected) => Err(unreachable(io::ErrorKind::Other.into())),
        }
    }

    fn write(
        &self,
        stream: &mut UnixStream,
        frame: &Frame,
        deadline: Option<Instant>,
    ) -> Result<(), ControlError> {
        stream.set_write_timeout(self.rest(deadline)?).map_err(lost)?;
        match stream.write_all(frame.as_bytes()) {
            // An arbiter that refuses a connection closes it; why, is there to be read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|error| self.failed(error)),
        }
    }

    fn read(&self, stream: &mut UnixStream, deadline: Option<Instant>) -> Result<Frame, ControlError> {
        let mut decoder = FrameDecoder::new(Limits::default());
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if let Some(frame) = decoder.next_frame().map_err(|error| broken_frame(&error))? {
                return Ok(frame);
            }
            stream.set_read_timeout(self.rest(deadline)?).map_err(lost)?;
            match stream.read(&mut buffer) {
                Ok(0) => {
                    decoder.finish().map_err(|error| broken_frame(&error))?;
                    return Err(ControlError::Lost { cause: "closed by the arbiter".to_owned() });
                }
                Ok(read) => decoder.push(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// How much time is left.
    fn rest(&self, deadline: Option<Instant>) -> Result<Option<Duration>, ControlError> {
        match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => Err(self.timed_out()),
            rest => Ok(rest),
        }
    }

    fn failed(&self, error: io::Error) -> ControlError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.timed_out(),
            _ => lost(error),
        }
    }

    fn timed_out(&self) -> ControlError {
        ControlError::TimedOut { limit: self.limit.unwrap_or_default() }
    }
}

/// The one id of a connection with one message.
fn id() -> RequestId {
    RequestId::new("1").unwrap_or_else(|_| unreachable!("one character is an id"))
}

fn lost(error: io::Error) -> ControlError {
    ControlError::Lost { cause: error.to_string() }
}

fn broken(error: &DecodeError) -> ControlError {
    ControlError::Broken { problem: error.to_string(), requirement: error.requirement() }
}

fn broken_frame(error: &FrameError) -> ControlError {
    ControlError::Broken { problem: error.to_string(), requirement: error.requirement() }
}

/// Reads the result of an answer.
fn read_result<T: DeserializeOwned>(result: &RawValue, requirement: &'static str) -> Result<T, ControlError> {
    // The text has been scanned as part of its message, and these types hold no raw values.
    serde_json::from_str(result.get())
        .map_err(|error| ControlError::Broken { problem: format!("result: {error}"), requirement })
}

fn unreachable(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no control socket {shown}; is an arbiter running on that socket?")
        }
        io::ErrorKind::ConnectionRefused => {
            format!("nobody listens on {shown}: the file is left from an arbiter that is gone")
        }
        io::ErrorKind::PermissionDenied => format!(
            "no permission to connect to {shown}: only the arbiter's own user and root may control it (EXT-5)"
        ),
        _ => format!("cannot connect to {shown}: {error}"),
    }
}
