//! An arbiter as a subject: the built-in one, or a program.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::process::Process;
use super::{Running, SubjectError, private_directory};
use crate::check::transcript::Setup;
use crate::check::value::Value;

/// How long an arbiter may take to listen.
const START: Duration = Duration::from_secs(20);

const EXPECTED: &str = "a line \"listening on PATH\" on standard output";

/// Starts a program that is told by its environment what to be, and waits until it says that it listens.
///
/// `DIRTY_SOCKET` is the path of the socket; `DIRTY_APPS`, a JSON array, `DIRTY_WORKERS`, `DIRTY_THREADS` and
/// `DIRTY_TIMEOUT`, in seconds, are the setup of the transcript.
pub(super) fn start_command(command: &[OsString], setup: &Setup) -> Result<Running, SubjectError> {
    let directory = private_directory()?;
    let socket = directory.path().join("d.sock");
    let Some((program, arguments)) = command.split_first() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "an empty command");
        return Err(SubjectError::Spawn { program: String::new(), source });
    };
    let apps = Value::Array(setup.apps.iter().map(Value::string).collect());
    let mut command = Command::new(program);
    without_settings(&mut command);
    command
        .args(arguments)
        .env("DIRTY_SOCKET", &socket)
        .env("DIRTY_APPS", apps.to_string())
        .env("DIRTY_WORKERS", setup.workers.to_string())
        .env("DIRTY_THREADS", setup.threads.to_string())
        .env("DIRTY_TIMEOUT", setup.timeout.as_secs_f64().to_string());
    listening(Process::start(command, directory, true)?, socket)
}

/// Starts `program serve` as `setup` says, and waits until it listens.
pub(super) fn start(program: &Path, setup: &Setup) -> Result<Running, SubjectError> {
    let directory = private_directory()?;
    let socket = directory.path().join("d.sock");
    let mut command = Command::new(program);
    command.arg("serve").arg("--socket").arg(&socket);
    command.args(["--workers", &setup.workers.to_string(), "--threads", &setup.threads.to_string()]);
    command.args(["--timeout", &setup.timeout.as_secs_f64().to_string()]);
    for app in &setup.apps {
        command.args(["--app", app]);
    }
    // What is judged is the arbiter, not the environment of whoever judges it.
    without_settings(&mut command);
    listening(Process::start(command, directory, true)?, socket)
}

fn listening(mut process: Process, socket: PathBuf) -> Result<Running, SubjectError> {
    let deadline = Instant::now() + START;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let Some(stdout) = &mut process.stdout else { return Err(process.ended(EXPECTED)) };
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::MAX);
        let ready = poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], timeout);
        if matches!(ready, Ok(0)) {
            return Err(process.slow(START, EXPECTED));
        }
        let mut byte = [0];
        match stdout.read(&mut byte) {
            Ok(1) => line.push(byte[0]),
            Ok(_) => return Err(process.ended(EXPECTED)),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(SubjectError::System { action: "read its output", source }),
        }
    }
    if !line.starts_with(b"listening on ") {
        return Err(process.odd(String::from_utf8_lossy(line.trim_ascii_end()).into_owned(), EXPECTED));
    }
    Ok(Running { socket, process: Some(process), _notifications: None, relay: None })
}

/// Hides the settings of this process's environment from a program.
pub(crate) fn without_settings(command: &mut Command) {
    let names = std::env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(b"DIRTY_")) {
        command.env_remove(name);
    }
    command.env_remove("GUNICORN_DIRTY_SOCKET");
}
