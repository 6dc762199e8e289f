//! Code of the operator's own at four points in the life of the arbiter and its workers (LIFE-7).

mod command;
mod gate;
mod runner;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use command::CommandHooks;
pub(super) use gate::gated;
pub(super) use runner::{HookRunner, Pending};

use super::core::{WorkerExit, WorkerId};

/// Why a hook failed: anything that has a text. `?` works on every error, and `Err("no such volume".into())` on plain
/// words.
pub type HookResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The points in the life of an arbiter at which code of the operator's own can run (LIFE-7).
///
/// Hooks run one at a time, in the order in which they came due, on a thread of their own: calls are served meanwhile,
/// but every other hook waits, and so does every worker whose start waits for one (LIFE-13).
///
/// ```no_run
/// use dirty_arbiter::arbiter::{Arbiter, ArbiterConfig, ArbiterInfo, HookResult, Hooks, WorkerInfo};
///
/// struct Announce;
///
/// impl Hooks for Announce {
///     fn dirty_post_fork(&self, _: &ArbiterInfo, worker: &WorkerInfo) -> HookResult {
///         println!("dirty worker {} started", worker.pid);
///         Ok(())
///     }
/// }
///
/// # async fn serve(config: ArbiterConfig) -> Result<(), Box<dyn std::error::Error>> {
/// Arbiter::bind(config)?.with_hooks(Announce).run().await?;
/// # Ok(())
/// # }
/// ```
pub trait Hooks: Send + Sync + 'static {
    /// Before the first worker is started.
    ///
    /// # Errors
    /// The arbiter does not start (LIFE-14).
    fn on_dirty_starting(&self, arbiter: &ArbiterInfo) -> HookResult {
        let _ = arbiter;
        Ok(())
    }

    /// A worker process exists, no app is instantiated: the process waits, as `/bin/sh`, for the hook to end before it
    /// executes the worker's command.
    ///
    /// # Errors
    /// The worker is killed; that counts as a failure to boot (LIFE-14).
    fn dirty_post_fork(&self, arbiter: &ArbiterInfo, worker: &WorkerInfo) -> HookResult {
        let _ = (arbiter, worker);
        Ok(())
    }

    /// Every app of a worker is initialised and it is ready to serve, but no request has been sent to it.
    ///
    /// # Errors
    /// The worker is killed; that counts as a failure to boot (LIFE-14).
    fn dirty_worker_init(&self, worker: &WorkerInfo) -> HookResult {
        let _ = worker;
        Ok(())
    }

    /// A worker process has ended, however it ended. An arbiter that stops waits for the hooks that are due.
    ///
    /// # Errors
    /// The failure is logged (LIFE-14).
    fn dirty_worker_exit(&self, arbiter: &ArbiterInfo, worker: &WorkerInfo) -> HookResult {
        let _ = (arbiter, worker);
        Ok(())
    }

    /// Whether a hook does anything. One that does not is not run, and no worker waits for it.
    fn uses(&self, hook: Hook) -> bool {
        let _ = hook;
        true
    }

    /// The arbiter has been told to wait no longer. Called from another thread than the hooks: one that is waiting for
    /// something should give up.
    fn abort(&self) {}
}

/// The names of the hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    /// [`Hooks::on_dirty_starting`]
    OnDirtyStarting,
    /// [`Hooks::dirty_post_fork`]
    DirtyPostFork,
    /// [`Hooks::dirty_worker_init`]
    DirtyWorkerInit,
    /// [`Hooks::dirty_worker_exit`]
    DirtyWorkerExit,
}

impl Hook {
    /// Its name in configuration files, in logs and in `DIRTY_HOOK`.
    pub fn name(self) -> &'static str {
        match self {
            Hook::OnDirtyStarting => "on_dirty_starting",
            Hook::DirtyPostFork => "dirty_post_fork",
            Hook::DirtyWorkerInit => "dirty_worker_init",
            Hook::DirtyWorkerExit => "dirty_worker_exit",
        }
    }
}

impl std::fmt::Display for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The arbiter, as its hooks see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArbiterInfo {
    /// Its process.
    pub pid: u32,
    /// Where clients connect.
    pub socket: PathBuf,
    /// The version of this crate.
    pub version: &'static str,
}

/// A worker, as its hooks see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its number, `DIRTY_WORKER_ID`.
    pub id: WorkerId,
    /// Its process. After the process has ended the number may belong to another.
    pub pid: u32,
    /// The apps it loads.
    pub apps: Vec<String>,
    /// Its place in the pool, from 0: a replacement has the same.
    pub seat: usize,
    /// How it ended, once it has.
    pub exit: Option<WorkerExit>,
}
