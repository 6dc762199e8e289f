//! The core's notes as log lines.

use super::core::{Note, WorkerExit};

pub(super) fn note(note: &Note) {
    match note {
        Note::StaleFrame { slot, id } => {
            tracing::warn!(%slot, id, "dropped a worker's frame that belongs to no request in flight (CORR-5)");
        }
        Note::Violation { slot, violation } => {
            tracing::error!(%slot, requirement = violation.requirement, "worker broke the protocol: {}", violation.what);
        }
        Note::WorkerExited { worker, exit, expected: true } => {
            tracing::info!(%worker, "worker ended: {exit}")
        }
        Note::WorkerExited { worker, exit, expected: false } => {
            tracing::error!(%worker, "worker died: {exit}")
        }
        Note::BootFailed { worker, exit, app: None, retry_in, failed } => tracing::error!(
            %worker,
            failed,
            "worker failed to boot: {exit}; next try in {:.1} s",
            retry_in.as_secs_f64()
        ),
        Note::BootFailed { worker, exit, app: Some(app), retry_in, failed } => tracing::error!(
            %worker,
            app,
            failed,
            "worker failed to boot at app \"{app}\": {exit}; next try of this app in {:.1} s, meanwhile others go on without it (POOL-15)",
            retry_in.as_secs_f64()
        ),
        Note::Aborting { worker } => {
            tracing::error!(%worker, "aborting a worker: a request outlived its limit and the cancel grace (TIME-5)");
        }
        Note::Hung { worker, silent } => tracing::error!(
            %worker,
            "aborting a worker: it has shown no sign of life for {} s (WORK-10)",
            silent.as_secs_f64()
        ),
        Note::ReplacementFailed { worker, exit, app } => {
            let at = app.as_ref().map(|app| format!(" at app \"{app}\"")).unwrap_or_default();
            tracing::error!(%worker, app, "a new worker failed to boot{at}: {exit}; the old one stays (POOL-9)");
        }
        Note::Scaled { from, to } => tracing::info!(from, to, "the pool changes its number of workers"),
        Note::WorkerReady(worker) => tracing::info!(%worker, "worker is ready"),
    }
}

impl std::fmt::Display for WorkerExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WorkerExit::Code(code) => write!(f, "exit code {code}"),
            WorkerExit::Signal(signal) => match nix::sys::signal::Signal::try_from(*signal) {
                Ok(name) => write!(f, "signal {name}"),
                Err(_) => write!(f, "signal {signal}"),
            },
            WorkerExit::Unknown => f.write_str("unknown"),
        }
    }
}
