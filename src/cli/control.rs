//! What the commands that speak to the control socket have in common.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::call::exit_of;
use super::exit::Exit;
use crate::control::{ControlClient, ControlError, ManageResult, Operation};
use crate::discovery::{DiscoveryError, socket_path};

/// How long an answer may take that comes at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which arbiter is spoken to, and how long.
#[derive(Args)]
pub(super) struct ControlArgs {
    /// The arbiter's call socket, beside which its control socket lies. Without it: DIRTY_SOCKET, GUNICORN_DIRTY_SOCKET, or
    /// $XDG_RUNTIME_DIR/dirty/arbiter.sock.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// How long to wait for the answer, in seconds; 0 for ever. Without it: 10 seconds; for ever where --wait is given.
    #[arg(long, value_name = "SECONDS", value_parser = super::call::seconds)]
    timeout: Option<Duration>,
}

/// Why a command has nothing to show.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The arbiter says no.
    #[error("{0}")]
    Refused(String),
    #[error("failed to write the output: {0}")]
    Output(io::Error),
}

impl ControlArgs {
    /// The client of that arbiter.
    pub(super) fn client(&self, waits: bool) -> Result<ControlClient, Failure> {
        let client = ControlClient::new(socket_path(self.socket.as_deref())?);
        Ok(match self.timeout {
            Some(Duration::ZERO) => client,
            Some(limit) => client.limit(limit),
            None if waits => client,
            None => client.limit(PATIENCE),
        })
    }

    /// Has the pool changed.
    pub(super) fn manage(
        &self,
        op: Operation,
        count: Option<u32>,
        wait: bool,
    ) -> Result<ManageResult, Failure> {
        let result = self.client(wait)?.manage(op, count, wait)?;
        if result.success {
            return Ok(result);
        }
        Err(Failure::Refused(result.reason.unwrap_or_else(|| format!("the arbiter refused to {op}"))))
    }
}

/// Prints a text to stdout.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(Failure::Output)
}

/// Reports how the command ended.
pub(super) fn finish(command: &str, result: Result<(), Failure>) -> ExitCode {
    let failure = match result {
        Ok(()) => return Exit::Ok.into(),
        // Whoever reads has had enough, as `head` does: nothing is wrong.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::Ok.into(),
        Err(failure) => failure,
    };
    eprintln!("{command}: {failure}");
    let exit = match failure {
        Failure::Discovery(_) => Exit::Usage,
        Failure::Control(ControlError::Unreachable { .. } | ControlError::Lost { .. }) => Exit::Unreachable,
        Failure::Control(ControlError::TimedOut { .. }) => Exit::Timeout,
        Failure::Control(ControlError::Refused(error)) => exit_of(&error),
        Failure::Control(ControlError::Broken { .. }) | Failure::Refused(_) | Failure::Output(_) => {
            Exit::Failed
        }
    };
    exit.into()
}

/// What is wanted and what there is: "2 workers wanted, 1 process".
pub(super) fn pool_size(target_workers: u64, processes: u64) -> String {
    let plural = |count, one, many| if count == 1 { format!("1 {one}") } else { format!("{count} {many}") };
    let target = plural(target_workers, "worker", "workers");
    format!("{target} wanted, {}", plural(processes, "process", "processes"))
}
