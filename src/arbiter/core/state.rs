//! What the core remembers of clients, requests, apps, workers and slots.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::deadlines::Timer;
use super::types::{ConnId, SlotId, Target, WorkerId};

/// A request that the core answers for; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RequestKey(pub u64);

/// A client's connection.
#[derive(Debug, Default)]
pub(super) struct Conn {
    /// Requests without a terminal message, by their id (CORR-6, CORR-7).
    pub in_flight: HashMap<String, RequestKey>,
    /// The client does not read: its requests wait, so that no worker fills a buffer that nobody empties.
    pub congested: bool,
    /// The client sends nothing more; close once `in_flight` is empty (CALL-10).
    pub half_closed: bool,
}

/// An accepted request, until its slot is free again.
#[derive(Debug)]
pub(super) struct Request<F> {
    /// Who waits for it; `None` once it has its terminal message or is gone. What still arrives is discarded.
    pub waiter: Option<ConnId>,
    pub id: String,
    pub app: usize,
    pub action: String,
    pub accepted: Instant,
    /// The request's own limit (TIME-2).
    pub timeout: Option<Duration>,
    pub place: Place<F>,
    /// The entry in the timer queue, so that it can be taken out.
    pub timer: Option<(Instant, Timer)>,
    /// When the limit really passes, and how long it is: a chunk moves this, and the timer follows when it fires.
    pub due: Option<(Instant, Duration)>,
    /// Its limit has passed: nothing waits for it any more but its slot.
    pub expired: bool,
}

/// Where a request is.
#[derive(Debug)]
pub(super) enum Place<F> {
    /// In its app's queue, with the frame to send.
    Queued(F),
    /// On a slot; `streaming` after its first chunk.
    Running { slot: SlotId, streaming: bool, started: Instant },
}

/// A configured app.
#[derive(Debug)]
pub(super) struct App {
    pub app_path: String,
    /// First in, first out (POOL-2).
    pub queue: VecDeque<RequestKey>,
    /// When it was last served, as a dispatch number: the longest unserved app goes first.
    pub last_served: u64,
    /// Moving average of the run time, for `retry_after`.
    pub run_time: Duration,
}

/// A place in the pool: which apps, and the worker that serves them now.
#[derive(Debug)]
pub(super) struct Seat {
    pub apps: Vec<usize>,
    pub worker: Option<WorkerId>,
    /// Recent boot failures, oldest first.
    pub failures: VecDeque<Instant>,
    /// Too many of them: tried slowly, and no reason for a request to wait (POOL-5).
    pub failed: bool,
}

/// A worker process.
#[derive(Debug)]
pub(super) struct Worker {
    pub seat: usize,
    pub state: WorkerState,
    pub slots: Vec<Slot>,
    /// Something already decided its end; another signal would be noise.
    pub doomed: Option<Doom>,
}

/// How far a worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerState {
    /// Started, not READY (POOL-4).
    Booting,
    /// Takes requests.
    Ready,
    /// Takes no more requests.
    Draining,
}

/// Why a worker is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    /// A request outlived its cancel grace: abort once nothing else runs there (TIME-5).
    AbortWhenAlone,
    /// It broke the protocol or lost a slot: terminate once nothing else runs there.
    TerminateWhenAlone,
    /// Told to end.
    Signalled,
}

/// One slot's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Not connected yet.
    Opening,
    /// Free since the given dispatch number.
    Idle { since: u64 },
    /// Carries a request (POOL-1).
    Busy(RequestKey),
    /// The connection is gone; the request, if any, waits to learn how its worker died.
    Lost(Option<RequestKey>),
}

impl Worker {
    pub fn busy(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot, Slot::Busy(_))).count()
    }
}

/// What names an app and an action in an error.
pub(super) fn target<F>(apps: &[App], request: &Request<F>) -> Target {
    Target { app_path: apps[request.app].app_path.clone(), action: request.action.clone() }
}
