//! The arbiter as a pure state machine: events in, actions out, time passed in.
//!
//! [`Core::on`] takes one [`Event`] and appends the [`Action`]s that follow from it. The core owns no socket, no
//! process and no clock, so every promise of the specification about dispatch, deadlines and answers can be tested
//! with made-up events: `tests/suite/core_properties.rs` drives it with random schedules.

mod clients;
mod config;
mod deadlines;
mod dispatch;
mod drain;
mod failing;
mod plan;
mod pool;
mod reload;
mod replies;
mod state;
mod status;
mod timeouts;
mod types;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use config::{AppAllocation, CoreConfig, OnDisconnect};
pub use status::{
    AppCounters, AppState, AppStatus, Histogram, LastExit, PoolState, PoolStatus, WorkerStage, WorkerStatus,
};
pub use types::{
    Action, BOOT_FAILURE_EXIT, ConnId, Event, Failure, Note, Phase, ReplyKind, SlotId, Target, Violation,
    WorkerExit, WorkerId, WorkerSignal,
};

use deadlines::Deadlines;
use reload::{Reload, Replacing};
use replies::Reply;
use state::{App, Conn, Request, RequestKey, Seat, Slot, Worker};

/// Whether the arbiter takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It does.
    Serving,
    /// Finishing what was accepted.
    Draining,
    /// Killing what is left.
    Quitting,
    /// Nothing is left.
    Finished,
}

/// Totals since the start that belong to no app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames from workers that matched nothing in flight and were dropped (CORR-5).
    pub stale_frames: u64,
    /// Workers that died unasked.
    pub crashes: u64,
}

/// The state machine. `F` is a frame, which the core never looks into.
#[derive(Debug, Clone)]
pub struct Core<F> {
    config: CoreConfig,
    mode: Mode,
    conns: BTreeMap<ConnId, Conn>,
    requests: BTreeMap<RequestKey, Request<F>>,
    apps: Vec<App>,
    app_index: BTreeMap<String, usize>,
    seats: Vec<Seat>,
    workers: BTreeMap<WorkerId, Worker>,
    /// How often the configuration was taken over.
    generation: u64,
    reload: Option<Reload>,
    replacing: Replacing,
    deadlines: Deadlines,
    counters: Counters,
    next_request: u64,
    next_worker: u64,
    /// Numbers dispatches; orders idle slots and apps by their last use.
    dispatches: u64,
}

impl<F> Core<F> {
    /// A core that has not started its pool.
    pub fn new(config: CoreConfig) -> Self {
        let mut core = Core {
            mode: Mode::Serving,
            conns: BTreeMap::new(),
            requests: BTreeMap::new(),
            app_index: BTreeMap::new(),
            apps: Vec::new(),
            seats: Vec::new(),
            workers: BTreeMap::new(),
            generation: 0,
            reload: None,
            replacing: Replacing::Nobody,
            deadlines: Deadlines::default(),
            counters: Counters::default(),
            next_request: 0,
            next_worker: 1,
            dispatches: 0,
            config,
        };
        core.configure_apps();
        core
    }

    /// Takes in one event that happened at `now` and appends what follows from it to `actions`.
    ///
    /// Times must not run backwards from call to call.
    pub fn on(&mut self, event: Event<'_, F>, now: Instant, actions: &mut Vec<Action<F>>) {
        match event {
            Event::Start => self.arrange(now, actions),
            Event::Connected(conn) => self.connected(conn),
            Event::Request { conn, id, app_path, action, timeout, frame } => {
                self.request(conn, id, app_path, action, timeout, frame, now, actions);
            }
            Event::Cancel { conn, id } => self.cancel(conn, id, actions),
            Event::Congested(conn, congested) => self.congested(conn, congested, now, actions),
            Event::HalfClosed(conn) => self.half_closed(conn, actions),
            Event::Disconnected(conn) => self.disconnected(conn, now, actions),
            Event::Spawned(worker) => self.spawned(worker, now),
            Event::Loading { worker, app_path } => self.loading(worker, app_path),
            Event::Serves { worker, apps } => self.serves(worker, apps),
            Event::Ready(worker) => self.ready(worker, now, actions),
            Event::Alive(worker) => self.alive(worker, now),
            Event::SlotOpened(slot) => self.slot_opened(slot, now, actions),
            Event::Reply { slot, kind, id, error_type, frames, frame } => {
                self.reply(slot, Reply { kind, id, error_type, frames }, frame, now, actions);
            }
            Event::BadReply { slot, kind, id, violation } => {
                self.bad_reply(slot, kind, id, violation, now, actions);
            }
            Event::Unrelayable { slot, kind, id, problem } => {
                self.unrelayable(slot, kind, id, problem, now, actions);
            }
            Event::SlotBroken { slot, violation } => self.slot_broken(slot, violation, now, actions),
            Event::Exited { worker, exit } => self.exited(worker, exit, now, actions),
            Event::Tick => (),
            Event::Reload(config) => self.begin_reload(*config, now, actions),
            Event::Scale(workers) => self.scale(workers, now, actions),
            Event::Drain => self.drain(now, actions),
            Event::Quit => self.quit(actions),
        }
        self.fire_timers(now, actions);
        self.advance_pool(now, actions);
        self.advance_drain(now, actions);
    }

    /// When [`Event::Tick`] is due if nothing else happens before.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// The request that runs on a slot: its id, and who waits for it.
    pub fn running(&self, slot: SlotId) -> Option<(&str, Option<ConnId>)> {
        let Some(Slot::Busy(key)) = self.slot(slot) else { return None };
        self.requests.get(&key).map(|request| (request.id.as_str(), request.waiter))
    }

    /// Whether a client waits for the answer to this id (CORR-6).
    pub fn is_in_flight(&self, conn: ConnId, id: &str) -> bool {
        self.conns.get(&conn).is_some_and(|client| client.in_flight.contains_key(id))
    }

    /// The generation that the next reload brings.
    pub fn next_generation(&self) -> u64 {
        self.generation + 1
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Requests that hold a slot or a place in a queue.
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// Requests that wait for a slot.
    pub fn queued(&self) -> usize {
        self.apps.iter().map(|app| app.queue.len()).sum()
    }

    /// Whether requests for this app are accepted, as far as the configuration goes.
    pub fn configures(&self, app_path: &str) -> bool {
        self.configured_app(app_path).is_some()
    }

    /// Whether requests for this app reach a worker at once, or as soon as a slot is free.
    pub fn is_served(&self, app_path: &str) -> bool {
        let reached = |app| self.workers.values().any(|worker| worker.is_available() && worker.serves(app));
        self.configured_app(app_path).is_some_and(reached)
    }

    /// Whether an idle slot could take a queued request: never true between two events (POOL-1).
    pub fn starves(&self) -> bool {
        (0..self.apps.len()).any(|app| self.first_ready(app).is_some() && self.idle_slot(app).is_some())
    }

    /// The rules this core runs by.
    pub fn config(&self) -> &CoreConfig {
        &self.config
    }
}

/// A limit, unless it is switched off (TIME-6).
fn limit(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}
