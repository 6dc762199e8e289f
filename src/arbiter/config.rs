//! What an arbiter needs to know to run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use super::access::SocketAccess;
use super::core::{AppAllocation, CoreConfig};
use crate::wire::Limits;

/// The configuration of one arbiter.
#[derive(Debug, Clone)]
pub struct ArbiterConfig {
    /// Where clients connect. The directory is created if it is missing: 0700, or 0710 for the socket's group.
    pub socket: PathBuf,
    /// Who may connect.
    pub access: SocketAccess,
    /// The pool's rules.
    pub pool: CoreConfig,
    /// What frames are accepted, from clients and from workers.
    pub limits: Limits,
    /// The program and arguments that start a worker (WORK-1).
    pub worker_command: Vec<OsString>,
    /// The Python file with hooks that workers are told of, by `DIRTY_HOOKS_FILE` (LIFE-19).
    /// [`CommandHooks::with_hooks_file`](super::CommandHooks::with_hooks_file) is for those that the arbiter runs.
    pub hooks_file: Option<PathBuf>,
    /// Client connections at a time; one more is refused with `DirtyOverloadedError` (SEC-6).
    pub max_connections: usize,
    /// Whose habits the arbiter follows where peers differ.
    pub compat: Compat,
    /// Bytes that may wait for one slow client before the slots that feed it pause (STREAM-10).
    pub client_buffer: usize,
    /// Whether the arbiter stops gracefully when the process that started it is gone (LIFE-17).
    pub die_with_parent: bool,
}

impl ArbiterConfig {
    /// A configuration with the default rules and no apps.
    pub fn new(socket: impl Into<PathBuf>, worker_command: Vec<OsString>) -> Self {
        ArbiterConfig {
            socket: socket.into(),
            access: SocketAccess::default(),
            pool: CoreConfig::default(),
            limits: Limits::default(),
            worker_command,
            hooks_file: None,
            max_connections: 4_096,
            compat: Compat::Strict,
            client_buffer: 256 * 1024,
            die_with_parent: false,
        }
    }
}

/// Whose habits the arbiter follows where the specification and its model differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compat {
    /// The specification's.
    #[default]
    Strict,
    /// gunicorn's: an unknown app is `DirtyNoWorkersAvailableError` (CALL-4), and NaN and Infinity literals are relayed
    /// (VAL-2).
    Gunicorn,
}

/// Why a text names no app.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid app {spec:?}: expected \"module:Class\" or \"module:Class:N\" with N workers, N at least 1")]
pub struct AppSpecError {
    /// The text.
    pub spec: String,
}

impl FromStr for AppAllocation {
    type Err = AppSpecError;

    /// Reads `module:Class` or `module:Class:N` (POOL-8).
    fn from_str(spec: &str) -> Result<Self, AppSpecError> {
        let invalid = || AppSpecError { spec: spec.to_owned() };
        let (app_path, workers) = match spec.rsplit_once(':') {
            Some((path, count)) if path.contains(':') && count.bytes().all(|b| b.is_ascii_digit()) => {
                (path, Some(count.parse().ok().filter(|count| *count > 0).ok_or_else(invalid)?))
            }
            _ => (spec, None),
        };
        match app_path.split_once(':') {
            Some((module, class)) if !module.is_empty() && !class.is_empty() => {
                Ok(AppAllocation { workers, ..AppAllocation::everywhere(app_path) })
            }
            _ => Err(invalid()),
        }
    }
}
