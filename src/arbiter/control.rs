//! What the control socket answers: the state of the arbiter, and changes of its pool.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::{Notify, oneshot};

use super::answers;
use super::control_status::{self, Facts};
use super::core::{CoreConfig, Event, PoolState};
use super::hub::Hub;
use super::reloading::Outcome;
use super::stream::Stream;
use crate::control::{ManageResult, Operation, PoolStatus};
use crate::message::RequestId;

/// What the connections of the control socket share. It outlives the hub, to tell those who wait for the end.
#[derive(Debug)]
pub(super) struct Control {
    /// The path of the call socket.
    socket: Option<String>,
    started: Instant,
    /// How many connections are open.
    open: Cell<usize>,
    /// Woken when the arbiter is to drain.
    pub drain: Notify,
    /// That was asked for.
    draining: Cell<bool>,
    /// Who waits for the arbiter's end, numbered, with the id of the message that asks.
    waiting: RefCell<HashMap<u64, (Rc<Stream>, RequestId)>>,
    next_waiter: Cell<u64>,
}

/// One of the places for connections; dropping it frees the place.
#[derive(Debug)]
pub(super) struct ConnectionPlace(Rc<Control>);

/// A connection that waits for the arbiter's end; dropping it ends the wait.
#[derive(Debug)]
pub(super) struct EndWaiter {
    control: Rc<Control>,
    number: u64,
}

impl Control {
    pub fn new(socket: &Path) -> Rc<Control> {
        Rc::new(Control {
            socket: socket.to_str().map(str::to_owned),
            started: Instant::now(),
            open: Cell::new(0),
            drain: Notify::new(),
            draining: Cell::new(false),
            waiting: RefCell::default(),
            next_waiter: Cell::new(0),
        })
    }

    /// A place for one more connection, if there is one (EXT-7).
    pub fn place(self: &Rc<Self>, limit: usize) -> Option<ConnectionPlace> {
        let open = self.open.get();
        (open < limit).then(|| {
            self.open.set(open + 1);
            ConnectionPlace(Rc::clone(self))
        })
    }

    /// The answer to `status` (EXT-8).
    pub fn status(&self, hub: &Hub) -> PoolStatus {
        let facts = Facts {
            socket: self.socket.clone(),
            uptime: self.started.elapsed(),
            connections: hub.clients.borrow().len(),
            pids: &hub.pids.borrow(),
        };
        control_status::pool_status(hub.status(), &facts)
    }

    /// Begins the end of the arbiter, unless it has begun: a second message hurries nothing (EXT-11).
    pub fn drain(&self, hub: &Hub) -> ManageResult {
        let result = unchanged(hub, Operation::Drain);
        if hub.status().state == PoolState::Serving && !self.draining.replace(true) {
            tracing::info!("draining, as was asked on the control socket");
            self.drain.notify_one();
        }
        result
    }

    /// Has a connection told when the arbiter has ended, as long as what is returned is kept.
    pub fn wait_for_end(self: &Rc<Self>, stream: &Rc<Stream>, id: RequestId) -> EndWaiter {
        let number = self.next_waiter.get();
        self.next_waiter.set(number + 1);
        self.waiting.borrow_mut().insert(number, (Rc::clone(stream), id));
        EndWaiter { control: Rc::clone(self), number }
    }

    /// Tells those who wait that the arbiter has ended. To be called when nothing of it is left.
    pub fn tell_end(waiting: EndWaiters) {
        for (stream, id) in waiting.0 {
            let result = ManageResult::done(Operation::Drain, 0, 0);
            // The task that served it is gone, and everything before was written: the socket takes these few bytes, or its
            // peer is gone.
            let stream = Rc::into_inner(stream).and_then(Stream::into_socket);
            let stream = stream.and_then(|stream| stream.into_std().ok());
            if let (Some(mut stream), Some(frame)) = (stream, answers::result(id, &result)) {
                let _ = stream.write_all(frame.as_bytes());
            }
        }
    }

    /// Takes out who waits for the end, before the tasks that serve them are dropped.
    pub fn end_waiters(&self) -> EndWaiters {
        EndWaiters(self.waiting.take().into_values().collect())
    }
}

/// The connections on which somebody waits for the arbiter's end.
pub(super) struct EndWaiters(Vec<(Rc<Stream>, RequestId)>);

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

impl Drop for EndWaiter {
    fn drop(&mut self) {
        self.control.waiting.borrow_mut().remove(&self.number);
    }
}

/// The pool as it is, as the result of an operation.
fn unchanged(hub: &Hub, operation: Operation) -> ManageResult {
    let status = hub.status();
    ManageResult::done(operation, status.target_workers as u64, status.workers.len() as u64)
}

/// Changes the number of workers, or says why not (EXT-9).
pub(super) fn scale(hub: &Hub, operation: Operation, count: u32) -> ManageResult {
    let asked = |result: ManageResult| ManageResult { requested: Some(count), ..result };
    match workers_after(hub, operation, count as usize) {
        Ok(workers) => {
            hub.feed(Event::Scale(workers));
            asked(unchanged(hub, operation))
        }
        Err(reason) => asked(unchanged(hub, operation)).but(reason),
    }
}

fn workers_after(hub: &Hub, operation: Operation, count: usize) -> Result<usize, String> {
    let status = hub.status();
    if status.state != PoolState::Serving {
        return Err("the arbiter is shutting down".to_owned());
    }
    let now = status.target_workers;
    let after = match operation {
        Operation::Scale => Some(count),
        _ if count == 0 => return Err("expected a count of at least 1, found 0".to_owned()),
        Operation::Add => now.checked_add(count),
        _ => now.checked_sub(count),
    };
    let wish = |limit| match operation {
        Operation::Scale => format!("expected {limit}, found {count}"),
        Operation::Add => format!("expected {limit}, found {now} and {count} more"),
        _ => format!("expected {limit}, found {now} and {count} fewer"),
    };
    match after {
        Some(after @ 1..=CoreConfig::MAX_WORKERS) => Ok(after),
        None | Some(0) if operation != Operation::Add => Err(wish("at least 1 worker".to_owned())),
        _ => Err(wish(format!("at most {} workers", CoreConfig::MAX_WORKERS))),
    }
}

/// A reload that was begun: its result as far as it can be told now, and its end.
pub(super) struct BegunReload {
    pub result: ManageResult,
    pub end: oneshot::Receiver<Outcome>,
}

/// Begins a reload, or says why not (EXT-10).
pub(super) fn reload(hub: &Hub) -> Result<BegunReload, ManageResult> {
    let before = hub.status();
    let (done, mut end) = oneshot::channel();
    hub.reload(Some(done));
    if let Ok(outcome) = end.try_recv() {
        return Err(reloaded(hub, outcome));
    }
    let mut result = unchanged(hub, Operation::Reload);
    // One that follows another has no number before that one has ended.
    result.generation = (!before.reloading).then_some(before.generation + 1);
    Ok(BegunReload { result, end })
}

/// The result of a reload that has ended.
pub(super) fn reloaded(hub: &Hub, outcome: Outcome) -> ManageResult {
    let result = unchanged(hub, Operation::Reload);
    match outcome {
        Ok(generation) => ManageResult { generation: Some(generation), ..result },
        Err(reason) => result.but(reason),
    }
}
