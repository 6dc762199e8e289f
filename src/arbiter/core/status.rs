//! What the core tells of itself.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::state::{Place, WorkerState};
use super::types::{WorkerExit, WorkerId};
use super::{Core, Mode};
use crate::message::ErrorType;

/// A snapshot of the pool.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolStatus {
    /// Whether requests are taken.
    pub state: PoolState,
    /// How often the pool was reloaded.
    pub generation: u64,
    /// How many workers it is meant to have.
    pub target_workers: usize,
    /// Whether a reload is under way.
    pub reloading: bool,
    /// Requests that hold a slot or a place in a queue.
    pub open_requests: usize,
    /// The configured apps, in the order of the configuration.
    pub apps: Vec<AppStatus>,
    /// The worker processes, by number.
    pub workers: Vec<WorkerStatus>,
}

/// Whether requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolState {
    /// They are.
    Serving,
    /// What was accepted is finished (LIFE-1).
    Draining,
    /// What is left is killed (LIFE-2).
    Quitting,
}

/// One app.
#[derive(Debug, Clone, PartialEq)]
pub struct AppStatus {
    /// The app path that requests name.
    pub app_path: String,
    /// Whether it can be served.
    pub state: AppState,
    /// How many workers load it; `None` for all.
    pub configured_workers: Option<usize>,
    /// Workers that serve it now.
    pub ready_workers: usize,
    /// Requests in its queue.
    pub queued: usize,
    /// Requests on slots.
    pub running: usize,
    /// What happened since the start.
    pub counters: AppCounters,
    /// Time from acceptance to dispatch, of the requests that were dispatched.
    pub wait_time: Histogram,
    /// Time from dispatch to the terminal message, of the requests that got one from their worker.
    pub run_time: Histogram,
}

/// Whether an app can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppState {
    /// A worker that serves it is ready.
    Ready,
    /// None is, but one is on its way.
    Starting,
    /// Its workers fail to boot (POOL-5).
    Failed,
}

/// What happened to one app's requests since the arbiter's start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppCounters {
    /// Requests accepted.
    pub requests: u64,
    /// Plain calls that ended with a result.
    pub responses: u64,
    /// Streams that ended well.
    pub streams: u64,
    /// Error messages to clients, by their type.
    pub errors: BTreeMap<String, u64>,
    /// Requests ended by a limit (TIME-1, TIME-2, TIME-7).
    pub timeouts: u64,
    /// Requests that lost their worker (ERR-6).
    pub crashes: u64,
    /// Frames that arrived for requests that had ended, and were dropped (CORR-5, TIME-9).
    pub stale_frames: u64,
}

/// One worker process.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerStatus {
    /// Its number.
    pub id: WorkerId,
    /// How far it has come.
    pub state: WorkerStage,
    /// The reload that brought it; 0 for those of the start.
    pub generation: u64,
    /// The apps it serves.
    pub apps: Vec<String>,
    /// How many requests it can run at a time.
    pub slots: usize,
    /// How many it runs.
    pub busy: usize,
    /// Requests that it has ended.
    pub served: u64,
    /// Since it was started.
    pub age: Duration,
    /// How the worker before it in the same seat ended, and how long ago.
    pub last_exit: Option<LastExit>,
}

/// How far a worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerStage {
    /// Started, not READY (POOL-4).
    Booting,
    /// Takes requests.
    Ready,
    /// Takes no more requests.
    Draining,
}

/// The end of a worker's predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastExit {
    /// The worker that ended.
    pub worker: WorkerId,
    /// How.
    pub exit: WorkerExit,
    /// How long ago.
    pub ago: Duration,
}

/// How often a time fell into each of a fixed row of ranges.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    counts: [u64; Histogram::BOUNDS.len() + 1],
    sum: Duration,
}

impl Histogram {
    /// The upper ends of the ranges, in seconds, each included in its range. The last range has none.
    pub const BOUNDS: [f64; 14] =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0];

    /// Counts a time.
    pub(super) fn record(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let range = Self::BOUNDS.partition_point(|bound| *bound < seconds);
        self.counts[range] += 1;
        self.sum += time;
    }

    /// How many times fell into each range; one more than there are [bounds](Self::BOUNDS).
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// All times together.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

impl AppCounters {
    /// Counts an error by its type; names that are not registered count as `DirtyError`, which is what they are read as.
    pub(super) fn count_error(&mut self, error_type: ErrorType) {
        *self.errors.entry(error_type.known().as_str().to_owned()).or_default() += 1;
    }
}

impl<F> Core<F> {
    /// A snapshot of the pool, for people and monitoring.
    pub fn status(&self, now: Instant) -> PoolStatus {
        PoolStatus {
            state: match self.mode {
                Mode::Serving => PoolState::Serving,
                Mode::Draining => PoolState::Draining,
                Mode::Quitting | Mode::Finished => PoolState::Quitting,
            },
            generation: self.generation,
            target_workers: self.config.workers,
            reloading: self.reload.is_some(),
            open_requests: self.requests.len(),
            apps: (0..self.apps.len())
                .filter(|app| self.apps[*app].configured)
                .map(|app| self.app_status(app))
                .collect(),
            workers: self.workers.keys().filter_map(|id| self.worker_status(*id, now)).collect(),
        }
    }

    fn app_status(&self, index: usize) -> AppStatus {
        let app = &self.apps[index];
        let running = |place: &Place<F>| matches!(place, Place::Running { .. });
        let ready =
            self.workers.values().filter(|worker| worker.is_available() && worker.serves(index)).count();
        AppStatus {
            app_path: app.app_path.clone(),
            state: match ready {
                0 if self.has_failed(index) => AppState::Failed,
                0 => AppState::Starting,
                _ => AppState::Ready,
            },
            configured_workers: app.workers,
            ready_workers: ready,
            queued: app.queue.len(),
            running: self.requests.values().filter(|r| r.app == index && running(&r.place)).count(),
            counters: app.statistics.counters.clone(),
            wait_time: app.statistics.wait_times.clone(),
            run_time: app.statistics.run_times.clone(),
        }
    }

    fn worker_status(&self, id: WorkerId, now: Instant) -> Option<WorkerStatus> {
        let worker = self.workers.get(&id)?;
        let last_exit = worker.seat.and_then(|seat| self.seats.get(seat)?.last_exit);
        let path = |app: &usize| self.apps[*app].app_path.clone();
        Some(WorkerStatus {
            id,
            state: match worker.state {
                WorkerState::Booting => WorkerStage::Booting,
                WorkerState::Ready => WorkerStage::Ready,
                WorkerState::Draining => WorkerStage::Draining,
            },
            generation: worker.generation,
            apps: worker.apps.iter().map(path).collect(),
            slots: worker.slots.len(),
            busy: worker.busy(),
            served: worker.served,
            age: now.saturating_duration_since(worker.started),
            last_exit: last_exit.map(|(worker, exit, at)| LastExit {
                worker,
                exit,
                ago: now.saturating_duration_since(at),
            }),
        })
    }
}
