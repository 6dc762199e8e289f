//! What the core needs to know of the configuration.

use std::time::Duration;

/// One app and how many workers load it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppAllocation {
    /// The app path that requests name.
    pub app_path: String,
    /// How many workers load it; `None` for all, or for as many as its class says (POOL-8).
    pub workers: Option<usize>,
    /// What becomes of its requests when their client leaves.
    pub on_disconnect: OnDisconnect,
}

impl AppAllocation {
    /// An app that every worker loads, with the default rules.
    pub fn everywhere(app_path: impl Into<String>) -> Self {
        AppAllocation { app_path: app_path.into(), workers: None, on_disconnect: OnDisconnect::default() }
    }
}

/// What becomes of a request whose client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDisconnect {
    /// It runs to its end, and what comes of it is discarded (POOL-11).
    #[default]
    Finish,
    /// Its worker is told to end it (POOL-12).
    Cancel,
}

/// The pool's rules. A duration of zero means no limit (TIME-6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreConfig {
    /// The apps that are served.
    pub apps: Vec<AppAllocation>,
    /// How many worker processes.
    pub workers: usize,
    /// Slots per worker (POOL-13).
    pub threads: u32,
    /// Limit of a unary call, and of each gap in a stream (TIME-1).
    pub timeout: Duration,
    /// Limit of a request's wait in the queue (TIME-7).
    pub queue_timeout: Duration,
    /// Limit of a worker's start, up to READY (TIME-8).
    pub boot_timeout: Duration,
    /// How long a worker may take to honour `cancel` before it is aborted (TIME-5).
    pub cancel_grace: Duration,
    /// How long a drain may take (LIFE-1).
    pub graceful_timeout: Duration,
    /// How long a worker may show no sign of life before it counts as hung (WORK-10).
    pub watchdog: Duration,
    /// Requests that may wait per app (POOL-3).
    pub queue: usize,
}

impl CoreConfig {
    /// The most worker processes that a pool has.
    pub const MAX_WORKERS: usize = 1_024;
}

impl Default for CoreConfig {
    fn default() -> Self {
        CoreConfig {
            apps: Vec::new(),
            workers: 2,
            threads: 1,
            timeout: Duration::from_secs(300),
            queue_timeout: Duration::from_secs(300),
            boot_timeout: Duration::from_secs(300),
            cancel_grace: Duration::from_secs(5),
            graceful_timeout: Duration::from_secs(30),
            watchdog: Duration::from_secs(30),
            queue: 1_000,
        }
    }
}
