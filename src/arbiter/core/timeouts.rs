//! Limits that pass: of requests, of boots, of drains, and of those that were told to end.

use std::time::{Duration, Instant};

use super::deadlines::Timer;
use super::state::{Doom, Place, RequestKey, Slot, WorkerState, target};
use super::types::{Action, Failure, Note, Phase, SlotId, WorkerExit, WorkerId, WorkerSignal};
use super::{Core, limit};

/// How long an aborted or terminated worker may take before it is killed.
pub(super) const KILL_GRACE: Duration = Duration::from_secs(1);

impl<F> Core<F> {
    /// The wait in the queue is bounded by the pool's limit and by the request's own.
    pub(super) fn arm_queue_limit(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get(&key) else { return };
        let waits = [limit(self.config.queue_timeout), request.timeout];
        let due = waits.into_iter().flatten().min().map(|wait| (request.accepted + wait, wait));
        self.arm(key, due);
    }

    /// A run is bounded by the pool's limit from its start and by the request's own from its acceptance (TIME-2).
    pub(super) fn arm_run_limit(&mut self, key: RequestKey, now: Instant) {
        let Some(request) = self.requests.get(&key) else { return };
        let pool = limit(self.config.timeout).map(|limit| (now + limit, limit));
        let own = request.timeout.map(|timeout| (request.accepted + timeout, timeout));
        self.arm(key, [pool, own].into_iter().flatten().min());
    }

    /// Each chunk starts a new gap (TIME-1). The limit moves; the timer follows when it fires.
    pub(super) fn extend_stream_limit(&mut self, key: RequestKey, now: Instant) {
        let pool = limit(self.config.timeout);
        let Some(request) = self.requests.get_mut(&key) else { return };
        let gap = [pool, request.timeout].into_iter().flatten().min();
        request.due = gap.map(|gap| (now + gap, gap));
        let fires_late = matches!((request.timer, request.due), (Some((at, _)), Some((due, _))) if due < at);
        if fires_late {
            let due = request.due;
            self.arm(key, due);
        }
    }

    fn arm(&mut self, key: RequestKey, due: Option<(Instant, Duration)>) {
        let Some(request) = self.requests.get_mut(&key) else { return };
        if let Some(timer) = request.timer.take() {
            self.deadlines.clear(timer);
        }
        request.due = due;
        request.timer = due.map(|(at, _)| self.deadlines.set(at, Timer::Request(key)));
    }

    /// Sets a timer for the end of the graceful time-out, if that has one (TIME-6).
    pub(super) fn arm_graceful(&mut self, now: Instant, timer: Timer) {
        if let Some(grace) = limit(self.config.graceful_timeout) {
            self.deadlines.set(now + grace, timer);
        }
    }

    pub(super) fn fire_timers(&mut self, now: Instant, actions: &mut Vec<Action<F>>) {
        while let Some(timer) = self.deadlines.pop_due(now) {
            match timer {
                Timer::Request(key) => self.request_limit(key, now, actions),
                Timer::CancelGrace(slot, key) => self.cancel_grace(slot, key, now, actions),
                Timer::Boot(worker) => self.boot_limit(worker, actions),
                Timer::Reap(worker) => self.reap_limit(worker, now, actions),
                Timer::Kill(worker) => {
                    if self.workers.contains_key(&worker) {
                        actions.push(Action::Signal { worker, signal: WorkerSignal::Kill });
                    }
                }
                Timer::Respawn(seat) => self.spawn(seat, now, actions),
                Timer::Retry(seat, app) => self.retry(seat, app, now, actions),
                Timer::DrainEnd => self.drain_end(actions),
                Timer::Watchdog(worker) => self.watchdog(worker, now, actions),
                Timer::NextReplacement(old) => self.replacing = self.replacing.without(old),
            }
        }
    }

    fn request_limit(&mut self, key: RequestKey, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(request) = self.requests.get_mut(&key) else { return };
        request.timer = None;
        let Some((at, limit)) = request.due else { return };
        if at > now {
            return self.arm(key, Some((at, limit)));
        }
        request.expired = true;
        let app = request.app;
        let target = target(&self.apps, request);
        match request.place {
            Place::Queued(_) => {
                let phase = if self.has_ready_worker(app) { Phase::Queue } else { Phase::Boot };
                self.answer(key, Failure::Timeout { target, phase, limit, worker: None }, actions);
                self.remove_queued(key);
            }
            Place::Running { slot, streaming, .. } => {
                let phase = if streaming { Phase::Stream } else { Phase::Run };
                self.send_cancel(slot, key, actions);
                self.answer(
                    key,
                    Failure::Timeout { target, phase, limit, worker: Some(slot.worker) },
                    actions,
                );
                if let Some(grace) = super::limit(self.config.cancel_grace) {
                    self.deadlines.set(now + grace, Timer::CancelGrace(slot, key));
                }
                self.end_if_alone(slot.worker, now, actions);
            }
        }
    }

    fn cancel_grace(&mut self, slot: SlotId, key: RequestKey, now: Instant, actions: &mut Vec<Action<F>>) {
        if self.slot(slot) == Some(Slot::Busy(key)) {
            self.doom(slot.worker, Doom::AbortWhenAlone, now, actions);
        }
    }

    /// A worker that shows no sign of life will not honour a `cancel` either: it is aborted, whatever runs there (WORK-10).
    fn watchdog(&mut self, id: WorkerId, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let Some(silence) = worker.watchdog.filter(|_| worker.doomed != Some(Doom::Signalled)) else {
            return;
        };
        let due = worker.alive + silence;
        // A timer that fires late means that the arbiter itself stood still: what the worker has sent meanwhile is yet to be
        // read.
        let late = now.saturating_duration_since(due) > silence / 4;
        if due > now || late {
            if late {
                worker.alive = now;
            }
            self.deadlines.set(worker.alive + silence, Timer::Watchdog(id));
            return;
        }
        worker.state = WorkerState::Draining;
        worker.doomed = Some(Doom::Signalled);
        worker.aborted = true;
        self.counters.crashes += 1;
        actions.push(Action::Log(Note::Hung { worker: id, silent: silence }));
        actions.push(Action::Signal { worker: id, signal: WorkerSignal::Abort });
        self.deadlines.set(now + KILL_GRACE, Timer::Kill(id));
    }

    fn boot_limit(&mut self, worker: WorkerId, actions: &mut Vec<Action<F>>) {
        if let Some(booting) =
            self.workers.get_mut(&worker).filter(|worker| worker.state == WorkerState::Booting)
        {
            booting.doomed = Some(Doom::Signalled);
            booting.aborted = true;
            actions.push(Action::Signal { worker, signal: WorkerSignal::Kill });
        }
    }

    /// A worker lost a connection but lives: its requests cannot be answered any more, so it is replaced.
    fn reap_limit(&mut self, id: WorkerId, now: Instant, actions: &mut Vec<Action<F>>) {
        let Some(worker) = self.workers.get(&id) else { return };
        for (index, slot) in (0..).zip(worker.slots.clone()) {
            if let Slot::Lost(Some(key)) = slot {
                let slot = SlotId { worker: id, index };
                self.fail_with_worker(slot, key, WorkerExit::Unknown, actions);
                self.set_slot(slot, Slot::Lost(None));
            }
        }
        self.judge_birth(id, now);
        self.doom(id, Doom::TerminateWhenAlone, now, actions);
    }
}
