//! Random schedules through the arbiter's core. Whatever clients and workers do, in whatever order: one terminal
//! message each, chunks in order, nothing crossed, no slot used twice, nothing starved, and every drain ends.

use std::time::Duration;

use dirty_arbiter::arbiter::core::{ConnId, Event, ReplyKind, SlotId, WorkerExit, WorkerId};
use proptest::prelude::*;

use crate::core_world::{APPS, Plan, Worker, World};

/// One thing that happens. The numbers choose among what there is at that moment.
#[derive(Debug, Clone)]
enum Step {
    Connect,
    Request { conn: usize, app: usize, id: u8, timeout: Option<u64> },
    Cancel { conn: usize, id: u8 },
    Congested(usize, bool),
    BadReply { slot: usize, kind: Option<ReplyKind> },
    HalfClose(usize),
    Disconnect(usize),
    Spawned(usize),
    Ready(usize),
    OpenSlot(usize),
    Reply { slot: usize, kind: ReplyKind },
    StrayReply { slot: usize, kind: ReplyKind },
    LoseSlot { slot: usize, violation: bool },
    Exit { worker: usize, exit: WorkerExit },
    Serves { worker: usize, only: bool },
    Loading { worker: usize, app: usize },
    Alive(usize),
    Reload(Plan),
    Scale(usize),
    ObeySignals,
    Wait(u64),
    Drain,
    Quit,
}

fn kind() -> impl Strategy<Value = ReplyKind> {
    prop_oneof![
        3 => Just(ReplyKind::Chunk),
        2 => Just(ReplyKind::Response),
        1 => Just(ReplyKind::End),
        1 => Just(ReplyKind::Error),
    ]
}

fn exit() -> impl Strategy<Value = WorkerExit> {
    prop_oneof![Just(WorkerExit::Code(3)), Just(WorkerExit::Signal(9)), Just(WorkerExit::Unknown)]
}

fn step() -> impl Strategy<Value = Step> {
    let some = 0usize..8;
    prop_oneof![
        3 => Just(Step::Connect),
        12 => (some.clone(), prop_oneof![6 => Just(0usize), 3 => Just(1), 2 => Just(2), 1 => Just(3)], 0u8..5, prop::option::of(1u64..12_000))
            .prop_map(|(conn, app, id, timeout)| Step::Request { conn, app, id, timeout }),
        2 => (some.clone(), 0u8..5).prop_map(|(conn, id)| Step::Cancel { conn, id }),
        2 => (some.clone(), any::<bool>()).prop_map(|(conn, congested)| Step::Congested(conn, congested)),
        1 => (some.clone(), prop::option::of(kind())).prop_map(|(slot, kind)| Step::BadReply { slot, kind }),
        1 => some.clone().prop_map(Step::HalfClose),
        1 => some.clone().prop_map(Step::Disconnect),
        3 => some.clone().prop_map(Step::Spawned),
        4 => some.clone().prop_map(Step::Ready),
        6 => some.clone().prop_map(Step::OpenSlot),
        12 => (some.clone(), kind()).prop_map(|(slot, kind)| Step::Reply { slot, kind }),
        2 => (some.clone(), kind()).prop_map(|(slot, kind)| Step::StrayReply { slot, kind }),
        1 => (some.clone(), any::<bool>()).prop_map(|(slot, violation)| Step::LoseSlot { slot, violation }),
        1 => (some.clone(), exit()).prop_map(|(worker, exit)| Step::Exit { worker, exit }),
        1 => (some.clone(), any::<bool>()).prop_map(|(worker, only)| Step::Serves { worker, only }),
        2 => (some.clone(), 0usize..4).prop_map(|(worker, app)| Step::Loading { worker, app }),
        3 => some.prop_map(Step::Alive),
        1 => plan().prop_map(Step::Reload),
        1 => (1usize..5).prop_map(Step::Scale),
        3 => Just(Step::ObeySignals),
        4 => (1u64..6_000).prop_map(Step::Wait),
    ]
}

/// What a reload brings: which of the apps, how many workers and slots.
fn plan() -> impl Strategy<Value = Plan> {
    (any::<[bool; 3]>(), prop::option::of(1usize..3), 1usize..4, 1u32..3)
        .prop_map(|(apps, limit, workers, threads)| Plan { apps, limit, workers, threads })
}

/// A schedule; in a third of them the arbiter is told to end somewhere.
fn schedule() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![4 => Just(None), 1 => Just(Some(Step::Drain)), 1 => Just(Some(Step::Quit))];
    (prop::collection::vec(step(), 0..80), any::<prop::sample::Index>(), end).prop_map(
        |(mut steps, at, end)| {
            if let Some(end) = end {
                steps.insert(at.index(steps.len() + 1), end);
            }
            steps
        },
    )
}

fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[which % from.len()])
}

impl World {
    fn take(&mut self, step: Step) {
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        let sending =
            |world: &World| -> Vec<ConnId> { world.conns.iter().filter(|c| *c.1).map(|c| *c.0).collect() };
        match step {
            Step::Connect => self.connect(),
            Step::Request { conn, app, id, timeout } => {
                let Some(conn) = pick(&sending(self), conn) else { return };
                self.request(conn, app, &id.to_string(), timeout.map(Duration::from_millis));
            }
            Step::Cancel { conn, id } => {
                let Some(conn) = pick(&sending(self), conn) else { return };
                self.feed(Event::Cancel { conn, id: &id.to_string() });
            }
            Step::Congested(conn, congested) => {
                let Some(conn) = pick(&conns, conn) else { return };
                self.feed(Event::Congested(conn, congested));
            }
            Step::BadReply { slot, kind } => {
                let Some(slot) = pick(&self.slots(|slot| slot.running.is_some()), slot) else { return };
                self.bad_reply(slot, kind);
            }
            Step::HalfClose(conn) => {
                let Some(conn) = pick(&sending(self), conn) else { return };
                self.conns.insert(conn, false);
                self.feed(Event::HalfClosed(conn));
            }
            Step::Disconnect(conn) => {
                let Some(conn) = pick(&conns, conn) else { return };
                self.disconnect(conn);
            }
            Step::Spawned(worker) => {
                let Some(worker) = pick(&workers, worker).filter(|id| !self.workers[id].spawned) else {
                    return;
                };
                self.worker(worker).spawned = true;
                self.feed(Event::Spawned(worker));
            }
            Step::Ready(worker) => {
                let Some(worker) = pick(&workers, worker).filter(|id| !self.workers[id].ready) else {
                    return;
                };
                self.ready(worker);
            }
            Step::OpenSlot(slot) => {
                let Some(slot) = pick(&self.slots(|slot| !slot.open && !slot.gone), slot) else { return };
                self.open(slot);
            }
            Step::Reply { slot, kind } => {
                let Some(slot) = pick(&self.slots(|slot| slot.running.is_some()), slot) else { return };
                self.reply(slot, kind);
            }
            Step::StrayReply { slot, kind } => {
                let Some(slot) = pick(&self.slots(|slot| slot.open), slot) else { return };
                self.stray_reply(slot, kind);
            }
            Step::LoseSlot { slot, violation } => {
                let Some(slot) = pick(&self.slots(|slot| slot.open), slot) else { return };
                self.break_slot(slot, violation);
            }
            Step::Exit { worker, exit } => {
                let Some(worker) = pick(&workers, worker) else { return };
                self.exit(worker, exit);
            }
            Step::Serves { worker, only } => {
                let Some(worker) = pick(&workers, worker).filter(|id| !self.workers[id].ready) else {
                    return;
                };
                let Worker { seat, fixed, .. } = &self.workers[&worker];
                // The first seat loads every app that limits itself; what is not its to refuse, it may try to.
                let refused = |app: &&str| match seat {
                    0 => fixed.iter().any(|fixed| fixed == app),
                    _ => *app != APPS[0],
                };
                let apps = APPS.iter().filter(|app| !only || !refused(app));
                let apps: Vec<String> = apps.map(|app| (*app).to_owned()).collect();
                self.declined |= only && *seat > 0;
                self.feed(Event::Serves { worker, apps: &apps });
            }
            Step::Loading { worker, app } => {
                let Some(worker) = pick(&workers, worker) else { return };
                self.feed(Event::Loading { worker, app_path: APPS.get(app).copied() });
            }
            Step::Alive(worker) => {
                let Some(worker) = pick(&workers, worker) else { return };
                self.feed(Event::Alive(worker));
            }
            Step::Reload(plan) => self.reload(&plan),
            Step::Scale(workers) => self.feed(Event::Scale(workers)),
            Step::ObeySignals => self.obey_signals(),
            Step::Wait(milliseconds) => self.wait(milliseconds),
            Step::Drain => self.feed(Event::Drain),
            Step::Quit => self.feed(Event::Quit),
        }
    }

    pub fn open(&mut self, slot: SlotId) {
        self.worker(slot.worker).slots[slot.index as usize].open = true;
        // The core may have given the slot up in the meantime; then it sends nothing there.
        self.feed(Event::SlotOpened(slot));
    }

    pub fn boot_all(&mut self) {
        let booting: Vec<WorkerId> = self.workers.iter().filter(|w| !w.1.ready).map(|w| *w.0).collect();
        for worker in booting {
            self.ready(worker);
        }
        for slot in self.slots(|slot| !slot.open && !slot.gone) {
            self.open(slot);
        }
    }

    fn obey_signals(&mut self) {
        let told: Vec<WorkerId> =
            self.workers.iter().filter(|w| w.1.signalled.is_some()).map(|w| *w.0).collect();
        for worker in told {
            self.exit(worker, WorkerExit::Signal(15));
        }
    }

    pub fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.feed(Event::Tick);
    }

    /// From here on everybody behaves: workers boot, answer and obey, and time passes.
    pub fn settle(&mut self) {
        let conns: Vec<ConnId> = self.conns.keys().copied().collect();
        for conn in conns {
            self.feed(Event::Congested(conn, false));
        }
        for round in 0..200 {
            self.boot_all();
            while let Some(slot) = pick(&self.slots(|slot| slot.running.is_some()), round) {
                self.reply(slot, ReplyKind::Error);
            }
            self.obey_signals();
            if self.finished || (self.waiting() == 0 && self.core.open_requests() == 0) {
                return;
            }
            self.wait(500);
        }
        panic!("requests never come to an end");
    }
}

impl World {
    /// Everybody goes on behaving: every reload ends, and the pool is what it is meant to be (POOL-9, LIFE-5).
    pub fn settle_pool(&mut self) {
        for _ in 0..400 {
            if self.finished || (self.reloads == 0 && self.is_settled()) {
                return;
            }
            self.boot_all();
            for worker in self.workers.keys().copied().collect::<Vec<_>>() {
                self.feed(Event::Alive(worker));
            }
            self.obey_signals();
            self.wait(500);
        }
        panic!("the pool never becomes what it should be: {:?}", self.core.status(self.now));
    }
}

fn run(steps: Vec<Step>) {
    let mut world = World::new();
    for step in steps {
        if world.finished {
            return;
        }
        world.take(step);
    }
    world.settle();
    assert_eq!(world.waiting(), 0, "a request without a terminal message (CALL-1)");
    assert_eq!(world.core.open_requests(), 0, "a request was leaked");
    world.settle_pool();
    if !world.finished {
        world.feed(Event::Drain);
        for _ in 0..100 {
            world.obey_signals();
            if world.finished {
                return;
            }
            world.wait(1_000);
        }
        panic!("the drain does not end (LIFE-1)");
    }
}

/// How many schedules are tried: 10,000, or as many as the variable `SCHEDULES` says.
fn schedules() -> u32 {
    std::env::var("SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000)
}

/// Schedules that once showed a fault, shrunk.
#[test]
fn schedules_that_showed_a_fault_pass() {
    let everything = |workers| Plan { apps: [true; 3], limit: Some(1), workers, threads: 1 };
    let faults = [
        // The seat whose replacement booted went away with a scale-down, and the reload waited for it for ever.
        vec![
            Step::Reload(everything(1)),
            Step::Ready(2),
            Step::Exit { worker: 0, exit: WorkerExit::Code(3) },
            Step::Scale(2),
            Step::Ready(1),
            Step::Scale(1),
        ],
        // A worker refused an app that the configuration gives to it, so that the old one could never go.
        vec![
            Step::Ready(0),
            Step::OpenSlot(0),
            Step::Reload(everything(2)),
            Step::Serves { worker: 2, only: true },
            Step::Ready(2),
        ],
    ];
    faults.into_iter().for_each(run);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(schedules()) })]

    #[test]
    fn every_request_gets_exactly_one_terminal_message(steps in schedule()) {
        run(steps);
    }
}
