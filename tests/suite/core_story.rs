//! How stories about the arbiter's core are told: one client, workers that do what the test says, time that it sets.

use std::time::{Duration, Instant};

use dirty_arbiter::arbiter::core::{
    Action, AppAllocation, AppStatus, ConnId, Core, CoreConfig, Event, Failure, Note, Phase, ReplyKind,
    SlotId, WorkerExit, WorkerId, WorkerSignal, WorkerStage,
};

pub const CLIENT: ConnId = ConnId(1);
pub const TERM: WorkerSignal = WorkerSignal::Terminate;

pub struct Story {
    pub core: Core<&'static str>,
    pub now: Instant,
}

pub type Actions = Vec<Action<&'static str>>;

pub fn app(app_path: &str) -> AppAllocation {
    AppAllocation::everywhere(app_path)
}

/// An app that so many workers load.
pub fn limited(app_path: &str, workers: usize) -> AppAllocation {
    AppAllocation { workers: Some(workers), ..app(app_path) }
}

pub fn slot(worker: u64, index: u32) -> SlotId {
    SlotId { worker: WorkerId(worker), index }
}

/// The start of a worker by the first configuration.
pub fn spawn(worker: u64, apps: &[&str], fixed: &[&str], seat: usize) -> Action<&'static str> {
    let paths = |apps: &[&str]| apps.iter().map(|app| (*app).to_owned()).collect();
    Action::Spawn { worker: WorkerId(worker), apps: paths(apps), fixed: paths(fixed), seat, generation: 0 }
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Story {
    /// A pool that is up: every worker ready, every slot open, one client connected.
    pub fn begin(workers: usize, threads: u32, change: impl FnOnce(&mut CoreConfig)) -> Story {
        let mut story = Story::boot(workers, threads, change);
        for worker in 1..=workers as u64 {
            story.worker_ready(worker);
        }
        story
    }

    /// A pool whose workers still boot.
    pub fn boot(workers: usize, threads: u32, change: impl FnOnce(&mut CoreConfig)) -> Story {
        let mut config = CoreConfig {
            apps: vec![app("a:A"), app("b:B")],
            workers,
            threads,
            timeout: seconds(10),
            watchdog: Duration::ZERO,
            ..Default::default()
        };
        change(&mut config);
        let mut story = Story { core: Core::new(config), now: Instant::now() };
        story.on(Event::Start);
        story.on(Event::Connected(CLIENT));
        story
    }

    pub fn worker_ready(&mut self, worker: u64) -> Actions {
        let mut actions = self.on(Event::Spawned(WorkerId(worker)));
        actions.extend(self.on(Event::Ready(WorkerId(worker))));
        actions.retain(|action| !matches!(action, Action::OpenSlots { .. }));
        let threads = self.core.config().threads;
        actions.extend((0..threads).flat_map(|index| self.on(Event::SlotOpened(slot(worker, index)))));
        actions
    }

    pub fn on(&mut self, event: Event<'_, &'static str>) -> Actions {
        let mut actions = Vec::new();
        self.core.on(event, self.now, &mut actions);
        actions.retain(|action| !matches!(action, Action::Log(Note::WorkerReady(_))));
        actions
    }

    pub fn request(&mut self, id: &'static str, app_path: &str) -> Actions {
        self.request_within(id, app_path, None)
    }

    pub fn request_within(&mut self, id: &'static str, app_path: &str, timeout: Option<Duration>) -> Actions {
        self.on(Event::Request { conn: CLIENT, id, app_path, action: "act", timeout, frame: id })
    }

    pub fn reply(&mut self, slot: SlotId, kind: ReplyKind, id: &str) -> Actions {
        self.on(Event::Reply { slot, kind, id: Some(id), error_type: None, frames: 1, frame: "reply" })
    }

    pub fn after(&mut self, time: Duration) -> Actions {
        self.now += time;
        self.on(Event::Tick)
    }
}

/// Where a request went, if it was dispatched.
pub fn dispatched(actions: &Actions) -> Option<(SlotId, &'static str)> {
    actions.iter().find_map(|action| match action {
        Action::Dispatch { slot, frame } => Some((*slot, *frame)),
        _ => None,
    })
}

/// The failure that answers `id`.
pub fn failure(actions: &Actions, of: &str) -> Option<Failure> {
    actions.iter().find_map(|action| match action {
        Action::Answer { id: Some(id), failure, .. } if id == of => Some(failure.clone()),
        _ => None,
    })
}

pub fn signals(actions: &Actions) -> Vec<WorkerSignal> {
    let signal = |action: &Action<_>| match action {
        Action::Signal { signal, .. } => Some(*signal),
        _ => None,
    };
    actions.iter().filter_map(signal).collect()
}

pub fn timeout_of(actions: &Actions, id: &str) -> (Phase, Duration) {
    match failure(actions, id) {
        Some(Failure::Timeout { phase, limit, .. }) => (phase, limit),
        other => panic!("no time-out of {id:?} but {other:?}"),
    }
}

/// The workers that are started, in order.
pub fn started(actions: &Actions) -> Vec<u64> {
    let worker = |action: &Action<_>| match action {
        Action::Spawn { worker, .. } => Some(worker.0),
        _ => None,
    };
    actions.iter().filter_map(worker).collect()
}

/// The workers that are told to end, in order.
pub fn ended(actions: &Actions) -> Vec<(u64, WorkerSignal)> {
    let worker = |action: &Action<_>| match action {
        Action::Signal { worker, signal } => Some((worker.0, *signal)),
        _ => None,
    };
    actions.iter().filter_map(worker).collect()
}

/// No worker is started.
pub fn nobody() -> Vec<u64> {
    Vec::new()
}

/// No worker is told to end.
pub fn untold() -> Vec<(u64, WorkerSignal)> {
    Vec::new()
}

/// Whether the end of a worker is told as one that it had been asked for.
pub fn expected(actions: &Actions) -> Option<bool> {
    actions.iter().find_map(|action| match action {
        Action::Log(Note::WorkerExited { expected, .. }) => Some(*expected),
        _ => None,
    })
}

/// How a reload ended, if it did.
pub fn reloaded(actions: &Actions) -> Option<(u64, Option<String>)> {
    actions.iter().find_map(|action| match action {
        Action::ReloadEnded { generation, failure } => Some((*generation, failure.clone())),
        _ => None,
    })
}

impl Story {
    pub fn exits(&mut self, worker: u64, exit: WorkerExit) -> Actions {
        self.on(Event::Exited { worker: WorkerId(worker), exit })
    }

    /// A reload with a changed configuration.
    pub fn reload(&mut self, change: impl FnOnce(&mut CoreConfig)) -> Actions {
        let mut config = self.core.config().clone();
        change(&mut config);
        self.on(Event::Reload(Box::new(config)))
    }

    /// The workers, each with its stage and generation, as the status tells.
    pub fn workers(&self) -> Vec<(u64, WorkerStage, u64)> {
        let status = self.core.status(self.now);
        status.workers.iter().map(|worker| (worker.id.0, worker.state, worker.generation)).collect()
    }

    pub fn app(&self, app_path: &str) -> AppStatus {
        let status = self.core.status(self.now);
        status.apps.into_iter().find(|app| app.app_path == app_path).expect("the app is configured")
    }
}
