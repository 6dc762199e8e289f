//! What clients do: connect, request, cancel, leave.

use std::time::{Duration, Instant};

use super::state::{App, Conn, Place, Request, RequestKey, Slot, target};
use super::types::{Action, ConnId, Failure, SlotId, Target};
use super::{Core, Mode};

impl<F> Core<F> {
    pub(super) fn connected(&mut self, conn: ConnId) {
        self.conns.insert(conn, Conn::default());
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn request(
        &mut self,
        conn: ConnId,
        id: &str,
        app_path: &str,
        action: &str,
        timeout: Option<Duration>,
        frame: F,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        let Some(client) = self.conns.get(&conn) else { return };
        let reads = !client.congested;
        if client.in_flight.contains_key(id) {
            actions.push(Action::Answer { conn, id: None, failure: Failure::DuplicateId(id.to_owned()) });
            return;
        }
        let refused = |failure| Action::Answer { conn, id: Some(id.to_owned()), failure };
        let target = || Target { app_path: app_path.to_owned(), action: action.to_owned() };
        let Some(&app) = self.app_index.get(app_path) else {
            actions.push(refused(Failure::AppNotFound(target())));
            return;
        };
        if self.mode != Mode::Serving {
            actions.push(refused(Failure::NoWorkers {
                target: target(),
                reason: "the arbiter is shutting down",
            }));
            return;
        }
        if self.has_failed(app) {
            actions
                .push(refused(Failure::NoWorkers { target: target(), reason: "its workers fail to boot" }));
            return;
        }
        let idle = self.idle_slot(app).filter(|_| reads);
        if idle.is_none() && self.apps[app].queue.len() >= self.config.queue {
            let retry_after = self.retry_after(app);
            let bound = self.config.queue;
            actions.push(refused(Failure::Overloaded { target: target(), bound, retry_after }));
            return;
        }
        let key = RequestKey(self.next_request);
        self.next_request += 1;
        self.counters.requests += 1;
        if let Some(client) = self.conns.get_mut(&conn) {
            client.in_flight.insert(id.to_owned(), key);
        }
        let request = Request {
            waiter: Some(conn),
            id: id.to_owned(),
            app,
            action: action.to_owned(),
            accepted: now,
            timeout,
            place: Place::Queued(frame),
            timer: None,
            due: None,
            expired: false,
        };
        self.requests.insert(key, request);
        match idle {
            Some(slot) => self.dispatch(slot, key, now, actions),
            None => {
                self.apps[app].queue.push_back(key);
                self.arm_queue_limit(key);
            }
        }
    }

    /// A client ends a request: it is answered at once, whatever the worker does (CANCEL-1).
    pub(super) fn cancel(&mut self, conn: ConnId, id: &str, actions: &mut Vec<Action<F>>) {
        let Some(&key) = self.conns.get(&conn).and_then(|client| client.in_flight.get(id)) else { return };
        let Some(request) = self.requests.get(&key) else { return };
        let failure = Failure::Cancelled(target(&self.apps, request));
        match request.place {
            Place::Queued(_) => {
                self.answer(key, failure, actions);
                self.remove_queued(key);
            }
            Place::Running { slot, .. } => {
                self.send_cancel(slot, key, actions);
                self.answer(key, failure, actions);
            }
        }
    }

    /// Tells the worker to end a request, if its slot still has a connection.
    pub(super) fn send_cancel(&mut self, slot: SlotId, key: RequestKey, actions: &mut Vec<Action<F>>) {
        if self.slot(slot) == Some(Slot::Busy(key))
            && let Some(request) = self.requests.get(&key)
        {
            actions.push(Action::SendCancel { slot, id: request.id.clone() });
        }
    }

    /// A client stopped reading, or caught up: then what waited for that goes on.
    pub(super) fn congested(
        &mut self,
        conn: ConnId,
        congested: bool,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        let Some(client) = self.conns.get_mut(&conn) else { return };
        client.congested = congested;
        if !congested {
            self.feed_idle_slots(now, actions);
        }
    }

    pub(super) fn half_closed(&mut self, conn: ConnId, actions: &mut Vec<Action<F>>) {
        if let Some(client) = self.conns.get_mut(&conn) {
            client.half_closed = true;
            self.close_if_done(conn, actions);
        }
    }

    /// A client is gone: what it asked for runs to its end, and what comes of it is discarded (POOL-11).
    pub(super) fn disconnected(&mut self, conn: ConnId, now: Instant, actions: &mut Vec<Action<F>>) {
        for key in self.conns.remove(&conn).map(|client| client.in_flight).unwrap_or_default().into_values() {
            if let Some(request) = self.requests.get_mut(&key) {
                request.waiter = None;
            }
        }
        // Nobody is left who does not read.
        self.feed_idle_slots(now, actions);
    }

    /// Gives the request its terminal message. It may still hold a slot.
    pub(super) fn answer(&mut self, key: RequestKey, failure: Failure, actions: &mut Vec<Action<F>>) {
        if let Some((conn, id)) = self.release_waiter(key) {
            actions.push(Action::Answer { conn, id: Some(id), failure });
            self.close_if_done(conn, actions);
        }
    }

    /// Ends the client's wait: nothing is sent for this id any more (CALL-1).
    pub(super) fn release_waiter(&mut self, key: RequestKey) -> Option<(ConnId, String)> {
        let request = self.requests.get_mut(&key)?;
        let conn = request.waiter.take()?;
        let id = request.id.clone();
        if let Some(client) = self.conns.get_mut(&conn) {
            client.in_flight.remove(&id);
        }
        Some((conn, id))
    }

    /// Closes a connection that sends nothing more and waits for nothing more (CALL-10).
    pub(super) fn close_if_done(&mut self, conn: ConnId, actions: &mut Vec<Action<F>>) {
        if self.conns.get(&conn).is_some_and(|client| client.half_closed && client.in_flight.is_empty()) {
            self.conns.remove(&conn);
            actions.push(Action::CloseConn(conn));
        }
    }

    /// Takes a request out of its queue and forgets it.
    pub(super) fn remove_queued(&mut self, key: RequestKey) {
        if let Some(request) = self.forget(key) {
            self.apps[request.app].queue.retain(|queued| *queued != key);
        }
    }

    /// Forgets a request and its timer.
    pub(super) fn forget(&mut self, key: RequestKey) -> Option<Request<F>> {
        let request = self.requests.remove(&key)?;
        if let Some(timer) = request.timer {
            self.deadlines.clear(timer);
        }
        Some(request)
    }
}

impl App {
    pub(super) fn new(app_path: &str) -> App {
        App {
            app_path: app_path.to_owned(),
            queue: Default::default(),
            last_served: 0,
            run_time: Duration::ZERO,
        }
    }
}
