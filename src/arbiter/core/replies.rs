//! What workers send, and what of it reaches a client.

use std::time::{Duration, Instant};

use super::Core;
use super::state::{Doom, Place, RequestKey, Slot, target};
use super::types::{Action, Failure, Note, ReplyKind, SlotId, Target, Violation, WorkerExit};
use crate::message::ErrorType;

/// What a worker's frame says of itself.
pub(super) struct Reply<'a> {
    pub kind: ReplyKind,
    pub id: Option<&'a str>,
    pub error_type: Option<&'a str>,
    pub frames: u32,
}

impl<F> Core<F> {
    /// A worker's frame: relayed if it belongs to the request in flight on its slot, else dropped (CORR-5).
    pub(super) fn reply(
        &mut self,
        slot: SlotId,
        reply: Reply<'_>,
        frame: F,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        let Reply { kind, id, error_type, frames } = reply;
        let running = match self.slot(slot) {
            Some(Slot::Busy(key)) => self.requests.get_mut(&key).map(|request| (key, request)),
            _ => None,
        };
        let Some((key, request)) = running else {
            return self.stale(slot, id, frames, actions);
        };
        let Some(id) = id else {
            // The worker could not read the request: no terminal message will follow.
            let what = "answered a well-formed request with an error without an id".to_owned();
            return self.violated(slot, Violation { requirement: "MSG-12", what }, now, actions);
        };
        if request.id != id {
            return self.stale(slot, Some(id), frames, actions);
        }
        let Place::Running { streaming, started, .. } = &mut request.place else { return };
        if kind == ReplyKind::Response && *streaming {
            let what = "sent a response inside a stream".to_owned();
            return self.violated(slot, Violation { requirement: "STREAM-5", what }, now, actions);
        }
        if kind == ReplyKind::Chunk {
            *streaming = true;
            if let Some(conn) = request.waiter {
                actions.push(Action::Forward { conn, slot, more: true, frame });
            }
            // Also when its client is gone: it may run to its end (POOL-11).
            if !request.ended {
                self.extend_stream_limit(key, now);
            }
            return;
        }
        let app = request.app;
        let took = now.saturating_duration_since(*started);
        // What comes after the arbiter's own answer is no answer any more.
        let answers = (!request.ended).then_some(kind);
        self.count_end(slot, app, took, answers, error_type);
        if let Some((conn, _)) = self.release_waiter(key) {
            actions.push(Action::Forward { conn, slot, more: false, frame });
            self.close_if_done(conn, actions);
        }
        self.forget(key);
        let average = &mut self.apps[app].statistics.run_time;
        *average = (*average * 7 + took) / 8;
        self.free_slot(slot, now, actions);
    }

    /// A bad message about the request in flight fails that request alone: its worker may be right about the next one.
    pub(super) fn bad_reply(
        &mut self,
        slot: SlotId,
        kind: Option<ReplyKind>,
        id: Option<&str>,
        violation: Violation,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        let (Some(key), Some(kind)) = (self.running_as(slot, id), kind) else {
            return self.violated(slot, violation, now, actions);
        };
        if kind == ReplyKind::Chunk && self.requests.get(&key).is_some_and(|request| request.ended) {
            return self.stale(slot, id, 1, actions);
        }
        actions.push(Action::Log(Note::Violation { slot, violation: violation.clone() }));
        let worker = slot.worker;
        let failure = |target| Failure::WorkerBroke { target, worker, violation };
        self.fail_reply(slot, key, kind, failure, now, actions);
    }

    /// A good reply that cannot be relayed fails its request; nobody is to blame.
    pub(super) fn unrelayable(
        &mut self,
        slot: SlotId,
        kind: ReplyKind,
        id: &str,
        problem: String,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        let key = self.running_as(slot, Some(id));
        let ended = |key| self.requests.get(&key).is_some_and(|request| request.ended);
        let Some(key) = key.filter(|key| kind != ReplyKind::Chunk || !ended(*key)) else {
            return self.stale(slot, Some(id), 1, actions);
        };
        self.fail_reply(slot, key, kind, |target| Failure::Unrelayable { target, problem }, now, actions);
    }

    /// The request that runs on a slot, if this is its id.
    fn running_as(&self, slot: SlotId, id: Option<&str>) -> Option<RequestKey> {
        let Some(Slot::Busy(key)) = self.slot(slot) else { return None };
        self.requests.get(&key).filter(|request| Some(request.id.as_str()) == id).map(|_| key)
    }

    /// Fails the request that a reply was for, which is not relayed.
    fn fail_reply(
        &mut self,
        slot: SlotId,
        key: RequestKey,
        kind: ReplyKind,
        failure: impl FnOnce(Target) -> Failure,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        if kind == ReplyKind::Chunk {
            // The worker streams on: it is told to stop, and the slot is taken until it has.
            self.send_cancel(slot, key, actions);
        }
        if let Some(request) = self.requests.get(&key) {
            let target = target(&self.apps, request);
            self.answer(key, failure(target), actions);
        }
        if kind != ReplyKind::Chunk {
            self.forget(key);
            self.free_slot(slot, now, actions);
        }
    }

    /// A worker has ended a request.
    fn count_end(
        &mut self,
        slot: SlotId,
        app: usize,
        took: Duration,
        kind: Option<ReplyKind>,
        error_type: Option<&str>,
    ) {
        let app = &mut self.apps[app].statistics;
        app.run_times.record(took);
        match kind {
            Some(ReplyKind::Response) => app.counters.responses += 1,
            Some(ReplyKind::End) => app.counters.streams += 1,
            Some(ReplyKind::Error) => {
                app.counters.count_error(ErrorType::from_name(error_type.unwrap_or_default()))
            }
            Some(ReplyKind::Chunk) | None => (),
        }
        let Some(worker) = self.workers.get_mut(&slot.worker) else { return };
        worker.served += 1;
        // A worker that serves has booted for good.
        if let Some(seat) = worker.seat.and_then(|index| self.seats.get_mut(index)) {
            seat.failures = 0;
        }
    }

    fn stale(&mut self, slot: SlotId, id: Option<&str>, frames: u32, actions: &mut Vec<Action<F>>) {
        self.counters.stale_frames += u64::from(frames);
        if let Some(Slot::Busy(key)) = self.slot(slot)
            && let Some(request) = self.requests.get(&key)
        {
            self.apps[request.app].statistics.counters.stale_frames += u64::from(frames);
        }
        // What a dead worker had still written is no news.
        if let Some(worker) = self.workers.get_mut(&slot.worker)
            && !std::mem::replace(&mut worker.stale_noted, true)
        {
            actions.push(Action::Log(Note::StaleFrame { slot, id: id.map(str::to_owned) }));
        }
    }

    /// A slot's connection ended, or its worker broke the protocol on it.
    pub(super) fn slot_broken(
        &mut self,
        slot: SlotId,
        violation: Option<Violation>,
        now: Instant,
        actions: &mut Vec<Action<F>>,
    ) {
        match violation {
            Some(violation) => self.violated(slot, violation, now, actions),
            None => self.slot_lost(slot, now, actions),
        }
    }

    /// Nothing on this slot can be trusted any more: its request fails and its worker is replaced.
    fn violated(&mut self, slot: SlotId, violation: Violation, now: Instant, actions: &mut Vec<Action<F>>) {
        actions.push(Action::Log(Note::Violation { slot, violation: violation.clone() }));
        actions.push(Action::CloseSlot(slot));
        if let Some(Slot::Busy(key)) = self.slot(slot) {
            if let Some(request) = self.requests.get(&key) {
                let target = target(&self.apps, request);
                self.answer(key, Failure::WorkerBroke { target, worker: slot.worker, violation }, actions);
            }
            self.forget(key);
        }
        self.set_slot(slot, Slot::Lost(None));
        self.judge_birth(slot.worker, now);
        self.doom(slot.worker, Doom::TerminateWhenAlone, now, actions);
    }

    /// Tells the client how the worker died under its request (ERR-6), and forgets the request.
    pub(super) fn fail_with_worker(
        &mut self,
        slot: SlotId,
        key: RequestKey,
        exit: WorkerExit,
        actions: &mut Vec<Action<F>>,
    ) {
        if let Some(request) = self.requests.get(&key) {
            let target = target(&self.apps, request);
            self.answer(key, Failure::WorkerDied { target, worker: slot.worker, exit }, actions);
        }
        self.forget(key);
    }
}
