//! The state of an arbiter and its pool, as it is told on the control socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use super::schema::OrNull;
#[cfg(feature = "schema")]
use crate::message::AppPath;

/// The state of an arbiter and its pool at the moment of the answer (EXT-8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PoolStatus {
    /// The arbiter process.
    pub arbiter: ArbiterStatus,
    /// The configured apps, in the order of the configuration.
    pub apps: Vec<AppStatus>,
    /// The worker processes, in the order of their ids.
    pub workers: Vec<WorkerStatus>,
}

/// The arbiter process (EXT-8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ArbiterStatus {
    /// Its process id.
    #[cfg_attr(feature = "schema", schemars(extend("maximum" = u32::MAX)))]
    pub pid: u32,
    /// The version of the program.
    pub version: String,
    /// The path of the call socket, as the arbiter was given it; `None` if it is no Unicode text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub socket: Option<String>,
    /// How long it has run, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub uptime: f64,
    /// Whether it takes requests.
    pub state: PoolState,
    /// How often its workers were reloaded since its start.
    pub generation: u64,
    /// Whether a reload is under way.
    pub reloading: bool,
    /// How many worker processes the pool is meant to have.
    pub target_workers: u64,
    /// How many clients are connected to the call socket.
    pub connections: u64,
    /// The names of the extensions that it supports (EXT-4).
    pub features: Vec<String>,
}

/// Whether the arbiter takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PoolState {
    /// It does.
    Serving,
    /// It finishes those that it has accepted (LIFE-1).
    Draining,
    /// It kills what is left (LIFE-2).
    Quitting,
}

/// One configured app (EXT-8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppStatus {
    /// The name that requests call it by.
    #[cfg_attr(feature = "schema", schemars(with = "AppPath"))]
    pub app_path: String,
    /// Whether it can be served.
    pub state: AppState,
    /// How many workers load it by configuration; `None` for all of them (POOL-8).
    #[cfg_attr(feature = "schema", schemars(with = "OrNull<u64>"))]
    pub workers: Option<u64>,
    /// How many workers serve it now.
    pub ready_workers: u64,
    /// How many of its requests wait for a slot.
    pub queued: u64,
    /// How many of its requests hold a slot.
    pub running: u64,
    /// What became of its requests since the start of the arbiter.
    pub counters: AppCounters,
    /// How long its requests waited from their acceptance to their dispatch; those that were dispatched.
    pub wait_time: Histogram,
    /// How long its requests took from their dispatch to their terminal message; those whose worker sent one.
    pub run_time: Histogram,
}

/// Whether an app can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AppState {
    /// A worker that serves it is ready.
    Ready,
    /// None is, but one is on its way.
    Starting,
    /// Its workers fail to boot (POOL-5).
    Failed,
}

/// How often what happened to the requests of one app since the start of the arbiter (EXT-8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppCounters {
    /// Requests that were accepted.
    pub requests: u64,
    /// Plain calls that ended with a result.
    pub responses: u64,
    /// Streams that came to their end.
    pub streams: u64,
    /// Error messages to clients, by error type.
    pub errors: BTreeMap<String, u64>,
    /// Requests that a limit ended (TIME-1, TIME-2, TIME-7).
    pub timeouts: u64,
    /// Requests that lost their worker (ERR-6).
    pub crashes: u64,
    /// Frames of workers that belonged to no request in flight and were dropped (CORR-5).
    pub stale_frames: u64,
}

/// How often a time fell into each of a row of ranges (EXT-8).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Histogram {
    /// The upper ends of the ranges, in seconds, ascending, each included in its range. The last range has none.
    #[cfg_attr(feature = "schema", schemars(inner(range(min = 0))))]
    pub bounds: Vec<f64>,
    /// How many times fell into each range; one number more than there are bounds.
    pub counts: Vec<u64>,
    /// All times together, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub sum: f64,
}

impl Histogram {
    /// The mean of all times, in seconds; `None` when there are none.
    pub fn mean(&self) -> Option<f64> {
        let count: u64 = self.counts.iter().sum();
        // Counts beyond 2^53 lose nothing that a mean would show.
        (count > 0).then(|| self.sum / count as f64)
    }
}

/// One worker process (EXT-8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerStatus {
    /// Its number, never used again by this arbiter; the `worker_id` of error details.
    pub id: u64,
    /// Its process id; `None` while it is being started.
    #[cfg_attr(feature = "schema", schemars(with = "OrNull<super::schema::ProcessId>"))]
    pub pid: Option<u32>,
    /// How far it has come.
    pub state: WorkerState,
    /// The reload that brought it; 0 for the workers of the start.
    pub generation: u64,
    /// The apps that it serves.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<AppPath>"))]
    pub apps: Vec<String>,
    /// How many requests it can run at a time.
    pub slots: u64,
    /// How many requests it runs.
    pub busy: u64,
    /// How many requests it has ended.
    pub served: u64,
    /// How long ago it was started, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub age: f64,
    /// How the worker before it in the same place ended; `None` if there was none.
    #[cfg_attr(feature = "schema", schemars(with = "OrNull<WorkerExit>"))]
    pub last_exit: Option<WorkerExit>,
}

/// How far a worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WorkerState {
    /// Started, not READY (POOL-4).
    Booting,
    /// Takes requests.
    Ready,
    /// Takes no more requests.
    Draining,
}

/// How a worker process ended: with an exit status, by a signal, or in a way that could not be observed (EXT-8).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkerExit {
    /// The number of the worker that ended.
    pub worker_id: u64,
    /// Its exit status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u8"))]
    pub exit_code: Option<u8>,
    /// The number of the signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "u8"))]
    pub signal: Option<u8>,
    /// How long ago, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 0)))]
    pub ago: f64,
}
