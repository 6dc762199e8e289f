//! A worker program as a subject, started under the worker contract (WORK-1 to WORK-5).

use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use super::notifications::Notifications;
use super::process::Process;
use super::{Running, SubjectError, private_directory};
use crate::check::transcript::Setup;
use crate::check::value::Value;

/// How long a worker may take to load its apps.
const START: Duration = Duration::from_secs(30);

/// How often it is to show that it is alive: seldom, since nobody looks.
const WATCHDOG: Duration = Duration::from_secs(600);

const EXPECTED: &str = "READY=1 on NOTIFY_SOCKET (WORK-2)";

/// Starts the worker and waits until it is ready.
pub(super) fn start(command: &[OsString], setup: &Setup) -> Result<Running, SubjectError> {
    let system = |action| move |source| SubjectError::System { action, source };
    let directory = private_directory()?;
    let socket = directory.path().join("w.sock");
    let notify_path = directory.path().join("notify");
    let notifications =
        Notifications::bind(&notify_path).map_err(system("make a socket for notifications"))?;
    let apps = Value::Array(setup.apps.iter().map(Value::string).collect());
    let Some((program, arguments)) = command.split_first() else {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "an empty command");
        return Err(SubjectError::Spawn { program: String::new(), source });
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("DIRTY_WORKER_SOCKET", &socket)
        .env("DIRTY_APPS", apps.to_string())
        .env("DIRTY_THREADS", setup.threads.to_string())
        .env("DIRTY_WORKER_ID", "1")
        .env("DIRTY_TIMEOUT", setup.timeout.as_secs_f64().to_string())
        .env("NOTIFY_SOCKET", &notify_path)
        .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
    let mut process = Process::start(command, directory, false)?;
    let deadline = Instant::now() + START;
    while !notifications.is_ready().map_err(system("wait for notifications"))? {
        if !process.is_alive() {
            return Err(process.ended(EXPECTED));
        }
        if Instant::now() >= deadline {
            return Err(process.slow(START, EXPECTED));
        }
    }
    notifications.drain().map_err(system("read notifications"))?;
    Ok(Running { socket, process: Some(process), _notifications: Some(notifications), relay: None })
}
