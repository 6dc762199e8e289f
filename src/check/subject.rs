//! Starting what is to be judged, and leaving nothing behind.

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::sabotage::{Relay, Saboteur};
use super::transcript::Setup;
use crate::message::Role;

mod arbiter;
mod notifications;
mod process;
mod worker;

pub(crate) use arbiter::without_settings;
use notifications::Notifications;
pub use process::exit_with_all;
pub(super) use process::{Process, remove_at_exit};

/// Where the subject comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It runs already and listens there.
    Socket(PathBuf),
    /// The `dirty` program at this path, as `dirty serve` or `dirty worker`.
    BuiltIn(PathBuf),
    /// A program: a worker, started under the worker contract, or an arbiter.
    Command(Vec<OsString>),
}

/// A subject that could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// Nobody listens there.
    #[error("nothing to judge at {}: {source}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The program could not be executed.
    #[error("failed to start {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended before it was ready.
    #[error("{program} ended before it was ready ({status}): expected {expected}{said}")]
    Ended {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// What it should have done.
        expected: &'static str,
        /// The last of what it wrote.
        said: String,
    },
    /// It did not become ready in time.
    #[error("{program} was not ready after {seconds} s: expected {expected}{said}")]
    Slow {
        /// The program.
        program: String,
        /// How long it was waited for.
        seconds: u64,
        /// What it should have done.
        expected: &'static str,
        /// The last of what it wrote.
        said: String,
    },
    /// It said something else than that it is ready.
    #[error("{program} wrote {line:?} on its standard output: expected {expected}{said}")]
    Odd {
        /// The program.
        program: String,
        /// What it wrote.
        line: String,
        /// What it should have written.
        expected: &'static str,
        /// The last of what it wrote on standard error.
        said: String,
    },
    /// The kit could not make what it needs: a directory, a socket, a pipe.
    #[error("failed to {action}: {source}")]
    System {
        /// What.
        action: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

/// A subject that is ready.
#[derive(Debug)]
pub struct Running {
    socket: PathBuf,
    process: Option<Process>,
    /// Read until the end of a worker.
    _notifications: Option<Notifications>,
    /// The saboteur before it, with the directory of its socket.
    relay: Option<(Relay, tempfile::TempDir)>,
}

impl Running {
    /// Where it listens.
    pub fn socket(&self) -> &Path {
        self.relay.as_ref().map_or(&self.socket, |(relay, _)| relay.socket())
    }

    /// Puts a saboteur before it, or with none a relay that changes nothing.
    ///
    /// # Errors
    /// [`SubjectError::System`] when the relay cannot be made.
    pub fn sabotage(&mut self, saboteur: Option<&Saboteur>, role: Role) -> Result<(), SubjectError> {
        let directory = private_directory()?;
        let failed = |source| SubjectError::System { action: "start a saboteur", source };
        let relay =
            Relay::start(saboteur, role, &directory.path().join("s.sock"), &self.socket).map_err(failed)?;
        self.relay = Some((relay, directory));
        Ok(())
    }

    /// Takes the saboteur away.
    pub fn stop_sabotage(&mut self) {
        self.relay = None;
    }

    /// Whether it is still there, as far as one can tell.
    pub fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_none_or(Process::is_alive)
    }

    /// The last of what it wrote on standard error, when the kit has started it.
    pub fn last_words(&self) -> String {
        self.process.as_ref().map(Process::last_words).unwrap_or_default()
    }
}

impl Source {
    /// Makes the subject ready: starts it as `setup` says, or sees that somebody listens.
    ///
    /// # Errors
    /// [`SubjectError`] with what was seen.
    pub fn start(&self, role: Role, setup: &Setup) -> Result<Running, SubjectError> {
        match (self, role) {
            (Source::Socket(path), _) => {
                let socket = path.clone();
                let failed = |source| SubjectError::Socket { path: path.clone(), source };
                UnixStream::connect(path).map_err(failed)?;
                Ok(Running { socket, process: None, _notifications: None, relay: None })
            }
            (Source::BuiltIn(program), Role::Worker) => {
                worker::start(&[program.clone().into(), "worker".into()], setup)
            }
            (Source::BuiltIn(program), _) => arbiter::start(program, setup),
            (Source::Command(command), Role::Worker) => worker::start(command, setup),
            (Source::Command(command), _) => arbiter::start_command(command, setup),
        }
    }

    /// What it is, for reports.
    pub fn describe(&self, role: Role) -> String {
        match self {
            Source::Socket(path) => format!("the {role} at {}", path.display()),
            Source::BuiltIn(_) => format!("the built-in {role}"),
            Source::Command(command) => {
                command.iter().map(|it| it.to_string_lossy()).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// A private directory for sockets, short enough that their paths fit into an address.
pub(super) fn private_directory() -> Result<tempfile::TempDir, SubjectError> {
    let failed = |source| SubjectError::System { action: "make a private directory", source };
    let mut place = std::env::temp_dir();
    // 108 bytes are all that a socket's address has; the arbiter's own sockets are a level deeper.
    if place.as_os_str().len() > 40 {
        place = PathBuf::from("/tmp");
    }
    tempfile::Builder::new().prefix("dirty-check-").tempdir_in(place).map_err(failed)
}
