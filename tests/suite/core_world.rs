//! A made-up world around the arbiter's core: clients and workers that do whatever a schedule says, and a ledger that
//! checks every action against the promises of the specification.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dirty_arbiter::arbiter::core::{
    Action, AppAllocation, AppState, ConnId, Core, CoreConfig, Event, Failure, Note, PoolState, ReplyKind,
    SlotId, Violation, WorkerExit, WorkerId, WorkerSignal, WorkerStage, WorkerStatus,
};

pub const APPS: [&str; 4] = ["every:App", "single:App", "other:App", "nowhere:App"];
pub const QUEUE: usize = 3;

/// What the core moves around in place of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The request with this serial number.
    Request(u64),
    /// The `number`th message about a request.
    Reply { serial: u64, number: u32 },
}

/// One request, as its client sees it.
#[derive(Debug, Clone)]
struct Ledger {
    conn: ConnId,
    id: String,
    /// Messages received; their order is checked.
    received: u32,
    /// The terminal message came, or the client left.
    over: bool,
    dispatched: bool,
}

/// One connection to a worker, as the worker sees it.
#[derive(Debug, Default, Clone)]
pub struct Slot {
    pub open: bool,
    /// The connection was made and is lost; it is not made again.
    pub gone: bool,
    /// The request that it carries, and how many messages it has sent for it.
    pub running: Option<(u64, String, u32)>,
}

impl Slot {
    fn gone() -> Slot {
        Slot { gone: true, ..Slot::default() }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Worker {
    pub seat: usize,
    /// The apps that it may not refuse (WORK-14).
    pub fixed: Vec<String>,
    pub spawned: bool,
    pub ready: bool,
    pub signalled: Option<WorkerSignal>,
    pub slots: Vec<Slot>,
}

#[derive(Debug, Clone)]
pub struct World {
    pub core: Core<Frame>,
    pub now: Instant,
    pub conns: BTreeMap<ConnId, bool>,
    pub workers: BTreeMap<WorkerId, Worker>,
    pub finished: bool,
    ledger: BTreeMap<u64, Ledger>,
    by_id: BTreeMap<(ConnId, String), u64>,
    next_conn: u64,
    next_serial: u64,
    /// Reloads that were begun and have not ended.
    pub reloads: usize,
    /// A replacement failed to boot, so that old workers may have stayed.
    kept_old: bool,
    /// Some worker has said that it does not serve every app.
    pub declined: bool,
}

/// What a reload brings.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which of the first three of [`APPS`].
    pub apps: [bool; 3],
    /// How many workers load each but the first of them.
    pub limit: Option<usize>,
    pub workers: usize,
    pub threads: u32,
}

/// Whether the core may not, in answer to this, take the last ready worker of an app: nothing here goes wrong, ends it,
/// or lets time pass.
fn spares_workers(event: &Event<'_, Frame>) -> bool {
    !matches!(
        event,
        Event::Exited { .. }
            | Event::SlotBroken { .. }
            | Event::BadReply { .. }
            | Event::Reply { .. }
            | Event::Tick
            | Event::Drain
            | Event::Quit
    )
}

impl World {
    pub fn new() -> World {
        let app = |index: usize, workers| AppAllocation { workers, ..AppAllocation::everywhere(APPS[index]) };
        let config = CoreConfig {
            apps: vec![app(0, None), app(1, Some(1)), app(2, Some(1))],
            workers: 2,
            threads: 2,
            timeout: Duration::from_secs(10),
            queue_timeout: Duration::from_secs(20),
            boot_timeout: Duration::from_secs(30),
            cancel_grace: Duration::from_secs(2),
            graceful_timeout: Duration::from_secs(15),
            watchdog: Duration::from_secs(5),
            queue: QUEUE,
        };
        World::with(config)
    }

    /// A world around an arbiter with this configuration.
    pub fn with(config: CoreConfig) -> World {
        let mut world = World {
            core: Core::new(config),
            now: Instant::now(),
            conns: BTreeMap::new(),
            workers: BTreeMap::new(),
            finished: false,
            ledger: BTreeMap::new(),
            by_id: BTreeMap::new(),
            next_conn: 0,
            next_serial: 0,
            reloads: 0,
            kept_old: false,
            declined: false,
        };
        world.feed(Event::Start);
        world
    }

    /// Feeds an event and checks everything that follows from it.
    pub fn feed(&mut self, event: Event<'_, Frame>) {
        let spared: Vec<&str> = match spares_workers(&event) {
            true => APPS.into_iter().filter(|app| self.core.is_served(app)).collect(),
            false => Vec::new(),
        };
        let mut actions = Vec::new();
        self.core.on(event, self.now, &mut actions);
        for action in actions {
            assert!(!self.finished, "{action:?} after Finished");
            self.check(action);
        }
        // A reload may have taken an app away, and the end of the arbiter takes all of them.
        let lost = spared.iter().find(|app| self.core.configures(app) && !self.core.is_served(app));
        if let Some(app) = lost {
            let state = self.core.status(self.now).state;
            assert_ne!(state, PoolState::Serving, "{app} lost its last ready worker (POOL-10)");
        }
        assert!(!self.core.starves(), "an idle slot and a queued request wait for each other (POOL-1)");
        assert!(self.core.queued() <= QUEUE * 3, "the queue outgrew its bound (POOL-3)");
        assert!(self.core.next_wakeup().is_none_or(|at| at > self.now), "a due timer did not fire");
    }

    /// Whether every seat has its worker, all of the newest generation, and nobody else is left.
    pub fn is_settled(&self) -> bool {
        let status = self.core.status(self.now);
        let current = |worker: &WorkerStatus| {
            worker.state == WorkerStage::Ready && worker.generation == status.generation
        };
        let ready = status.workers.iter().all(|worker| worker.state == WorkerStage::Ready);
        let count = status.workers.len();
        // A worker whose classes are all content with fewer has nothing to do, and its seat stays empty.
        let enough =
            count == status.target_workers || (self.declined && (1..status.target_workers).contains(&count));
        let as_it_was = self.kept_old && ready;
        let served = status.apps.iter().all(|app| app.state == AppState::Ready);
        !status.reloading && (as_it_was || (enough && served && status.workers.iter().all(current)))
    }

    pub fn reload(&mut self, plan: &Plan) {
        let app = |index: usize| AppAllocation {
            workers: if index == 0 { None } else { plan.limit },
            ..AppAllocation::everywhere(APPS[index])
        };
        let apps: Vec<AppAllocation> =
            (0..plan.apps.len()).filter(|index| plan.apps[*index]).map(app).collect();
        // One app that every worker loads, so that every seat is filled.
        let apps = if plan.apps[0] { apps } else { [vec![app(0)], apps].concat() };
        let config =
            CoreConfig { apps, workers: plan.workers, threads: plan.threads, ..self.core.config().clone() };
        self.reloads += 1;
        self.feed(Event::Reload(Box::new(config)));
    }

    pub fn connect(&mut self) {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        self.conns.insert(conn, true);
        self.feed(Event::Connected(conn));
    }

    pub fn request(&mut self, conn: ConnId, app: usize, id: &str, timeout: Option<Duration>) {
        let serial = self.next_serial;
        self.next_serial += 1;
        let key = (conn, id.to_owned());
        if !self.by_id.contains_key(&key) {
            let entry = Ledger { conn, id: id.to_owned(), received: 0, over: false, dispatched: false };
            self.ledger.insert(serial, entry);
            self.by_id.insert(key, serial);
        }
        let frame = Frame::Request(serial);
        self.feed(Event::Request { conn, id, app_path: APPS[app], action: "act", timeout, frame });
    }

    /// Whether a request with this id was ever made on this connection.
    pub fn asked(&self, conn: ConnId, id: &str) -> bool {
        self.ledger.values().any(|entry| entry.conn == conn && entry.id == id)
    }

    /// The client leaves: it expects nothing any more.
    pub fn disconnect(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        for entry in self.ledger.values_mut().filter(|entry| entry.conn == conn) {
            entry.over = true;
        }
        self.by_id.retain(|(of, _), _| *of != conn);
        self.feed(Event::Disconnected(conn));
    }

    pub fn ready(&mut self, worker: WorkerId) {
        self.worker(worker).ready = true;
        self.feed(Event::Ready(worker));
    }

    pub fn reply(&mut self, slot: SlotId, kind: ReplyKind) {
        let place = &mut self.worker(slot.worker).slots[slot.index as usize];
        let Some((serial, id, number)) = place.running.take() else { return };
        let frame = Frame::Reply { serial, number };
        // A response inside a stream breaks the protocol; the core then drops the slot.
        let breaks = kind == ReplyKind::Response && number > 0;
        if kind == ReplyKind::Chunk {
            place.running = Some((serial, id.clone(), number + 1));
        }
        self.feed(Event::Reply { slot, kind, id: Some(&id), error_type: None, frames: 1, frame });
        if breaks {
            assert!(!self.worker(slot.worker).slots[slot.index as usize].open, "a faulty slot stays in use");
        }
    }

    /// A bad message about the request that runs there.
    pub fn bad_reply(&mut self, slot: SlotId, kind: Option<ReplyKind>) {
        let place = &mut self.worker(slot.worker).slots[slot.index as usize];
        let Some((_, id, _)) = place.running.clone() else { return };
        if kind.is_some_and(|kind| kind != ReplyKind::Chunk) {
            place.running = None;
        }
        let violation = Violation { requirement: "VAL-2", what: "NaN".to_owned() };
        self.feed(Event::BadReply { slot, kind, id: Some(&id), violation });
    }

    /// A frame that belongs to nothing in flight on its slot: nobody may ever see it (CORR-5).
    pub fn stray_reply(&mut self, slot: SlotId, kind: ReplyKind) {
        let frame = Frame::Reply { serial: u64::MAX, number: 0 };
        let before = self.core.counters().stale_frames;
        self.feed(Event::Reply { slot, kind, id: Some("never sent"), error_type: None, frames: 1, frame });
        assert_eq!(self.core.counters().stale_frames, before + 1, "a stray frame was not counted");
    }

    pub fn break_slot(&mut self, slot: SlotId, violation: bool) {
        self.worker(slot.worker).slots[slot.index as usize] = Slot::gone();
        let violation = violation.then(|| Violation { requirement: "FRAME-10", what: "garbage".to_owned() });
        self.feed(Event::SlotBroken { slot, violation });
    }

    pub fn exit(&mut self, worker: WorkerId, exit: WorkerExit) {
        self.workers.remove(&worker);
        self.feed(Event::Exited { worker, exit });
    }

    pub fn worker(&mut self, worker: WorkerId) -> &mut Worker {
        self.workers.get_mut(&worker).expect("the core names workers that exist")
    }

    /// Slots that satisfy `test`, in order.
    pub fn slots(&self, test: impl Fn(&Slot) -> bool) -> Vec<SlotId> {
        let of = |worker: &WorkerId, slots: &[Slot]| {
            let worker = *worker;
            let indexes = (0..).zip(slots).filter(|(_, slot)| test(slot)).map(|(index, _)| index);
            indexes.map(|index| SlotId { worker, index }).collect::<Vec<_>>()
        };
        self.workers.iter().flat_map(|(id, worker)| of(id, &worker.slots)).collect()
    }

    /// Requests whose clients are still there and still wait.
    pub fn waiting(&self) -> usize {
        self.ledger.values().filter(|entry| !entry.over).count()
    }

    fn check(&mut self, action: Action<Frame>) {
        match action {
            Action::Forward { conn, frame, .. } => self.forwarded(conn, frame),
            Action::Answer { conn, id: Some(id), failure } => {
                let serial = self.by_id.remove(&(conn, id.clone())).unwrap_or_else(|| {
                    panic!("{failure:?} answers {id:?} on {conn:?}, which waits for nothing (CALL-1)")
                });
                self.ledger.get_mut(&serial).expect("known").over = true;
            }
            Action::Answer { conn, id: None, failure } => {
                let Failure::DuplicateId(id) = failure else { panic!("{failure:?} has no id") };
                assert!(self.by_id.contains_key(&(conn, id)), "refused an id that is not in flight (CORR-6)");
            }
            Action::CloseConn(conn) => {
                assert_eq!(self.conns.remove(&conn), Some(false), "closed a connection that may still send");
                assert!(
                    self.by_id.keys().all(|(of, _)| *of != conn),
                    "closed a connection that waits (CALL-10)"
                );
            }
            Action::Dispatch { slot, frame } => self.dispatched(slot, frame),
            Action::SendCancel { slot, id } => {
                let running = &self.worker(slot.worker).slots[slot.index as usize].running;
                assert_eq!(
                    running.as_ref().map(|(_, id, _)| id),
                    Some(&id),
                    "cancelled what does not run there"
                );
            }
            Action::Spawn { worker, apps, fixed, seat, .. } => {
                assert!(!apps.is_empty());
                assert!(
                    self.workers.insert(worker, Worker { seat, fixed, ..Worker::default() }).is_none(),
                    "a worker id was used twice"
                );
            }
            Action::OpenSlots { worker, slots } => {
                let worker = self.worker(worker);
                assert!(worker.ready && worker.slots.is_empty());
                worker.slots = vec![Slot::default(); slots as usize];
            }
            Action::CloseSlot(slot) => self.worker(slot.worker).slots[slot.index as usize] = Slot::gone(),
            Action::Signal { worker, signal } => self.worker(worker).signalled = Some(signal),
            Action::Log(Note::ReplacementFailed { .. }) => self.kept_old = true,
            Action::Log(_) => (),
            Action::Adopt { .. } => self.kept_old = false,
            Action::ReloadEnded { failure, .. } => {
                assert!(self.reloads > 0, "a reload ended twice");
                self.reloads -= 1;
                self.kept_old |= failure.is_some();
            }
            Action::Finished => {
                assert!(self.workers.is_empty(), "finished with workers");
                assert_eq!(self.waiting(), 0, "finished with requests unanswered");
                self.finished = true;
            }
        }
    }

    fn forwarded(&mut self, conn: ConnId, frame: Frame) {
        let Frame::Reply { serial, number } = frame else { panic!("a request was sent to a client") };
        let entry = self.ledger.get_mut(&serial).expect("a stray frame reached a client (CORR-5)");
        assert_eq!(entry.conn, conn, "a reply went to another client (CORR-5)");
        assert!(!entry.over, "a message after the terminal one (CALL-1)");
        assert_eq!(entry.received, number, "chunks out of order (STREAM-1)");
        entry.received += 1;
        // A chunk leaves its request running; anything else ends it.
        let running =
            self.slots(|slot| slot.running.as_ref().is_some_and(|(running, ..)| *running == serial));
        if running.is_empty() {
            let entry = self.ledger.get_mut(&serial).expect("known");
            entry.over = true;
            let key = (conn, entry.id.clone());
            self.by_id.remove(&key);
        }
    }

    fn dispatched(&mut self, slot: SlotId, frame: Frame) {
        let Frame::Request(serial) = frame else { panic!("a reply was sent to a worker") };
        let entry = self.ledger.get_mut(&serial).expect("a refused request was dispatched");
        assert!(!entry.dispatched, "a request was sent to a worker twice (POOL-6)");
        entry.dispatched = true;
        let id = entry.id.clone();
        let worker = self.worker(slot.worker);
        assert!(worker.signalled.is_none(), "a request went to a worker that was told to end");
        let place = &mut worker.slots[slot.index as usize];
        assert!(place.open && place.running.is_none(), "a request went to a slot that is not free (POOL-1)");
        place.running = Some((serial, id, 0));
    }
}
