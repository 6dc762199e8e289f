//! The commands that are run at points of the life cycle.

use std::time::Duration;

/// The commands that are run at points of the life cycle (LIFE-7). Shell commands; `None` for no hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HookCommands {
    /// Before the first worker is started.
    pub on_dirty_starting: Option<String>,
    /// A worker process exists.
    pub dirty_post_fork: Option<String>,
    /// Every `init()` of a worker has returned.
    pub dirty_worker_init: Option<String>,
    /// A worker process has ended.
    pub dirty_worker_exit: Option<String>,
    /// How long a hook may take; zero for no limit.
    pub timeout: Duration,
}
