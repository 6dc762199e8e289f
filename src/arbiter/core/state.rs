//! What the core remembers of clients, requests, apps, workers and slots.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::config::OnDisconnect;
use super::deadlines::Timer;
use super::failing::Failing;
use super::status::{AppCounters, Histogram};
use super::types::{ConnId, SlotId, Target, WorkerExit, WorkerId};

/// A request that the core answers for; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RequestKey(pub u64);

/// A client's connection.
#[derive(Debug, Default, Clone)]
pub(super) struct Conn {
    /// Requests without a terminal message, by their id (CORR-6, CORR-7).
    pub in_flight: BTreeMap<String, RequestKey>,
    /// The client does not read: its requests wait, so that no worker fills a buffer that nobody empties.
    pub congested: bool,
    /// The client sends nothing more; close once `in_flight` is empty (CALL-10).
    pub half_closed: bool,
}

/// An accepted request, until its slot is free again.
#[derive(Debug, Clone)]
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
    /// The arbiter has ended it, or would have if its client were there: its worker's output prolongs nothing.
    pub ended: bool,
}

/// Where a request is.
#[derive(Debug, Clone)]
pub(super) enum Place<F> {
    /// In its app's queue, with the frame to send.
    Queued(F),
    /// On a slot; `streaming` after its first chunk.
    Running { slot: SlotId, streaming: bool, started: Instant },
}

/// An app that is configured, or was before a reload.
#[derive(Debug, Clone)]
pub(super) struct App {
    pub app_path: String,
    /// Requests for it are accepted. After a reload without it, those that were accepted before still run.
    pub configured: bool,
    /// How many workers load it; `None` for all, or as many as its class says.
    pub workers: Option<usize>,
    pub on_disconnect: OnDisconnect,
    /// First in, first out (POOL-2).
    pub queue: VecDeque<RequestKey>,
    /// When it was last served, as a dispatch number: the longest unserved app goes first.
    pub last_served: u64,
    pub statistics: Statistics,
}

/// What is known of an app's past. It decides nothing but the advice of `retry_after`, so it is no part of the state that
/// two cores are compared by.
#[derive(Clone, Default)]
pub(super) struct Statistics {
    pub counters: AppCounters,
    pub wait_times: Histogram,
    pub run_times: Histogram,
    /// Moving average of the run time.
    pub run_time: Duration,
}

impl std::fmt::Debug for Statistics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

/// A place in the pool: which apps, and the worker that serves them now.
#[derive(Debug, Clone, Default)]
pub(super) struct Seat {
    pub apps: SeatApps,
    /// The worker that holds the seat.
    pub worker: Option<WorkerId>,
    /// The worker that boots beside it to take its place (POOL-9).
    pub replacement: Option<WorkerId>,
    /// Its replacement failed to boot: the worker stays until the plan changes again.
    pub kept: bool,
    /// Its worker had nothing to serve, since every class is content with fewer workers: nobody takes the seat until the
    /// plan changes.
    pub vacant: bool,
    /// How the last worker that held the seat ended.
    pub last_exit: Option<(WorkerId, WorkerExit, Instant)>,
    /// Boot failures in a row that no app was named for.
    pub failures: u32,
    /// Too many of them: tried slowly, and no reason for a request to wait (POOL-5).
    pub failed: bool,
    /// Apps with which its workers have failed to boot (POOL-15).
    pub failing: BTreeMap<usize, Failing>,
}

/// What a worker of a seat is to load, by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SeatApps {
    pub all: Vec<usize>,
    /// Those that the configuration gives to this seat; of the others their class may say how many workers load them.
    pub fixed: Vec<usize>,
}

/// A worker process.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    /// The seat that it holds or is to take; `None` when it has lost it, or not been given one.
    pub seat: Option<usize>,
    /// What it was told to load.
    pub loads: SeatApps,
    /// What it serves: all that it loads, unless it said otherwise (WORK-14).
    pub apps: Vec<usize>,
    /// The app that it is about to load or initialise, while it boots (WORK-17).
    pub loading: Option<usize>,
    /// The configuration that it was started with.
    pub generation: u64,
    /// The slots that it was told to have.
    pub threads: u32,
    /// How long it may take to say READY.
    pub boot_timeout: Option<Duration>,
    pub started: Instant,
    /// When it said READY.
    pub ready: Instant,
    /// Requests that were dispatched to it, and those of them that it ended.
    pub dispatched: u64,
    pub served: u64,
    /// A frame of its was dropped, and that was logged: a stream of them is one line, until its next request.
    pub stale_noted: bool,
    /// How long it may be silent, and when it was last heard of (WORK-10).
    pub watchdog: Option<Duration>,
    pub alive: Instant,
    /// It is to go as soon as every app of its can be served without it (POOL-10).
    pub retiring: bool,
    pub state: WorkerState,
    pub slots: Vec<Slot>,
    /// Something already decided its end; another signal would be noise.
    pub doomed: Option<Doom>,
    /// It was told to die at once, and will be made to.
    pub aborted: bool,
    /// It failed right after its READY, with nothing done: that is no better than a failed boot (POOL-14).
    pub stillborn: bool,
}

/// A worker that fails so soon after its READY, with nothing done, counts as one that failed to boot (POOL-14).
const NEWBORN: Duration = Duration::from_secs(1);

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

impl Seat {
    /// What went wrong or was not needed under an earlier plan says nothing about this one.
    pub fn begin_anew(&mut self) {
        (self.kept, self.vacant, self.failed) = (false, false, false);
        self.failures = 0;
        self.failing.clear();
    }
}

impl Worker {
    /// Whether requests can reach it.
    pub fn is_available(&self) -> bool {
        let open = |slot: &Slot| matches!(slot, Slot::Idle { .. } | Slot::Busy(_));
        self.state == WorkerState::Ready && self.slots.iter().any(open)
    }

    /// Whether it has been ready for a moment only, and was given nothing to do.
    pub fn is_newborn(&self, now: Instant) -> bool {
        self.state != WorkerState::Booting && self.dispatched == 0 && now < self.ready + NEWBORN
    }

    pub fn serves(&self, app: usize) -> bool {
        self.apps.contains(&app)
    }

    pub fn busy(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot, Slot::Busy(_))).count()
    }
}

/// What names an app and an action in an error.
pub(super) fn target<F>(apps: &[App], request: &Request<F>) -> Target {
    Target { app_path: apps[request.app].app_path.clone(), action: request.action.clone() }
}
