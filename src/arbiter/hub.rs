//! The event loop's shared state: feeds events to the core and carries out its actions.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use nix::sys::signal::Signal;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, oneshot};

use super::answers;
use super::codec::{self, Hop};
use super::config::ArbiterConfig;
use super::core::{
    Action, ConnId, Core, CoreConfig, Event, PoolStatus, ReplyKind, SlotId, WorkerId, WorkerSignal,
};
use super::hooks::HookRunner;
use super::intake::Buffers;
use super::launcher::Launcher;
use super::log;
use super::outbox::Outbox;
use super::reloading::{Loader, Outcome, Reloading};
use super::socket::OwnedSocket;
use super::tasks;
use crate::DirtyError;
use crate::message::RequestId;
use crate::wire::Codec;

/// What time it is on the event loop's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Holds a client's requests back until it has read what waits for it.
async fn watch_congestion(hub: Rc<Hub>, conn: ConnId, outbox: Rc<Outbox>) {
    // The kernel may take it all at once: then nothing was congested.
    outbox.flush();
    let buffer = hub.config().client_buffer;
    if outbox.waiting() > buffer {
        hub.feed(Event::Congested(conn, true));
        outbox.below(buffer / 2).await;
        hub.feed(Event::Congested(conn, false));
    }
    outbox.clear_congested();
}

/// One slot's connection to its worker.
#[derive(Debug)]
pub(super) struct SlotLink {
    pub outbox: Rc<Outbox>,
    pub hop: Hop,
    /// The client whose full buffer this slot's reader waits for.
    pub paused_by: RefCell<Option<Rc<Outbox>>>,
}

/// A task to be started: it lives as long as what it serves.
#[derive(Debug)]
pub(super) enum Order {
    /// Start a worker process and see to it until its end.
    StartWorker(WorkerStart),
    /// Read the configuration again, and replace the workers.
    Reload,
    /// Connect a slot of a worker that is ready, and serve it.
    OpenSlot(SlotId),
}

/// What a worker process is started with.
#[derive(Debug)]
pub(super) struct WorkerStart {
    pub worker: WorkerId,
    /// The apps it loads.
    pub apps: Vec<String>,
    /// Those of them that the configuration gives to this worker (WORK-14).
    pub fixed: Vec<String>,
    /// Its place in the pool.
    pub seat: usize,
    pub config: Rc<ArbiterConfig>,
}

/// Everything that the tasks of one arbiter share. Lives on the event loop's thread.
pub(super) struct Hub {
    config: RefCell<Rc<ArbiterConfig>>,
    reloading: Reloading,
    pub socket: OwnedSocket,
    pub launcher: Launcher,
    pub hooks: HookRunner,
    core: RefCell<Core<Bytes>>,
    pub clients: RefCell<HashMap<ConnId, Rc<Outbox>>>,
    pub slots: RefCell<HashMap<SlotId, Rc<SlotLink>>>,
    pub pids: RefCell<HashMap<WorkerId, u32>>,
    /// Workers that speak another codec than JSON (WORK-18).
    pub worker_codecs: RefCell<HashMap<WorkerId, Codec>>,
    early_signals: RefCell<HashMap<WorkerId, Signal>>,
    /// Peers with something new to write: they are flushed together, so that frames of one read share one write.
    unflushed: RefCell<Vec<Rc<Outbox>>>,
    /// What peers are read with.
    pub buffers: Rc<Buffers>,
    /// Woken when the next deadline may have moved forward.
    pub rearmed: Notify,
    /// When the timer task will look next.
    armed_for: Cell<Option<Instant>>,
    /// Woken when everything is drained.
    pub finished: Notify,
    /// Woken when what there is to tell of the pool may have changed.
    pub pool_changed: Notify,
    next_conn: Cell<u64>,
    orders: UnboundedSender<Order>,
    itself: std::rc::Weak<Hub>,
}

impl Hub {
    pub fn new(
        config: ArbiterConfig,
        socket: OwnedSocket,
        launcher: Launcher,
        hooks: HookRunner,
        orders: UnboundedSender<Order>,
        loader: Option<Loader>,
    ) -> Rc<Hub> {
        Rc::new_cyclic(|itself| Hub {
            core: RefCell::new(Core::new(config.pool.clone())),
            config: RefCell::new(Rc::new(config)),
            reloading: Reloading::new(loader),
            socket,
            launcher,
            hooks,
            clients: RefCell::default(),
            slots: RefCell::default(),
            pids: RefCell::default(),
            worker_codecs: RefCell::default(),
            early_signals: RefCell::default(),
            unflushed: RefCell::default(),
            buffers: Rc::default(),
            rearmed: Notify::new(),
            armed_for: Cell::new(None),
            finished: Notify::new(),
            pool_changed: Notify::new(),
            next_conn: Cell::new(0),
            orders,
            itself: itself.clone(),
        })
    }

    /// Feeds one event and writes what follows from it.
    pub fn feed(&self, event: Event<'_, Bytes>) {
        self.on(event);
        self.flush();
    }

    /// Feeds one event; what it makes ready to write waits for [`flush`](Self::flush).
    pub fn on(&self, event: Event<'_, Bytes>) {
        let mut actions = Vec::new();
        let next = {
            let mut core = self.core.borrow_mut();
            core.on(event, now(), &mut actions);
            core.next_wakeup()
        };
        for action in actions {
            self.carry_out(action);
        }
        if next.is_some() && self.armed_for.get().is_none_or(|armed| next < Some(armed)) {
            self.rearmed.notify_one();
        }
    }

    /// Writes out what the events since the last flush made ready.
    pub fn flush(&self) {
        // Taken out first: a flush may find a peer dead, but feeds no events itself.
        let unflushed = std::mem::take(&mut *self.unflushed.borrow_mut());
        for outbox in unflushed {
            outbox.flush();
        }
    }

    /// Fires the core's timers, for ever.
    pub async fn run_timers(&self) {
        loop {
            let next = self.core.borrow().next_wakeup();
            self.armed_for.set(next);
            let Some(next) = next else {
                self.rearmed.notified().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => self.feed(Event::Tick),
                () = self.rearmed.notified() => (),
            }
        }
    }

    /// Whether a client waits for the answer to this id.
    pub fn is_in_flight(&self, conn: ConnId, id: &str) -> bool {
        self.core.borrow().is_in_flight(conn, id)
    }

    /// How many reloads have begun, and whether one is under way.
    pub fn reloads(&self) -> (u64, bool) {
        self.reloading.count()
    }

    pub fn next_conn(&self) -> ConnId {
        self.next_conn.set(self.next_conn.get() + 1);
        ConnId(self.next_conn.get())
    }

    /// The configuration in force.
    pub fn config(&self) -> Rc<ArbiterConfig> {
        Rc::clone(&self.config.borrow())
    }

    /// A snapshot of the pool.
    pub fn status(&self) -> PoolStatus {
        self.core.borrow().status(now())
    }

    /// Makes the pool larger or smaller; a pool has at least one worker (LIFE-5, POOL-10).
    pub fn scale_by(&self, workers: isize) {
        let target = self.core.borrow().config().workers.saturating_add_signed(workers);
        if (1..=CoreConfig::MAX_WORKERS).contains(&target) {
            self.feed(Event::Scale(target));
        } else {
            tracing::warn!("a pool has 1 to {} workers: its size stays (LIFE-5)", CoreConfig::MAX_WORKERS);
        }
    }

    /// Reads the configuration again, as a whole or not at all, and replaces the workers (LIFE-3, POOL-9). Whoever waits
    /// learns how it ended. A reload that is asked for during another follows it.
    pub fn reload(&self, waiter: Option<oneshot::Sender<Outcome>>) {
        if !self.reloading.may_begin(waiter) {
            return;
        }
        self.pool_changed.notify_one();
        let config = match self.reloading.load(self.config()) {
            Ok(config) => config,
            Err(problem) => return self.reload_ended(Err(problem)),
        };
        let pool = Box::new(config.pool.clone());
        self.reloading.begin(self.core.borrow().next_generation(), config);
        tracing::info!("reloading: a worker of the new configuration is started");
        self.feed(Event::Reload(pool));
    }

    fn reload_ended(&self, outcome: Outcome) {
        match &outcome {
            Ok(generation) => {
                tracing::info!(generation, "reloaded: every worker is of the new configuration")
            }
            Err(problem) => tracing::error!("failed to reload: {problem}"),
        }
        self.pool_changed.notify_one();
        if self.reloading.end(&outcome) {
            self.order(Order::Reload);
        }
    }

    /// Where a worker listens.
    pub fn worker_socket(&self, worker: WorkerId) -> std::path::PathBuf {
        self.socket.private_path(&format!("w{worker}"))
    }

    fn carry_out(&self, action: Action<Bytes>) {
        match action {
            Action::Forward { conn, slot, more, frame } => self.forward(conn, slot, more, frame),
            Action::Answer { conn, id, failure } => {
                let error = answers::error_for(failure, self.config().compat);
                self.answer(conn, id.and_then(|id| RequestId::new(id).ok()), error);
            }
            Action::CloseConn(conn) => {
                // It has its place until it has read its answers.
                if let Some(outbox) = self.clients.borrow().get(&conn) {
                    outbox.close();
                }
            }
            Action::Dispatch { slot, frame } => {
                // The reader may still wait for the client of the stream before, and its answer is for another.
                self.read_again(slot);
                self.dispatch(slot, frame);
            }
            Action::SendCancel { slot, id } => {
                // gunicorn's worker, which speaks the other codec, has no such message (GD-13).
                let link = self.slots.borrow().get(&slot).cloned();
                let link = link.filter(|link| link.hop.worker == Codec::Json);
                if let (Some(link), Some(frame)) = (link, answers::cancel(id)) {
                    self.queue(&link.outbox, frame.into_bytes());
                }
                // Nobody waits for this slot's output any more: read it, so that the slot comes free.
                self.read_again(slot);
            }
            Action::Spawn { worker, apps, fixed, seat, generation } => {
                let config = self.reloading.upcoming(generation).unwrap_or_else(|| self.config());
                self.order(Order::StartWorker(WorkerStart { worker, apps, fixed, seat, config }));
            }
            Action::Adopt { generation } => {
                if let Some(config) = self.reloading.upcoming(generation) {
                    self.config.replace(config);
                }
            }
            Action::OpenSlots { worker, slots } => {
                (0..slots).for_each(|index| self.order(Order::OpenSlot(SlotId { worker, index })));
            }
            Action::CloseSlot(slot) => {
                if let Some(link) = self.slots.borrow_mut().remove(&slot) {
                    link.outbox.close();
                }
            }
            Action::Signal { worker, signal } => self.signal(worker, signal),
            Action::Log(note) => {
                log::note(&note);
                self.pool_changed.notify_one();
            }
            Action::ReloadEnded { generation, failure } => {
                self.reload_ended(failure.map_or(Ok(generation), Err));
            }
            Action::Finished => self.finished.notify_one(),
        }
    }

    fn order(&self, order: Order) {
        // The receiver lives as long as the event loop; after it there is nothing to be done.
        let _ = self.orders.send(order);
    }

    /// Has a slot's reader wait for no client any more (STREAM-10).
    fn read_again(&self, slot: SlotId) {
        if let Some(waited_for) = self.slots.borrow().get(&slot).and_then(|link| link.paused_by.take()) {
            waited_for.nudge();
        }
    }

    fn forward(&self, conn: ConnId, slot: SlotId, more: bool, frame: Bytes) {
        if !more {
            // Nothing more comes for this client.
            self.read_again(slot);
        }
        let Some(outbox) = self.send(conn, frame) else { return };
        if outbox.waiting() <= self.config().client_buffer {
            return;
        }
        if let Some(hub) = self.itself.upgrade()
            && outbox.mark_congested()
        {
            tasks::spawn(watch_congestion(hub, conn, Rc::clone(&outbox)));
        }
        if more && let Some(link) = self.slots.borrow().get(&slot) {
            link.paused_by.replace(Some(outbox));
        }
    }

    /// Queues frames for a client that is still there.
    pub fn send(&self, conn: ConnId, frame: Bytes) -> Option<Rc<Outbox>> {
        let outbox = self.clients.borrow().get(&conn).cloned()?;
        self.queue(&outbox, frame);
        Some(outbox)
    }

    /// Sends a client an error of the arbiter's own making.
    pub fn answer(&self, conn: ConnId, id: Option<RequestId>, error: DirtyError) {
        let outbox = self.clients.borrow().get(&conn).cloned();
        if let Some(outbox) = outbox {
            self.queue(&outbox, codec::error(outbox.codec(), id, error));
        }
    }

    /// Sends a worker a request, as it reads it.
    fn dispatch(&self, slot: SlotId, request: Bytes) {
        let Some(link) = self.slots.borrow().get(&slot).cloned() else { return };
        let client = self.core.borrow().running(slot).and_then(|(_, client)| client);
        let client = client.and_then(|conn| self.clients.borrow().get(&conn).map(|outbox| outbox.codec()));
        link.hop.answers(client.unwrap_or_default());
        if link.hop.worker == Codec::Json {
            return self.queue(&link.outbox, request);
        }
        // The core dispatches what runs from then on.
        let id = self.core.borrow().running(slot).map(|(id, _)| id.to_owned()).unwrap_or_default();
        match link.hop.begin(&id, request, &self.config().limits) {
            Ok(frame) => self.queue(&link.outbox, frame),
            // As if its worker had said so.
            Err(error) => {
                let (kind, problem) = (ReplyKind::Error, error.to_string());
                self.on(Event::Unrelayable { slot, kind, id: &id, problem });
            }
        }
    }

    fn queue(&self, outbox: &Rc<Outbox>, frame: Bytes) {
        outbox.push(frame);
        self.unflushed.borrow_mut().push(Rc::clone(outbox));
    }

    fn signal(&self, worker: WorkerId, signal: WorkerSignal) {
        self.kill(
            worker,
            match signal {
                WorkerSignal::Terminate => Signal::SIGTERM,
                WorkerSignal::Abort => Signal::SIGABRT,
                WorkerSignal::Kill => Signal::SIGKILL,
            },
        );
    }

    /// A worker runs: it has a number, and may have been signalled before.
    pub fn started(&self, worker: WorkerId, pid: u32) {
        self.pids.borrow_mut().insert(worker, pid);
        let early = self.early_signals.borrow_mut().remove(&worker);
        if let Some(signal) = early {
            self.kill(worker, signal);
        }
    }

    /// A worker ended: its number belongs to nobody.
    pub fn ended(&self, worker: WorkerId) {
        self.pids.borrow_mut().remove(&worker);
        self.worker_codecs.borrow_mut().remove(&worker);
        self.early_signals.borrow_mut().remove(&worker);
    }

    /// Waits until every client has what was written for it.
    pub async fn write_out(&self) {
        let mut unread: Vec<Rc<Outbox>> = self.clients.borrow().values().cloned().collect();
        unread.retain(|client| client.waiting() > 0);
        if !unread.is_empty() {
            tracing::info!(clients = unread.len(), "waiting for clients to read their last answers");
        }
        for client in unread {
            client.written().await;
        }
    }

    fn kill(&self, worker: WorkerId, signal: Signal) {
        let Some(pid) = self.pids.borrow().get(&worker).and_then(|pid| i32::try_from(*pid).ok()) else {
            // Still being started: it is told once it has a number.
            self.early_signals.borrow_mut().insert(worker, signal);
            return;
        };
        // The process is not reaped before `Exited` removes its number, so the number is still its own.
        if let Err(error) = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal) {
            tracing::warn!(%worker, %signal, %error, "failed to signal a worker");
        }
    }
}
