//! What clients do: connect, request, cancel, leave.

use std::time::{Duration, Instant};

use super::config::OnDisconnect;
use super::state::{App, Conn, Place, Request, RequestKey, Slot, target};
use super::status::AppCounters;
use super::types::{Action, ConnId, FAILING_TO_BOOT, Failure, SHUTTING_DOWN, SlotId, Target};
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
        let target = || Target { app_path: app_path.to_owned(), action: action.to_owned() };
        let Some(app) = self.configured_app(app_path) else {
            let failure = Failure::AppNotFound(target());
            actions.push(Action::Answer { conn, id: Some(id.to_owned()), failure });
            return;
        };
        let mut refuse = |counters: &mut AppCounters, failure: Failure| {
            counters.count_error(failure.error_type());
            actions.push(Action::Answer { conn, id: Some(id.to_owned()), failure });
        };
        if self.mode != Mode::Serving {
            let failure = Failure::NoWorkers { target: target(), reason: SHUTTING_DOWN };
            return refuse(&mut self.apps[app].statistics.counters, failure);
        }
        if self.has_failed(app) {
            let failure = Failure::NoWorkers { target: target(), reason: FAILING_TO_BOOT };
            return refuse(&mut self.apps[app].statistics.counters, failure);
        }
        let idle = self.idle_slot(app).filter(|_| reads);
        if idle.is_none() && self.apps[app].queue.len() >= self.config.queue {
            let retry_after = self.retry_after(app);
            let bound = self.config.queue;
            let failure = Failure::Overloaded { target: target(), bound, retry_after };
            return refuse(&mut self.apps[app].statistics.counters, failure);
        }
        let key = RequestKey(self.next_request);
        self.next_request += 1;
        self.apps[app].statistics.counters.requests += 1;
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
            ended: false,
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

    /// A client is gone: what it asked for runs to its end, and what comes of it is discarded (POOL-11); or it is ended
    /// at once, if its app is configured so (POOL-12).
    pub(super) fn disconnected(&mut self, conn: ConnId, now: Instant, actions: &mut Vec<Action<F>>) {
        let in_flight = self.conns.remove(&conn).map(|client| client.in_flight).unwrap_or_default();
        let mut keys: Vec<RequestKey> = in_flight.into_values().collect();
        keys.sort_unstable();
        for key in keys {
            let Some(request) = self.requests.get_mut(&key) else { continue };
            request.waiter = None;
            if self.apps[request.app].on_disconnect == OnDisconnect::Finish {
                continue;
            }
            request.ended = true;
            match request.place {
                Place::Queued(_) => self.remove_queued(key),
                Place::Running { slot, .. } => self.send_cancel(slot, key, actions),
            }
        }
        // Nobody is left who does not read.
        self.feed_idle_slots(now, actions);
    }

    /// Gives the request its terminal message. It may still hold a slot.
    pub(super) fn answer(&mut self, key: RequestKey, failure: Failure, actions: &mut Vec<Action<F>>) {
        if let Some(request) = self.requests.get_mut(&key) {
            let first = !std::mem::replace(&mut request.ended, true);
            let counters = &mut self.apps[request.app].statistics.counters;
            counters.crashes += u64::from(matches!(failure, Failure::WorkerDied { .. }));
            // A worker may die, or break the protocol, under a request that was answered before.
            if first {
                counters.timeouts += u64::from(matches!(failure, Failure::Timeout { .. }));
                counters.count_error(failure.error_type());
            }
        }
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
            configured: false,
            workers: None,
            on_disconnect: Default::default(),
            queue: Default::default(),
            last_served: 0,
            statistics: Default::default(),
        }
    }
}
